"""``bin/live HANDLE``: prints a line for each hint that a user gets, until Ctrl-C."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from commands.cognito.token import Handle, Password, ask_password, token_of
from commands.command import Run
from commands.errors import CommandError
from commands.terminal import note
from cruddur_client import ApiError, Client, Hint


def live(run: Run, handle: Handle, *, password: Password = "") -> None:
    """Print a line for each hint that a user gets: something has changed.

    It connects again whenever the connection ends, until Ctrl-C. It ends by itself only when the
    same user has opened so many newer connections that this one is closed.
    """
    password = password or ask_password(run)
    client = Client(
        lambda: _for_now(lambda: run.target.output("ApiUrl")),
        lambda: _for_now(lambda: token_of(run, handle, password)),
        attempts=1,  # so that the reason of a failure is shown at once
        trust_env=run.target.on_aws,
    )
    with suppress(KeyboardInterrupt), client:
        try:
            _show(run, handle, client.hints())
        except ApiError as error:
            raise CommandError(f"The API refuses: {error}") from error
        raise CommandError("Replaced by a newer connection of the same user.")


def _show(run: Run, handle: str, hints: Iterator[Hint]) -> None:
    """Print hints until there are no more."""
    on_aws = run.target.on_aws
    was_connected = False
    for hint in hints:
        if hint.type == "connected":
            note(f"Connected as {handle}; Ctrl-C ends.")
            was_connected = True
        elif hint.type != "disconnected":
            fields = _fields(hint)
            run.output.line(" ".join(fields.values()), fields)
        elif was_connected:
            note(f"Not connected: {hint.reason}")
            if not on_aws:  # a local cloud that was started again has other addresses
                run.look_again()
        else:
            raise CommandError(f"Not connected: {hint.reason}")


def _fields(hint: Hint) -> dict[str, str]:
    """Return the fields of a hint that the API has sent."""
    return {
        name: value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value
        for name, value in asdict(hint).items()
        if value is not None
    }


def _for_now(ask: Callable[[], str]) -> str:
    """Return what `ask` returns. Its errors count as temporary: a local cloud may start again."""
    try:
        return ask()
    except (BotoCoreError, ClientError, CommandError) as error:
        raise OSError(str(error)) from error
