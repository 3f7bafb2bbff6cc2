"""Repairs the data of a killed local cloud, at a start with KEEP=1.

PostgreSQL saves every change at once, the AWS engine every few seconds: a person may be in the
directory and not in the user pool any more. The engine does not save its streams: what was not
delivered never will be, so that lists of message groups are behind their messages.
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg2

from administration.operations import OperationError, perform
from commands.cognito.pool import attributes_of
from commands.output import quantity
from commands.reconcile.digest import Rules
from commands.reconcile.group import Reconciler
from commands.reconcile.run import whole_table
from commands.reconcile.table import Table
from directory.statements import statement
from runtime.deadline import Deadline
from seed.examples import seed_users

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient


def repair_lists(dynamodb: "DynamoDBClient", table_name: str) -> Iterator[str]:
    """Rebuild the rows of all message groups from the messages. No stream may be delivered now.

    Yield a sentence that says what was repaired, and one for each group that could not be.
    """
    table = Table(dynamodb, table_name, deadline=Deadline())
    results = list(whole_table(Reconciler(table, rules=Rules(lag=timedelta(0)))))
    for result in results:
        for finding in result.left:
            yield f"{result.message_group_uuid} is not repaired: {finding}"
    if repaired := sum(bool(result.repaired) for result in results):
        yield f"{quantity(repaired, 'message group')} behind the messages: repaired"


def repair_users(
    cognito: "CognitoIdentityProviderClient", user_pool_id: str, database_url: str
) -> Iterator[str]:
    """Unlink users who have no sign-in any more, and register sign-ins that have no user.

    Yield a sentence that says what was repaired, and one for each sign-in that could not be.
    """
    pages = cognito.get_paginator("list_users").paginate(UserPoolId=user_pool_id)
    pool = {
        attributes["sub"]: (attributes, user["UserStatus"])
        for page in pages
        for user in page["Users"]
        for attributes in [attributes_of(user["Attributes"])]
    }
    with closing(psycopg2.connect(database_url)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT cognito_user_id FROM public.users")
            linked = {cognito_user_id for (cognito_user_id,) in cursor.fetchall()}
            # The seed has people with an id of no sign-in.
            gone = linked - set(pool) - {user.cognito_user_id for user in seed_users()} - {"MOCK"}
            cursor.execute(
                statement("users/unlink", package="administration"),
                {"cognito_user_ids": list(gone)},
            )
        for sub in set(pool) - linked:
            attributes, status = pool[sub]
            if status != "CONFIRMED":
                continue
            profile = {
                "cognito_user_id": sub,
                "handle": attributes["preferred_username"],
                "display_name": attributes["name"],
                "email": attributes["email"],
            }
            try:
                perform(connection, {"action": "register", **profile})
            except OperationError as error:
                yield f"{attributes['email']} cannot be registered: {error}"
    if gone:
        yield f"{quantity(len(gone), 'user')} had lost the sign-in: they can sign up again"
