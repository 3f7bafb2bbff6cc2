"""Connections as API Gateway has them: events, routes, limits, and the way back to clients."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from sam_offline.functions import Result
from sam_offline.server import message
from sam_offline.stack import WebSocket as Settings
from sam_offline.web_socket_api import WebSocketApi

SIGNED = "AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/execute-api/aws4_request"


class Client:
    """One client of the API; `sent` is what the server said, `events` what functions got."""

    def __init__(self, *, idle_seconds: float = 600, **answers: Any) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.sent: list[dict[str, Any]] = []
        self._answers = answers
        routes = {"$connect": "Connect", "$disconnect": "Gone", "$default": "Other", "hi": "Hi"}
        settings = Settings(stage="live", routes=routes, selected_by="action")
        self.is_gone = False
        self.api = WebSocketApi(settings, invoke=self._invoke, idle_seconds=idle_seconds)
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answered = asyncio.Event()
        # Whether what is sent finds its way; cleared for a client that does not read.
        self.reads = asyncio.Event()
        self.reads.set()

    def _invoke(self, function: str, event: Any) -> Result:
        self.events.append((function, event))
        answer = self._answers.get(function, {"statusCode": 200})
        return answer if isinstance(answer, Result) else Result(payload=answer)

    async def connect(self, path: str = "/live", query: str = "") -> None:
        """Serve a connection until it ends."""
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": query.encode(),
            "headers": [(b"host", b"127.0.0.1:3000"), (b"user-agent", b"test")],
            "client": ("192.0.2.7", 5),
            "server": ("127.0.0.1", 3000),
            "scheme": "ws",
            "extensions": {"websocket.http.response": {}},
        }
        self._incoming.put_nowait({"type": "websocket.connect"})
        await self.api.serve(WebSocket(scope, self._incoming.get, self._take))

    async def _take(self, said: Any) -> None:
        await self.reads.wait()
        if self.is_gone:
            raise OSError
        self.sent.append(said)
        if said["type"] == "websocket.close":  # as uvicorn tells its application
            self._incoming.put_nowait({"type": "websocket.disconnect", "code": said["code"]})
        self._answered.set()

    def say(self, *texts: str) -> None:
        for text in texts:
            self._incoming.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self, code: int = 1001) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": code})

    async def is_open(self) -> str:
        """Wait until the connection is open; its id."""
        while not any(said["type"] == "websocket.accept" for said in self.sent):
            self._answered.clear()
            await self._answered.wait()
        return str(self.events[0][1]["requestContext"]["connectionId"])

    def texts(self) -> list[Any]:
        return [json.loads(said["text"]) for said in self.sent if "text" in said]

    def manage(self, method: str, name: str, body: bytes = b"", signed: str = SIGNED) -> Response:
        """What a function asks of a connection."""
        scope = {
            "type": "http",
            "method": method,
            "path": f"/live/@connections/{name}",
            "headers": [(b"authorization", signed.encode())],
        }
        return self.api.before(None)(Request(scope), body)


def play(client: Client, script: Callable[[Client, str], Awaitable[None]], **how: str) -> None:
    """Let a client connect, do what the script says, and leave."""

    async def run() -> None:
        served = asyncio.create_task(client.connect(**how))
        await script(client, await client.is_open())
        client.leave()
        await served

    asyncio.run(run())


async def nothing(_client: Client, _name: str) -> None: ...


def refused(client: Client, path: str = "/live") -> int:
    asyncio.run(client.connect(path))
    return int(client.sent[0]["status"])


def test_functions_get_the_events_of_the_gateway() -> None:
    client = Client()

    async def script(client: Client, _name: str) -> None:
        client.say('{"action": "hi"}')

    play(client, script, query="ticket=a%3D&x=1")
    assert [function for function, _ in client.events] == ["Connect", "Hi", "Gone"]
    connect, hi, gone = (event for _, event in client.events)
    assert connect["queryStringParameters"] == {"ticket": "a=", "x": "1"}
    assert connect["headers"]["user-agent"] == "test"
    assert hi["body"] == '{"action": "hi"}'
    assert gone["requestContext"]["disconnectStatusCode"] == 1001
    for event, route, kind in (
        (connect, "$connect", "CONNECT"),
        (hi, "hi", "MESSAGE"),
        (gone, "$disconnect", "DISCONNECT"),
    ):
        context = event["requestContext"]
        assert (context["routeKey"], context["eventType"]) == (route, kind)
        assert context["stage"] == "live"
        assert context["identity"] == {"sourceIp": "192.0.2.7", "userAgent": "test"}
    names = {event["requestContext"]["connectionId"] for _, event in client.events}
    assert len(names) == 1


@pytest.mark.parametrize(
    "text",
    [
        *("", "text", "[]", "3", "9" * 5000, "[" * 100_000),
        *('{"action": "no"}', '{"action": ["hi"]}', '{"action": "\\ud800"}'),
        *('{"action": "$connect"}', '{"action": "$disconnect"}', '{"action": "$default"}'),
    ],
    ids=lambda text: text[:25],
)
def test_what_has_no_route_of_its_own_takes_the_default(text: str) -> None:
    client = Client()

    async def script(client: Client, _name: str) -> None:
        client.say(text)

    play(client, script)
    assert [function for function, _ in client.events] == ["Connect", "Other", "Gone"]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"statusCode": 401}, 401),
        ({"statusCode": 503}, 503),
        ({"statusCode": 302}, 302),
        ({}, 502),
        ({"statusCode": "no"}, 502),
        (None, 502),
        (Result(payload={"errorMessage": "x"}, failed=True), 502),
    ],
)
def test_whom_the_function_does_not_let_in_gets_its_status_and_nothing_else(
    answer: Any, status: int
) -> None:
    client = Client(Connect=answer)
    assert refused(client) == status
    assert [function for function, _ in client.events] == ["Connect"]


@pytest.mark.parametrize("path", ["/", "/live/", "/live/more", "/api/live", "/other"])
def test_there_is_one_path(path: str) -> None:
    client = Client()
    assert refused(client, path) == 403
    assert client.events == []


def test_a_function_that_fails_is_told_to_the_client() -> None:
    client = Client(Other=Result(payload={}, failed=True))

    async def script(client: Client, _name: str) -> None:
        client.say("text")

    play(client, script)
    (told,) = client.texts()
    assert told["message"] == "Internal server error"


def test_an_idle_connection_is_closed() -> None:
    client = Client(idle_seconds=0.01)
    asyncio.run(client.connect())
    assert client.sent[-1]["type"] == "websocket.close"
    assert client.sent[-1]["code"] == 1001
    assert [function for function, _ in client.events] == ["Connect", "Gone"]


def test_functions_reach_a_client_and_close_its_connection() -> None:
    client = Client()
    statuses: list[int] = []

    async def script(client: Client, name: str) -> None:
        for method, body in (("POST", b'{"a": 1}'), ("GET", b""), ("DELETE", b"")):
            answer = await asyncio.to_thread(client.manage, method, name, body)
            statuses.append(answer.status_code)

    play(client, script)
    assert statuses == [200, 200, 204]
    assert client.texts() == [{"a": 1}]
    assert client.sent[-1]["type"] == "websocket.close"


def test_a_connection_that_is_gone_or_not_open_yet_is_410() -> None:
    client = Client()
    during: list[int] = []
    invoke = client._invoke

    def connecting(function: str, event: Any) -> Result:
        name = event["requestContext"]["connectionId"]
        during.append(client.manage("POST", name, b"{}").status_code)
        return invoke(function, event)

    client.api._invoke = connecting
    play(client, nothing)
    assert during == [410, 410]
    gone = client.manage("POST", "never", b"{}")
    assert gone.headers["x-amzn-errortype"] == "GoneException"


def test_nobody_waits_for_a_client_that_does_not_read() -> None:
    client = Client()
    answers: list[tuple[int, str]] = []

    async def run() -> None:
        served = asyncio.create_task(client.connect())
        name = await client.is_open()
        client.reads.clear()
        for method in ("POST", "POST", "DELETE"):
            answer = await asyncio.to_thread(client.manage, method, name, b"{}")
            answers.append((answer.status_code, answer.headers.get("x-amzn-errortype", "")))
        await served

    asyncio.run(run())
    assert answers == [(429, "LimitExceededException")] * 2 + [(204, "")]
    assert [function for function, _ in client.events] == ["Connect", "Gone"]


def test_the_end_of_a_connection_is_told_though_the_client_left_while_it_was_opened() -> None:
    client = Client()
    client.is_gone = True
    asyncio.run(client.connect())
    assert [function for function, _ in client.events] == ["Connect", "Gone"]
    name = client.events[0][1]["requestContext"]["connectionId"]
    assert client.manage("POST", name, b"{}").status_code == 410


def test_what_is_too_large_is_not_sent() -> None:
    client = Client()
    statuses: list[int] = []

    async def script(client: Client, name: str) -> None:
        for size in (128 * 1024, 128 * 1024 + 1):
            answer = await asyncio.to_thread(client.manage, "POST", name, b"1" * size)
            statuses.append(answer.status_code)

    play(client, script)
    assert statuses == [200, 413]


def test_who_does_not_sign_reaches_nobody() -> None:
    client = Client()
    statuses: list[int] = []

    async def script(client: Client, name: str) -> None:
        for signed in ("", "Bearer token", SIGNED.replace("=test/", "=other/")):
            answer = await asyncio.to_thread(client.manage, "POST", name, b"{}", signed)
            statuses.append(answer.status_code)

    play(client, script)
    assert statuses == [403] * 3
    assert client.texts() == []


def test_other_requests_are_for_others() -> None:
    request = Request({"type": "http", "method": "GET", "path": "/live", "headers": []})
    answer = Client().api.before(lambda *_: message(418, "mine"))(request, b"")
    assert answer.status_code == 418
    assert Client().api.before(None)(request, b"").status_code == 404
