"""What every command does on a terminal: report errors in a sentence, ask, show progress."""

import functools
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import typer
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
)
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cruddur.errors import CommandError
from directory.operations import OperationError
from local.errors import LocalError
from messaging.errors import TryAgainError

FAILURE = 1
INTERRUPTED = 130

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException"})
_EXPIRED |= {"InvalidClientTokenId", "RequestExpired"}

# What is missing when an operation of AWS says that a resource is not there.
_MISSING = {
    "Invoke": "the schema function: deploy the stack again",
    "GetSecretValue": "the secret of the database's owner",
}
_MISSING_TABLE = "such table: run bin/ddb/schema-load"
_MISSING_POOL = "such user pool: start the local cloud again, or deploy the stack"
_COGNITO = ("List", "Admin", "InitiateAuth")


def reports_errors[**Parameters](
    command: Callable[Parameters, None],
) -> Callable[Parameters, None]:
    """Make a command end with one sentence and exit status 1 where it cannot do its work."""

    @functools.wraps(command)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
                signal.signal(signal.SIGINT, signal.default_int_handler)
            command(*args, **kwargs)
        except (
            CommandError,
            LocalError,
            OperationError,
            TryAgainError,
            BotoCoreError,
            ClientError,
            psycopg2.Error,
        ) as error:
            typer.echo(_sentence(error), err=True)
            raise typer.Exit(FAILURE) from error
        except KeyboardInterrupt:
            typer.echo("Interrupted: run the command again.", err=True)
            raise typer.Exit(INTERRUPTED) from None

    return wrapper


def _sentence(error: Exception) -> str:  # noqa: PLR0911  # one for each kind
    match error:
        case CommandError() | LocalError() | OperationError():
            return str(error)
        case TryAgainError():
            return "The table does not answer for now: run the command again."
        case NoCredentialsError():
            return "There are no AWS credentials: sign in, or set AWS_PROFILE."
        case EndpointConnectionError():
            return f"{error} Is AWS_REGION a region, and the network there?"
        case ClientError() if error.response["Error"]["Code"] in _EXPIRED:
            return "The AWS credentials are not valid, or expired: sign in again."
        case ClientError() if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return f"There is no {_missing(error.operation_name)}."
        case psycopg2.Error():
            return f"The database refuses: {_first_line(error)}"
        case _:
            return f"AWS refuses: {_first_line(error)}"


def _missing(operation: str) -> str:
    if operation.startswith(_COGNITO) and operation != "ListTables":
        return _MISSING_POOL
    return _MISSING.get(operation, _MISSING_TABLE)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Progress]:
    """Show progress on stderr, where that is a terminal."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
        transient=True,
        # Lines go above the bar; but those for a file or a pipe stay what they are.
        redirect_stdout=sys.stdout.isatty(),
    ) as progress:
        yield progress


def plain(value: Any) -> str:
    """Return a value as one line of text that cannot steer the terminal it is shown on."""
    text = "" if value is None else str(value)
    return "".join(letter if letter.isprintable() else " " for letter in text)
