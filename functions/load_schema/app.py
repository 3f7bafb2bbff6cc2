"""Apply the schema, and do what operators ask for, inside the VPC.

Invoked by ``provide_schema`` when a stack is deployed, and by the operator commands with ``prod``:
it is the way to a private database. The event may have ``username`` and ``password`` of the
database's owner; without them the function signs in by its own settings. ``action`` names one of
`directory.operations`; without it the schema is loaded.
"""

import os
from typing import Any

import psycopg2
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from directory.config import DatabaseSettings, verified
from directory.operations import OperationError, perform

logger = Logger()

CONNECT_SECONDS = 5


def lambda_handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Return what the operation gives, or ``error``, a sentence for whoever named an action."""
    settings = DatabaseSettings.from_environment(os.environ)
    arguments = settings.connection_arguments()
    if "password" in event:
        arguments = verified(settings.url) | {
            "user": event["username"],
            "password": event["password"],
        }
    connection = psycopg2.connect(**arguments, connect_timeout=CONNECT_SECONDS)
    try:
        result = perform(connection, {"action": "schema-load"} | event)
    except OperationError as error:
        if "action" not in event:
            raise
        return {"error": str(error)}
    finally:
        connection.close()
    done = {"action": event.get("action", "schema-load"), "applied": result.get("applied")}
    logger.info("done", extra=done)
    return result
