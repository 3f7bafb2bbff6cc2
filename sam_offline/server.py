"""HTTP in threads: plain functions from request to answer, served by uvicorn in this process."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus

import uvicorn
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response as StarletteResponse
from starlette.types import Receive, Scope, Send

from sam_offline.console import say
from sam_offline.doors import Door

__all__ = ["Answer", "Handler", "HttpServer", "Request"]

_THREADS = 64
_MAX_BODY = 10 * 1024 * 1024
_GOODBYE_SECONDS = 2


@dataclass(frozen=True, kw_only=True)
class Request:
    """One HTTP request; `path` still percent-encoded, header names lower-case, repeats kept."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    source_ip: str = "127.0.0.1"
    protocol: str = "HTTP/1.1"

    def header(self, name: str) -> str | None:
        """All values of a header joined by commas, None when it is absent."""
        values = [value for key, value in self.headers if key == name]
        return ",".join(values) if values else None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One HTTP response."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def json(cls, status: int, text: str, *headers: tuple[str, str]) -> "Answer":
        """A JSON text with its content type."""
        return cls(
            status=status,
            body=text.encode(),
            headers=[("content-type", "application/json"), *headers],
        )


Handler = Callable[[Request], Answer]


class HttpServer:
    """Serves a handler on bound sockets from its own thread until `stop`.

    Only whom `door` lets in gets to the handler. After `limit` seconds a caller gets `too_late`;
    a body over 10 MB gets `too_large`.
    """

    def __init__(
        self,
        handler: Handler,
        *listeners: socket.socket,
        door: Door,
        limit: float | None,
        too_late: Answer,
        too_large: Answer,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self._handler = handler
        self._door = door
        self._limit = limit
        self._too_late = too_late
        self._too_large = too_large
        self._log = log
        self._executor = ThreadPoolExecutor(_THREADS)
        config = uvicorn.Config(
            self._serve,
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=_GOODBYE_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._listeners = listeners
        # Not the main thread: there uvicorn would take the signals.
        self._thread = threading.Thread(
            target=self._server.run, args=(list(listeners),), daemon=True
        )

    def start(self) -> None:
        """Return when connections are accepted."""
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.005)

    def stop(self) -> None:
        """Let requests under way end for two seconds, then drop them."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_GOODBYE_SECONDS + 3)
        self._executor.shutdown(wait=False, cancel_futures=True)
        for listener in self._listeners:
            listener.close()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        incoming = StarletteRequest(scope, receive)
        answer = await self._answer(incoming, scope)
        response = StarletteResponse(answer.body, answer.status)
        response.raw_headers = [
            *((name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers),
            *(
                []
                if answer.status == HTTPStatus.NO_CONTENT
                else [(b"content-length", b"%d" % len(answer.body))]
            ),
        ]
        await response(scope, receive, send)
        if self._log:
            took = (time.monotonic() - started) * 1000
            self._log(f"{scope['method']} {scope['path']} {answer.status} {took:.0f} ms")

    async def _answer(self, incoming: StarletteRequest, scope: Scope) -> Answer:
        body = bytearray()
        async for chunk in incoming.stream():
            body += chunk
            if len(body) > _MAX_BODY:
                return self._too_large
        request = Request(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=[(k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"]],
            body=bytes(body),
            source_ip=incoming.client.host if incoming.client else "127.0.0.1",
            protocol=f"HTTP/{scope['http_version']}",
        )
        if refusal := self._door.refusal(request.header("host"), request.header("origin")):
            return Answer.json(403, json.dumps({"message": refusal}))
        call = asyncio.get_running_loop().run_in_executor(self._executor, self._handler, request)
        try:
            return await asyncio.wait_for(call, self._limit)
        except TimeoutError:
            return self._too_late
        except Exception as error:  # noqa: BLE001 - a caller gets an answer whatever happens
            say(f"local: {request.method} {request.path} failed: {error!r}")
            return Answer.json(500, '{"message":"Internal Server Error"}')
