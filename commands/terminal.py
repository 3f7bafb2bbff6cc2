"""The terminal: errors as one sentence, progress bars, and text that is safe to show."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import typer
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
)
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from administration.operations import OperationError
from commands.errors import CommandError
from runtime.errors import TryAgainError
from sam_offline.errors import OfflineError
from seed.writing import SeedError

FAILURE = 1
INTERRUPTED = 130

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException"})
_EXPIRED |= {"InvalidClientTokenId", "RequestExpired"}


@contextmanager
def reported_errors(*, on_aws: bool) -> Iterator[None]:
    """Report an error as one sentence, with exit status 1.

    `on_aws` tells whether AWS or the local cloud has refused or not answered.
    """
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
    except (
        CommandError,
        OfflineError,
        OperationError,
        SeedError,
        TryAgainError,
        BotoCoreError,
        ClientError,
        psycopg2.Error,
    ) as error:
        note(_sentence(error) or (_of_aws(error) if on_aws else _of_local(error)))
        raise typer.Exit(FAILURE) from error
    except KeyboardInterrupt:
        note("Interrupted: run the command again.")
        raise typer.Exit(INTERRUPTED) from None


def _sentence(error: Exception) -> str | None:
    """Return the sentence for an error that is the same locally and on AWS; None for others."""
    match error:
        case CommandError() | OfflineError() | OperationError() | SeedError():
            return str(error)
        case TryAgainError():
            return "The table does not answer for now: run the command again."
        case psycopg2.Error():
            return f"The database refuses: {_first_line(error)}"
    return None


def _of_aws(error: Exception) -> str:
    match error:
        case NoCredentialsError():
            return "There are no AWS credentials: sign in, or set AWS_PROFILE."
        case EndpointConnectionError():
            return f"{error} Check AWS_REGION and the network."
        case HTTPClientError():
            return f"AWS does not answer: {_first_line(error)}"
        case ClientError() if error.response["Error"]["Code"] in _EXPIRED:
            return "The AWS credentials are not valid, or expired: sign in again."
    if what := _missing(error):
        return f"There is no such {what}: deploy the stack again."
    return f"AWS refuses: {_first_line(error)}"


def _of_local(error: Exception) -> str:
    match error:
        case HTTPClientError() | EndpointConnectionError():
            return "The local cloud does not answer: see what `make run` says, or start it again."
    match _missing(error):
        case "table":
            return "There is no such table: run bin/ddb/schema-load."
        case str(what):
            return f"There is no such {what}: start the local cloud again."
    return f"The local cloud refuses: {_first_line(error)}"


def _missing(error: Exception) -> str | None:
    """Return what does not exist, if that is why AWS or the local cloud refuses."""
    if not isinstance(error, ClientError):
        return None
    if error.response["Error"]["Code"] != "ResourceNotFoundException":
        return None
    match error.operation_name:
        case "Invoke":
            return "function administer_directory"
        case "GetSecretValue":
            return "secret of the database's owner"
        case name if name.startswith(("ListUsers", "Admin", "InitiateAuth")):
            return "user pool"
    return "table"


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
        # Printed lines go above the bar, unless they go to a file or a pipe.
        redirect_stdout=sys.stdout.isatty(),
    ) as progress:
        yield progress


def note(text: str) -> None:
    """Print a line on stderr: what is no result, and what went wrong."""
    typer.echo(plain(text), err=True)


def plain(value: Any) -> str:
    """Return a value as one line of text, without control characters for the terminal."""
    text = "" if value is None else str(value)
    return "".join(letter if letter.isprintable() else " " for letter in text)
