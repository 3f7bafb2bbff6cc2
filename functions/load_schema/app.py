"""Apply the schema and its migrations, inside the VPC.

Invoked by ``provide_schema`` when a stack is deployed, and by an operator. The event may have
``username`` and ``password`` of the database's owner; without them the function signs in by its
own settings.
"""

import os
from typing import Any

import psycopg2
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from directory.app_user import create_app_user
from directory.config import DatabaseSettings, verified
from directory.schema import migrate

logger = Logger()

CONNECT_SECONDS = 5


def lambda_handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Return the names of the migrations that were applied."""
    settings = DatabaseSettings.from_environment(os.environ)
    arguments = settings.connection_arguments()
    if "password" in event:
        arguments = verified(settings.url) | {
            "user": event["username"],
            "password": event["password"],
        }
    connection = psycopg2.connect(**arguments, connect_timeout=CONNECT_SECONDS)
    try:
        applied = migrate(connection)
        create_app_user(connection)
    finally:
        connection.close()
    logger.info("schema is loaded", extra={"applied": applied})
    return {"applied": applied}
