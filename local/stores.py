"""Fills the stores: schema, seed, and the repair of what a killed run left apart (KEEP=1).

The engine saves every few seconds, PostgreSQL everything at once: so a person may be in the
directory and no longer in the pool. And the engine keeps no stream: what was in it is not
delivered any more, and the lists of message groups are behind.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg2
from botocore.exceptions import BotoCoreError, ClientError

from administration.operations import OperationError, perform, perform_at
from commands.cognito.pool import attributes_of
from commands.output import quantity
from commands.reconcile.digest import Rules
from commands.reconcile.group import Reconciler
from commands.reconcile.run import whole_table
from commands.reconcile.table import Table
from directory.statements import statement
from runtime.deadline import Deadline
from sam_offline.app import Offline
from sam_offline.console import say
from sam_offline.errors import OfflineError
from seed.examples import seed_users
from seed.writing import SeedError, SeedReport, write_examples

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["fill"]


def fill(app: Offline, database_url: str, *, repairs: bool) -> SeedReport:
    """Load the schema and the seed, and repair what is kept; OfflineError where that fails."""
    # The sign-ins go the way of every client, so that the triggers see them.
    dynamodb, cognito = app.client("dynamodb"), app.client("cognito-idp")
    table_name, pool_id = app.outputs["TableName"], app.outputs["UserPoolId"]
    try:
        perform_at(database_url, {"action": "migrate"})
        say("local: the schema is loaded")
        if repairs:
            _repair_users(cognito, pool_id, database_url)
            _repair_lists(dynamodb, table_name)
        report = write_examples(
            dynamodb=dynamodb,
            cognito=cognito,
            table_name=table_name,
            user_pool_id=pool_id,
            database_url=database_url,
            now=datetime.now(UTC),
        )
    except (psycopg2.Error, BotoCoreError, ClientError, SeedError) as error:
        raise OfflineError(f"Schema or seed cannot be loaded: {str(error).strip()}") from error
    say("local: users, sign-ins and conversations are seeded")
    return report


def _repair_lists(dynamodb: "DynamoDBClient", table_name: str) -> None:
    """Rebuild the rows of every message group from its messages; nothing is on its way to them."""
    table = Table(dynamodb, table_name, deadline=Deadline())
    results = list(whole_table(Reconciler(table, rules=Rules(lag=timedelta(0)))))
    for result in results:
        for finding in result.left:
            say(f"local: {result.message_group_uuid} is not repaired: {finding}")
    if repaired := sum(bool(result.repaired) for result in results):
        groups = quantity(repaired, "message group")
        say(f"local: {groups} behind the messages: repaired")


def _repair_users(
    cognito: "CognitoIdentityProviderClient", user_pool_id: str, database_url: str
) -> None:
    """Let those sign up again who are in the directory only, and register those who are not."""
    pages = cognito.get_paginator("list_users").paginate(UserPoolId=user_pool_id)
    pool = {
        attributes["sub"]: (attributes, user["UserStatus"])
        for page in pages
        for user in page["Users"]
        for attributes in [attributes_of(user["Attributes"])]
    }
    connection = psycopg2.connect(database_url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT cognito_user_id FROM public.users")
            linked = {cognito_user_id for (cognito_user_id,) in cursor.fetchall()}
            # The seed has people who never signed in.
            gone = linked - set(pool) - {user.cognito_user_id for user in seed_users()} - {"MOCK"}
            cursor.execute(
                statement("users/unlink", package="administration"),
                {"cognito_user_ids": list(gone)},
            )
        for sub in set(pool) - linked:
            attributes, status = pool[sub]
            if status == "CONFIRMED":
                _register(connection, sub, attributes)
    finally:
        connection.close()
    if gone:
        users = quantity(len(gone), "user")
        say(f"local: {users} had lost the sign-in: they can sign up again")


def _register(
    connection: psycopg2.extensions.connection, sub: str, attributes: dict[str, str]
) -> None:
    profile = {
        "cognito_user_id": sub,
        "handle": attributes["preferred_username"],
        "display_name": attributes["name"],
        "email": attributes["email"],
    }
    try:
        perform(connection, {"action": "register", **profile})
    except OperationError as error:
        say(f"local: {attributes['email']} cannot be registered: {error}")
