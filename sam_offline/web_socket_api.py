"""The WebSocket API: connections, their routes, and the address where functions reach clients.

Clients connect to `ws://…/STAGE`. Functions send to them at `http://…/STAGE/@connections/ID`, by
boto3's client `apigatewaymanagementapi`. A function gets the event of a Lambda proxy integration;
its answer matters for `$connect` only.
"""

import asyncio
import base64
import json
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from sam_offline.functions import Result
from sam_offline.ministack import CREDENTIALS
from sam_offline.server import MAX_MESSAGE, Handler, message, too_large
from sam_offline.stack import WebSocket as Settings
from sam_offline.template import ACCOUNT

__all__ = ["WebSocketApi"]

# The gateway's own limits.
_IDLE_SECONDS = 600.0
_LIFETIME_SECONDS = 7200.0

# How long a function waits for a client that does not read.
_UNREAD_SECONDS = 0.2

_GOING_AWAY = 1001
_LOST = 1006
_SERVER_STOPS = 1012
_ERRORS = {
    HTTPStatus.GONE: "GoneException",
    HTTPStatus.TOO_MANY_REQUESTS: "LimitExceededException",
}
_SIGNED = f"AWS4-HMAC-SHA256 Credential={CREDENTIALS['AWS_ACCESS_KEY_ID']}/"


@dataclass(kw_only=True)
class _Connection:
    socket: WebSocket
    id: str = field(default_factory=lambda: f"{secrets.token_urlsafe(11)}=")
    connected_at: float = field(default_factory=time.time)
    active_at: float = field(default_factory=time.time)
    idle: asyncio.Timeout | None = None

    def touch(self, idle_seconds: float) -> None:
        """Start the time that the connection may be idle again."""
        self.active_at = time.time()
        if self.idle and not self.idle.expired():
            self.idle.reschedule(asyncio.get_running_loop().time() + idle_seconds)


class WebSocketApi:
    """The connections of a WebSocket API; `invoke` calls a function by name with an event."""

    def __init__(
        self,
        settings: Settings,
        *,
        invoke: Callable[[str, Any], Result],
        idle_seconds: float = _IDLE_SECONDS,
    ) -> None:
        self._settings = settings
        self._invoke = invoke
        self._idle_seconds = idle_seconds
        self._open: dict[str, _Connection] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, socket: WebSocket) -> None:
        """Serve a connection from its handshake to its end."""
        self._loop = asyncio.get_running_loop()
        connection = _Connection(socket=socket)
        status = await self._let_in(connection)
        if not 200 <= status < 300:  # noqa: PLR2004 - 2xx
            await socket.send_denial_response(Response(status_code=status))
            return
        is_open = await self._finish(socket.accept()) == HTTPStatus.OK
        code = await self._listen(connection) if is_open else _LOST
        if code != _SERVER_STOPS:
            more = {"disconnectStatusCode": code, "disconnectReason": ""}
            # Not awaited: the gateway does not wait for it either.
            self._call("$disconnect", connection, "DISCONNECT", more)

    def before(self, otherwise: Handler | None) -> Handler:
        """Return a handler of `@connections`; `otherwise` handles all other requests."""
        prefix = f"/{self._settings.stage}/@connections/"

        def answer(request: Request, body: bytes) -> Response:
            path: str = request.scope["path"]
            if path.startswith(prefix):
                if len(body) > MAX_MESSAGE:
                    return too_large()
                return self._manage(request, path.removeprefix(prefix), body)
            return otherwise(request, body) if otherwise else message(404, "Not Found")

        return answer

    async def _let_in(self, connection: _Connection) -> int:
        if connection.socket.scope["path"] != f"/{self._settings.stage}":
            return HTTPStatus.FORBIDDEN
        query = dict(connection.socket.query_params)
        parts = {"queryStringParameters": query} if query else {}
        parts["headers"] = dict(connection.socket.headers)
        result = await self._call("$connect", connection, "CONNECT", {}, **parts)
        if result is None:
            return HTTPStatus.OK
        try:
            return HTTPStatus.BAD_GATEWAY if result.failed else int(result.payload["statusCode"])
        except (KeyError, TypeError, ValueError):  # the payload is no answer
            return HTTPStatus.BAD_GATEWAY

    async def _listen(self, connection: _Connection) -> int:
        """Take the client's messages until the connection ends; return the code of its end."""
        self._open[connection.id] = connection
        try:
            async with asyncio.timeout(_LIFETIME_SECONDS):
                async with asyncio.timeout(self._idle_seconds) as connection.idle:
                    while True:
                        await self._receive(connection)
        except WebSocketDisconnect as end:
            return end.code
        except TimeoutError:
            await self._finish(connection.socket.close(_GOING_AWAY, "Going away"))
            return _GOING_AWAY
        finally:
            del self._open[connection.id]

    async def _receive(self, connection: _Connection) -> None:
        message = await connection.socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        connection.touch(self._idle_seconds)
        binary = message.get("bytes")
        body = message.get("text") or base64.b64encode(binary or b"").decode()
        route = self._route_of(body)
        request_id = str(uuid.uuid4())
        more = {"messageId": request_id}
        encoded = binary is not None
        result = await self._call(
            route, connection, "MESSAGE", more, body=body, isBase64Encoded=encoded
        )
        if result is None or result.failed:
            text = "Forbidden" if result is None else "Internal server error"
            names = {"message": text, "connectionId": connection.id, "requestId": request_id}
            await self._finish(connection.socket.send_text(json.dumps(names)))

    def _route_of(self, body: str) -> str:
        try:
            key = json.loads(body)[self._settings.selected_by]
        except (ValueError, TypeError, KeyError, RecursionError):
            return "$default"
        # Only the gateway itself calls routes that begin with a dollar.
        is_route = isinstance(key, str) and key in self._settings.routes and key[:1] != "$"
        return key if is_route else "$default"

    def _call(
        self,
        route: str,
        connection: _Connection,
        event_type: str,
        more: dict[str, Any],
        **parts: Any,
    ) -> Awaitable[Result | None]:
        """Begin to call the function of a route; the result is None if there is no such route."""
        loop = asyncio.get_running_loop()
        function = self._settings.routes.get(route)
        if function is None:
            nothing = loop.create_future()
            nothing.set_result(None)
            return nothing
        now = time.time()
        event = {
            "requestContext": {
                "accountId": ACCOUNT,
                "apiId": "local",
                "connectedAt": int(connection.connected_at * 1000),
                "connectionId": connection.id,
                "domainName": connection.socket.url.hostname,
                "eventType": event_type,
                "identity": self._identity(connection),
                "messageDirection": "IN",
                "requestId": str(uuid.uuid4()),
                "requestTime": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
                "requestTimeEpoch": int(now * 1000),
                "routeKey": route,
                "stage": self._settings.stage,
                **more,
            },
            "isBase64Encoded": False,
            **parts,
        }
        return loop.run_in_executor(None, self._invoke, function, event)

    def _manage(self, request: Request, connection_id: str, body: bytes) -> Response:
        if not request.headers.get("authorization", "").startswith(_SIGNED):
            return message(403, "Missing Authentication Token")
        connection = self._open.get(connection_id)
        if connection is None:
            return _refusal(HTTPStatus.GONE)
        match request.method:
            case "POST":
                return self._done(self._send(connection, body.decode()))
            case "DELETE":
                return self._done(self._close(connection))
            case "GET":
                times = {
                    "connectedAt": connection.connected_at,
                    "lastActiveAt": connection.active_at,
                }
                shown = {
                    name: datetime.fromtimestamp(at, UTC).isoformat() for name, at in times.items()
                }
                return JSONResponse({**shown, "identity": self._identity(connection)})
        return message(403, "Missing Authentication Token")

    async def _send(self, connection: _Connection, text: str) -> HTTPStatus:
        status = await self._finish(connection.socket.send_text(text))
        if status == HTTPStatus.OK:
            connection.touch(self._idle_seconds)
        return status

    async def _close(self, connection: _Connection) -> HTTPStatus:
        status = await self._finish(connection.socket.close(1000, "Connection Closed Normally"))
        if status == HTTPStatus.TOO_MANY_REQUESTS:  # it does not read, so it gets no goodbye
            connection.touch(0)
        return HTTPStatus.GONE if status == HTTPStatus.GONE else HTTPStatus.NO_CONTENT

    @staticmethod
    async def _finish(sending: Awaitable[None]) -> HTTPStatus:
        """Wait until something is sent to a client; return the status for whoever sends it."""
        try:
            async with asyncio.timeout(_UNREAD_SECONDS):
                await sending
        except TimeoutError:  # its buffer is full
            return HTTPStatus.TOO_MANY_REQUESTS
        except (OSError, RuntimeError, WebSocketDisconnect):  # it is closed
            return HTTPStatus.GONE
        return HTTPStatus.OK

    def _done(self, work: Coroutine[Any, Any, HTTPStatus]) -> Response:
        """Do the work in the thread of the connections."""
        assert self._loop  # noqa: S101 - a connection has been served
        try:
            status = asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except RuntimeError:  # that thread has ended
            status = HTTPStatus.GONE
        if status.is_success:
            return Response(status_code=status)
        return _refusal(status)

    @staticmethod
    def _identity(connection: _Connection) -> dict[str, str]:
        client = connection.socket.client
        agent = connection.socket.headers.get("user-agent", "")
        return {"sourceIp": client.host if client else "127.0.0.1", "userAgent": agent}


def _refusal(status: HTTPStatus) -> Response:
    return message(status, status.phrase, **{"x-amzn-errortype": _ERRORS[status]})
