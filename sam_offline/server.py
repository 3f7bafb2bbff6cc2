"""HTTP from this process: uvicorn serves a plain function, each call of it in a thread."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from sam_offline.access import AccessPolicy
from sam_offline.console import say

__all__ = [
    "MAX_MESSAGE",
    "FileAnswer",
    "Handler",
    "HttpServer",
    "SocketHandler",
    "message",
    "too_large",
    "too_late",
]

_THREADS = 64
_MAX_BODY = 10 * 1024 * 1024
# The largest message of a WebSocket, in either direction.
MAX_MESSAGE = 128 * 1024
_GOODBYE_SECONDS = 2

Handler = Callable[[Request, bytes], Response]
SocketHandler = Callable[[WebSocket], Awaitable[None]]


class FileAnswer(Response):
    """A file. A page has dozens, each of which would hide in the log what the API was asked."""


def message(status: int, text: str, **headers: str) -> Response:
    """Return an answer of API Gateway itself."""
    return JSONResponse({"message": text}, status, headers)


def too_large() -> Response:
    """Return the gateway's answer to a body over its limit."""
    return message(413, "Request Entity Too Large")


def too_late() -> Response:
    """Return the gateway's answer when a function takes too long."""
    return message(503, "Service Unavailable")


class HttpServer:
    """Serves a handler on bound sockets, from a thread of its own, until `stop`.

    The handler gets requests that `access` lets in, with a body of at most 10 MB. A caller gets 503
    after `limit` seconds. `sockets` serves WebSockets; one that sends a message of more than 128 KB
    is closed.
    """

    def __init__(
        self,
        handler: Handler,
        *listeners: socket.socket,
        access: AccessPolicy,
        limit: float | None,
        log: Callable[[str], None] | None = None,
        sockets: SocketHandler | None = None,
    ) -> None:
        self._handler = handler
        self._access = access
        self._limit = limit
        self._log = log
        self._sockets = sockets
        self._executor = ThreadPoolExecutor(_THREADS)
        config = uvicorn.Config(
            self._serve,
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=_GOODBYE_SECONDS,
            ws=_Sockets if sockets else "none",
            ws_max_size=MAX_MESSAGE,
            ws_ping_interval=None,  # the gateway sends none
            ws_per_message_deflate=False,
        )
        logging.getLogger("uvicorn.error").addFilter(_is_ours_to_mend)
        self._server = uvicorn.Server(config)
        self._listeners = listeners
        # In the main thread uvicorn would handle the signals.
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
        if scope["type"] == "websocket":
            await self._serve_socket(WebSocket(scope, receive, send))
            return
        started = time.monotonic()
        try:
            response = await self._answer(Request(scope, receive))
        except ClientDisconnect:  # in the middle of its body
            return
        await response(scope, receive, send)
        if self._log and not isinstance(response, FileAnswer):
            took = (time.monotonic() - started) * 1000
            self._log(f"{scope['method']} {scope['path']} {response.status_code} {took:.0f} ms")

    async def _serve_socket(self, socket: WebSocket) -> None:
        headers = socket.headers
        if refusal := self._access.refusal(headers.get("host"), headers.get("origin")):
            await socket.send_denial_response(message(403, refusal))
        elif self._sockets:
            await self._sockets(socket)

    async def _answer(self, request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY:
                return too_large()
        headers = request.headers
        if refusal := self._access.refusal(headers.get("host"), headers.get("origin")):
            return message(403, refusal)
        loop = asyncio.get_running_loop()
        call = loop.run_in_executor(self._executor, self._handler, request, bytes(body))
        try:
            return await asyncio.wait_for(call, self._limit)
        except TimeoutError:
            return too_late()
        except Exception as error:  # noqa: BLE001 - a caller gets an answer whatever happens
            say(f"local: {request.method} {request.scope['path']} failed: {error!r}")
            return message(500, "Internal Server Error")


class _Sockets(WebSocketsSansIOProtocol):
    """Also answers a handshake that cannot be read, such as one with a header of 9 KB.

    uvicorn leaves who sent it waiting.
    """

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc and not self.handshake_initiated:
            refusal = self.conn.reject(HTTPStatus.BAD_REQUEST, str(self.conn.handshake_exc))
            self.transport.write(refusal.serialize())
            self.transport.close()


def _is_ours_to_mend(record: logging.LogRecord) -> bool:
    """Tell whether an error that uvicorn logs is one of this program.

    None is: a WebSocket that is refused or sends other bytes than UTF-8, and a request that a stop
    has cut off.
    """
    if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
        return False
    return not record.msg.startswith(("ASGI callable returned without", "Invalid UTF-8"))
