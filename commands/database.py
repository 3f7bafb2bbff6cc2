"""The directory's database: directly on this machine, and through a function on AWS."""

import ipaddress
import json
from typing import Any
from urllib.parse import urlsplit

import psycopg2
from botocore.config import Config

from administration.operations import Values
from administration.operations import perform as perform_here
from commands.errors import CommandError
from commands.targets import Target

CONNECT_SECONDS = 5
# The function's own timeout is 60 s. A call without an answer is not repeated, since the function
# may have done its work.
_INVOCATION = Config(read_timeout=65, retries={"total_max_attempts": 1})


def perform(target: Target, action: str, **values: Any) -> Values:
    """Carry out one of `administration.operations` on the target's database.

    Raises
    ------
    OperationError
        The database is local, and the operation cannot be done.
    CommandError
        The same on AWS, or the function failed.
    """
    event = {"action": action, **values}
    result = _perform_there(target, event) if target.on_aws else _perform_here(target, event)
    if target.watch:
        target.watch(action, result)
    return result


def _perform_here(target: Target, event: Values) -> Values:
    connection = connect(target.output("DatabaseUrl"))
    try:
        return perform_here(connection, event)
    finally:
        connection.close()


class NoDatabaseError(CommandError):
    """The server has no such database."""


def connect(url: str) -> Any:
    """Return a connection with a database.

    Raises
    ------
    NoDatabaseError
        The server has no database of that name.
    CommandError
        The server does not answer.
    """
    try:
        return psycopg2.connect(url, connect_timeout=CONNECT_SECONDS, application_name="cruddur")
    except psycopg2.OperationalError as error:
        text = str(error).strip().splitlines()[-1]
        if "does not exist" in text:
            raise NoDatabaseError(
                "There is no database: run bin/db/create, or bin/db/setup for all of it."
            ) from error
        raise CommandError(f"The database does not answer: {text}") from error


def is_of_this_machine(url: str) -> bool:
    """Return whether a database runs on this machine, where nobody else uses it."""
    host = urlsplit(url).hostname
    if host in {None, "localhost"}:
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False


def owner(target: Target) -> dict[str, str]:
    """Return username and password of a stack's database owner; nothing where it made none."""
    arn = target.outputs.get("DatabaseSecretArn")
    if not arn:
        return {}
    answer = target.client("secretsmanager").get_secret_value(SecretId=arn)
    secret = json.loads(answer["SecretString"])
    return {"username": secret["username"], "password": secret["password"]}


def _perform_there(target: Target, event: Values) -> Values:
    name = target.output("AdministerDirectoryFunction")
    answer = target.client("lambda", _INVOCATION).invoke(
        FunctionName=name, Payload=json.dumps(event | owner(target)).encode()
    )
    result: Values = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        kind = result.get("errorType", "an error")
        raise CommandError(f"The function {name} failed with {kind}: see its log.")
    if "error" in result:
        raise CommandError(str(result["error"]))
    return result
