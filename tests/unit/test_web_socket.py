"""Events of connections, and what becomes of what is sent to clients."""

from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from runtime import web_socket
from runtime.deadline import deadline
from runtime.errors import ForeignEventError, TryAgainError, UnauthorizedError
from runtime.web_socket import CALL_SECONDS, CLIENT_CONFIG, Channel, Outcome
from tests.fakes.gateway import Context

EVENT = {"requestContext": {"routeKey": "$connect", "connectionId": "one="}}


class Gateway:
    """The management address, which answers every call with this."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[dict[str, Any]] = []
        self._error = error

    def post_to_connection(self, **call: Any) -> None:
        self.calls.append(call)
        if self._error:
            raise self._error

    delete_connection = post_to_connection

    def channel(self) -> Channel:
        return Channel(cast("Any", self))


def refusal(status: int, code: str) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "PostToConnection")


def test_an_object_is_sent_as_json() -> None:
    gateway = Gateway()
    assert gateway.channel().send("one=", {"type": "pong"}) is Outcome.SENT
    assert gateway.channel().close("one=") is Outcome.SENT
    assert gateway.calls == [
        {"ConnectionId": "one=", "Data": b'{"type": "pong"}'},
        {"ConnectionId": "one="},
    ]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (refusal(410, "GoneException"), Outcome.GONE),
        (refusal(410, "410"), Outcome.GONE),  # what AWS says without a body
        (refusal(403, "ForbiddenException"), Outcome.FAILED),
        (refusal(429, "LimitExceededException"), Outcome.FAILED),
        (refusal(500, "InternalServerError"), Outcome.FAILED),
        (ConnectTimeoutError(endpoint_url="https://x"), Outcome.FAILED),
        (EndpointConnectionError(endpoint_url="https://x"), Outcome.FAILED),
    ],
)
def test_only_410_means_that_a_connection_is_gone(error: Exception, outcome: Outcome) -> None:
    channel = Gateway(error).channel()
    assert channel.send("one=", {}) is outcome
    assert channel.close("one=") is outcome


def test_nothing_is_sent_that_could_outlast_the_invocation() -> None:
    gateway = Gateway()
    deadline.start(CALL_SECONDS - 0.1)
    assert gateway.channel().send("one=", {}) is Outcome.FAILED
    assert gateway.calls == []
    retries: Any = CLIENT_CONFIG
    attempts, pause = retries.retries["total_max_attempts"], 1
    assert attempts == 2
    assert attempts * (retries.connect_timeout + retries.read_timeout) + pause <= CALL_SECONDS


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://127.0.0.1:3000/live", "http://127.0.0.1:3000/live"),
        (
            "wss://a.execute-api.us-east-1.amazonaws.com/live",
            "https://a.execute-api.us-east-1.amazonaws.com/live",
        ),
    ],
)
def test_clients_are_reached_where_they_connect(
    monkeypatch: pytest.MonkeyPatch, url: str, address: str
) -> None:
    monkeypatch.setenv("LIVE_URL", url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")  # that of the other services
    client: Any = web_socket.channel()._client
    assert client.meta.endpoint_url == address


@pytest.mark.parametrize(
    ("error", "status"), [(None, 200), (UnauthorizedError(), 401), (TryAgainError(), 503)]
)
def test_a_client_that_is_refused_gets_the_status_of_the_error(
    error: Exception | None, status: int
) -> None:
    taken: list[web_socket.Event] = []

    @web_socket.handles("$connect")
    def handler(event: web_socket.Event) -> None:
        taken.append(event)
        if error:
            raise error

    event = EVENT | {"queryStringParameters": {"ticket": "t"}}
    assert handler(event, Context()) == {"statusCode": status}
    assert taken == [web_socket.Event(connection_id="one=", query={"ticket": "t"})]


def test_whatever_else_goes_wrong_is_a_crash_that_is_counted() -> None:
    @web_socket.handles("$connect")
    def handler(_event: web_socket.Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        handler(EVENT, Context())
    with pytest.raises(ForeignEventError, match=r"\$connect"):
        handler({"requestContext": {"routeKey": "$default", "connectionId": "one="}}, Context())
