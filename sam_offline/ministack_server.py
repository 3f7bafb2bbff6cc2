"""The AWS engine's process: ministack in its own Python, with four additions.

- It saves its data while it runs. Ministack saves at an orderly end only, so that everything would
  be lost when it is killed. As Redis does, it forks: the data of the fork do not change meanwhile.
- It refuses web pages and foreign names of this machine, and all but GET on ministack's own paths,
  which need no signature: `POST /_ministack/reset` would remove everything.
- It makes one call of Cognito at a time. Ministack's threads fail when one of them adds a user
  while another one goes through the users.
- It ends when its standard input is closed, whose other end the local cloud holds.
"""

import asyncio
import os
import signal
import sys
import threading
import time
import warnings
from contextlib import suppress
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
from ministack.core.persistence import save_all
from ministack.services import cloudformation, cognito, dynamodb, sqs

from sam_offline.access import AccessPolicy, is_engine_path

_SAVED = {
    service.__name__.rpartition(".")[2]: service.get_state
    for service in (cloudformation, cognito, dynamodb, sqs)
}
_HUNG_SECONDS = 600
# The pause between two savings: this long, or this many times as long as the last one took.
_PAUSE_SECONDS = 2.0
_PAUSE_FACTOR = 4
_READS = ("BatchGet", "Describe", "Get", "List", "Query", "Receive", "Scan", "TransactGet")


class _Engine:
    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()
        self._changed = asyncio.Event()
        self._saving: int | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            saver = asyncio.create_task(self._save_while_it_runs())
            await app(scope, self._stopping_first(receive, saver), send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        refused = AccessPolicy().refusal(headers.get("host"), headers.get("origin"))
        if refused or (is_engine_path(scope["path"]) and scope["method"] != "GET"):
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": (refused or "").encode()})
            return
        service, _, action = headers.get("x-amz-target", "").partition(".")
        if service == "AWSCognitoIdentityProviderService":
            async with self._one_at_a_time:
                await app(scope, receive, send)
        else:
            await app(scope, receive, send)
        if not action.startswith(_READS):
            self._changed.set()

    async def _save_while_it_runs(self) -> None:
        while True:
            await self._changed.wait()
            await _stacks_at_rest()
            self._changed.clear()
            began = time.monotonic()
            # Then no call of Cognito is half done, nor another one, since those run in this thread.
            async with self._one_at_a_time:
                self._saving = os.fork()
            if self._saving == 0:
                _save_and_exit()
            await asyncio.to_thread(os.waitpid, self._saving, 0)
            self._saving = None
            await asyncio.sleep(max(_PAUSE_SECONDS, _PAUSE_FACTOR * (time.monotonic() - began)))

    def _stopping_first(self, receive: Any, saver: "asyncio.Task[None]") -> Any:
        """Wrap `receive`, so that no saving goes on when ministack saves at the end."""

        async def next_event() -> Any:
            event = await receive()
            if event["type"] == "lifespan.shutdown":
                await _stacks_at_rest()
                saver.cancel()
                if self._saving:
                    os.kill(self._saving, signal.SIGKILL)
                    with suppress(ChildProcessError):  # `_save_while_it_runs` has waited for it
                        os.waitpid(self._saving, 0)
            return event

        return next_event


async def _stacks_at_rest() -> None:
    """Wait until no stack is being made or updated: such a stack, once saved, could not go on."""
    while any(
        stack["StackStatus"].endswith("_IN_PROGRESS")
        for stack in list(cloudformation._stacks._data.values())
    ):
        await asyncio.sleep(0.05)


def _save_and_exit() -> None:
    try:
        os.nice(10)
        save_all(_SAVED)
    finally:
        os._exit(0)


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    signal.alarm(_HUNG_SECONDS)  # ends the process if it hangs
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Serve until the input ends, then save."""
    # Its threads are idle when it forks.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded")
    threading.Thread(target=_end_with_input, daemon=True).start()
    config = Config()
    config.bind = [f"{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = 75
    config.loglevel = os.environ["LOG_LEVEL"]
    asyncio.run(serve(_Engine(), config))


if __name__ == "__main__":
    main()
