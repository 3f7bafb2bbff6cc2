"""Load the schema, and do what operators ask for: the way to a private database.

Invoked by ``provide_schema`` when a stack is deployed, and by the operator commands on AWS.
The function has no database user of its own, so that invoking it alone changes nothing: the event
has ``username`` and ``password`` of the database's owner. Locally the URL has them. ``action``
names one of `administration.operations`; without it the schema is loaded. The ping does nothing.
"""

import os
from contextlib import closing
from typing import Any

import psycopg2
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from administration.operations import OperationError, perform
from directory.config import DatabaseSettings
from runtime.errors import MissingSettingError
from runtime.ping import is_ping

logger = Logger()

CONNECT_SECONDS = 5


def lambda_handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Return what the operation gives, or {"error": a sentence for the operator}."""
    if is_ping(event):
        return {}
    settings = DatabaseSettings.from_environment(os.environ)
    try:
        arguments = settings.arguments_of_owner(event)
        connection = psycopg2.connect(**arguments, connect_timeout=CONNECT_SECONDS)
        with closing(connection):
            result = perform(connection, {"action": "schema-load"} | event)
    except (MissingSettingError, OperationError) as error:
        if "action" not in event:
            raise
        return {"error": str(error)}
    done = {"action": event.get("action", "schema-load"), "applied": result.get("applied")}
    logger.info("done", extra=done)
    return result
