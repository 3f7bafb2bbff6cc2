"""What every command does on a terminal: report errors in a sentence, ask, show progress."""

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cruddur.targets import Target, TargetError
from messaging.errors import TryAgainError

FAILURE = 1
INTERRUPTED = 130

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException"})


def reports_errors[**Parameters](
    command: Callable[Parameters, None],
) -> Callable[Parameters, None]:
    """Make a command end with one sentence and exit status 1 where it cannot do its work."""

    @functools.wraps(command)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (TargetError, TryAgainError, BotoCoreError, ClientError) as error:
            typer.echo(_sentence(error), err=True)
            raise typer.Exit(FAILURE) from error

    return wrapper


def _sentence(error: Exception) -> str:
    match error:
        case TargetError():
            return str(error)
        case TryAgainError():
            return "The table does not answer for now: run the command again."
        case NoCredentialsError():
            return "There are no AWS credentials: sign in, or set AWS_PROFILE."
        case ClientError() if error.response["Error"]["Code"] in _EXPIRED:
            return "The AWS credentials are not valid, or expired: sign in again."
        case _:
            return f"AWS refuses: {error}"


def confirm_change(target: Target, *, yes: bool) -> None:
    """Say what a command is about to change, and ask; never for the local cloud.

    Raises
    ------
    typer.Abort
        The answer is no, or there is nobody to ask.
    """
    if target.is_prod:
        typer.echo(target.name, err=True)
        if not yes:
            typer.confirm("Go on?", abort=True, err=True)


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
