"""Fills the stores: schema, seed, and with KEEP=1 the repair of what a killed run has left."""

from datetime import UTC, datetime

import psycopg2
from botocore.exceptions import BotoCoreError, ClientError

from administration.operations import perform_at
from commands.repair import repair_lists, repair_users
from sam_offline.app import Offline
from sam_offline.console import say
from sam_offline.errors import OfflineError
from seed.writing import SeedError, write_examples

__all__ = ["fill"]


def fill(app: Offline, database_url: str, *, repairs: bool) -> None:
    """Load the schema and the seed, and repair what was kept; OfflineError if that fails."""
    # Sign-ins are made at the address for clients, so that the pool's triggers are called.
    dynamodb, cognito = app.client("dynamodb"), app.client("cognito-idp")
    table_name, pool_id = app.outputs["TableName"], app.outputs["UserPoolId"]
    try:
        perform_at(database_url, {"action": "migrate"})
        say("local: the schema is loaded")
        if repairs:
            for repair in (
                repair_users(cognito, pool_id, database_url),
                repair_lists(dynamodb, table_name),
            ):
                for sentence in repair:
                    say(f"local: {sentence}")
        write_examples(
            dynamodb=dynamodb,
            cognito=cognito,
            table_name=table_name,
            user_pool_id=pool_id,
            database_url=database_url,
            now=datetime.now(UTC),
        )
    except (psycopg2.Error, BotoCoreError, ClientError, SeedError) as error:
        raise OfflineError(f"Schema or seed cannot be loaded: {str(error).strip()}") from error
    say("local: users, sign-ins and conversations of the seed are there")
