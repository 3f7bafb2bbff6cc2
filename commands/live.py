"""``bin/live HANDLE``: prints a line for each hint that a user gets, until Ctrl-C."""

import json
import random
import time
from contextlib import suppress
from typing import Any, Literal

import httpx
import typer
from botocore.exceptions import BotoCoreError, ClientError
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from commands.cognito.token import Handle, Password, ask_password, token_of
from commands.command import Run
from commands.errors import CommandError

# The gateway closes a connection after ten minutes in which nothing was sent.
PING_SECONDS = 300.0
PONG_SECONDS = 10.0
PING = json.dumps({"type": "ping"})

# As long as the gateway waits for a function, which may have to start.
ANSWER_SECONDS = 30.0

# Before a new attempt, at most: doubled each time, up to the second.
PAUSE_SECONDS = (1.0, 30.0)

# Why there is no connection, for now: while a local cloud starts it may refuse anything.
_REASONS = (
    BotoCoreError,
    ClientError,
    CommandError,
    OSError,
    WebSocketException,
    httpx.HTTPError,
)


def live(run: Run, handle: Handle, *, password: Password = "") -> None:
    """Print a line for each hint that a user gets: something has changed.

    It connects again whenever the connection ends, until Ctrl-C. It ends by itself only if the same
    user opens so many other connections that this one has to make room.
    """
    password = password or ask_password(run)
    with suppress(KeyboardInterrupt):
        _stay_connected(run, handle, password)
        raise CommandError("Replaced by a newer connection of the same user.")


def _stay_connected(run: Run, handle: str, password: str) -> None:
    """Print hints of one connection after another, until one is replaced."""
    on_aws = run.target.on_aws
    pause, longest = PAUSE_SECONDS
    was_connected = False
    while True:
        try:
            socket = _connect(run, handle, password)
        except _REASONS as error:
            if not was_connected:
                raise CommandError(f"Not connected: {error}") from error
            typer.echo(f"Not connected: {str(error) or type(error).__name__}", err=True)
        else:
            typer.echo(f"Connected as {handle}; Ctrl-C ends.", err=True)
            was_connected, pause = True, PAUSE_SECONDS[0]
            with socket:
                if _listen(run, socket):
                    return
        time.sleep(random.uniform(0, pause))  # noqa: S311  # jitter
        pause = min(2 * pause, longest)
        if not on_aws:  # another local cloud may run by now
            run.look_again()


def _connect(run: Run, handle: str, password: str) -> ClientConnection:
    token = token_of(run, handle, password)
    answer = httpx.post(
        f"{run.target.output('ApiUrl')}/api/live",
        headers={"Authorization": f"Bearer {token}"},
        timeout=ANSWER_SECONDS,
        trust_env=run.target.on_aws,
    )
    if answer.is_client_error:
        raise CommandError(f"The API refuses: {answer.text}")
    found: dict[str, Any] = answer.raise_for_status().json()
    proxy: Literal[True] | None = True if run.target.on_aws else None
    url = f"{found['url']}?ticket={found['ticket']}"
    return connect(url, proxy=proxy, open_timeout=ANSWER_SECONDS)


def _listen(run: Run, socket: ClientConnection) -> bool:
    """Print hints until the connection ends; tell whether another one has replaced it."""
    wait = PING_SECONDS
    with suppress(ConnectionClosed):
        while True:
            try:
                hint = json.loads(socket.recv(timeout=wait))
            except TimeoutError:
                if wait == PONG_SECONDS:
                    break
                socket.send(PING)
                wait = PONG_SECONDS
                continue
            wait = PING_SECONDS
            match hint:
                case {"type": "pong"}:
                    continue
                case {"type": "closing", "reason": "replaced"}:
                    return True
            run.output.line(" ".join(map(str, hint.values())), hint)
    return False
