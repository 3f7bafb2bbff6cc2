"""The Python client: what it sends again, and what it makes of answers."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from cruddur_client import ApiError, Client, Position, UnexpectedAnswerError
from tests.contract import contract

GROUP = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"
TIME = "2026-11-21T12:01:01.845204+00:00"
MESSAGE = {
    "uuid": GROUP,
    "display_name": "Reef",
    "handle": "reef",
    "message": "hello",
    "created_at": TIME,
}
SENT = httpx.Response(200, json={**MESSAGE, "message_group_uuid": GROUP})


class Api:
    """Gives answers one after the other, and keeps what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = iter(answers)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(
        self,
        token: str | Callable[[], str] = "t",
        attempts: int = 4,
        address: str | Callable[[], str] = "http://api",
    ) -> Client:
        return Client(
            address,
            token,
            attempts=attempts,
            transport=httpx.MockTransport(self.answer),
            sleep=self.pauses.append,
        )

    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]


def test_every_operation_of_the_contract_is_a_method_of_the_same_name() -> None:
    for _, _, operation in contract().operations():
        name = re.sub(r"([A-Z])", r"_\1", operation["operationId"]).lower()
        assert callable(getattr(Client, name)), name


@pytest.mark.parametrize(
    "lost",
    [
        httpx.ReadTimeout("no answer"),
        httpx.ConnectError("nobody there"),
        httpx.RemoteProtocolError("cut"),
        httpx.Response(429),
        httpx.Response(500),
        httpx.Response(502),
        httpx.Response(503),
        httpx.Response(504),
    ],
)
def test_a_send_is_repeated_under_the_same_name(lost: httpx.Response | Exception) -> None:
    api = Api(lost, lost, SENT)
    assert api.client().create_message(GROUP, "hello").message_group_uuid == GROUP
    first, *others = api.bodies()
    assert first["message_uuid"]
    assert others == [first, first]
    assert len(api.pauses) == 2


def test_two_sends_have_two_names() -> None:
    api = Api(SENT, SENT)
    client = api.client()
    for _ in range(2):
        client.create_message_group("reef", "hello")
    one, other = api.bodies()
    assert one["message_uuid"] != other["message_uuid"]


def test_a_name_of_the_callers_own_is_kept() -> None:
    api = Api(SENT)
    api.client().create_message(GROUP, "hello", message_uuid=GROUP)
    assert api.bodies()[0]["message_uuid"] == GROUP


def test_pauses_grow_and_are_as_long_as_the_api_asks() -> None:
    again = httpx.Response(503, headers={"Retry-After": "7"})
    api = Api(httpx.Response(500), httpx.Response(500), again, SENT)
    api.client().create_message(GROUP, "hello")
    first, second, third = api.pauses
    assert first < second
    assert third == 7


@pytest.mark.parametrize(
    ("asked", "shortest", "longest"),
    [
        ("9" * 400, 30, 30),
        ("0", 0.5, 1),
        ("-5", 0.5, 1),
        ("1e3", 0.5, 1),
        ("soon", 0.5, 1),
        ("", 0.5, 1),
        pytest.param(
            format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True),
            *(30, 30),
            id="in a day",  # the same in every process of a run
        ),
        ("Sat, 21 Nov 2020 12:00:00 GMT", 0.5, 1),
        ("Sat, 21 Nov 99999999999999999999 12:00:00 GMT", 0.5, 1),
    ],
)
def test_no_pause_is_longer_than_half_a_minute_or_shorter_than_usual(
    asked: str, shortest: float, longest: float
) -> None:
    api = Api(httpx.Response(503, headers={"Retry-After": asked}), SENT)
    api.client().create_message(GROUP, "hello")
    assert shortest <= api.pauses[0] <= longest


@pytest.mark.parametrize(
    "target", ["http://evil/x", "@evil/x", ".evil/x", ":81/x", "evil", "x", "\\evil", "?x"]
)
def test_a_token_goes_to_no_other_host(target: str) -> None:
    api = Api(httpx.Response(200, json=[MESSAGE], headers={"Link": f'<{target}>; rel="next"'}))
    with pytest.raises(ValueError, match="not a path of this API"):
        list(api.client().list_messages(GROUP))
    with pytest.raises(ValueError, match="not a path of this API"):
        next(api.client().message_pages(GROUP, since=target))
    redirect = Api(httpx.Response(307, headers={"Location": "http://evil/x"}))
    with pytest.raises(ApiError):
        redirect.client().get_me()
    assert len(api.requests) == len(redirect.requests) == 1


def test_a_link_that_looks_like_another_host_stays_at_the_api() -> None:
    link = {"Link": '<//evil/x>; rel="next"'}
    api = Api(httpx.Response(200, json=[MESSAGE], headers=link), httpx.Response(200, json=[]))
    list(api.client().list_messages(GROUP))
    assert {request.url.host for request in api.requests} == {"api"}


@pytest.mark.parametrize("token", ["secret\n", "secret\r\nX: y", "secr\u00e9t", " secret", ""])
def test_what_can_be_no_token_is_refused_at_once_and_not_shown(token: str) -> None:
    api = Api()
    with pytest.raises(ValueError, match="The token") as refused:
        api.client(token).get_me()
    assert "secr" not in str(refused.value)
    assert api.pauses == []


def test_an_address_that_is_none_is_not_tried_again() -> None:
    pauses: list[float] = []
    with (
        Client("127.0.0.1:3000", "t", sleep=pauses.append) as client,
        pytest.raises(httpx.UnsupportedProtocol),
    ):
        client.get_me()
    assert pauses == []


@pytest.mark.parametrize(
    "body",
    [
        "<html>Please sign in to this network</html>",
        "",
        "null",
        "[1]",
        "[[]]",
        '["x"]',
        '{"uuid": 1}',
        '[{"created_at": 5}]',
        '[{"uuid": "x"}]',
        "[" * 100_000,
        "\ud800",
    ],
)
def test_what_is_no_answer_of_the_api_is_said_to_be_none(body: str) -> None:
    answer = httpx.Response(200, content=body.encode("utf-8", "surrogatepass"))
    for ask in (
        Client.get_me,
        lambda client: list(client.list_messages(GROUP)),
        lambda client: client.create_message(GROUP, "hello"),
        lambda client: client.mark_message_group(GROUP, muted=True),
    ):
        with pytest.raises(UnexpectedAnswerError) as said:
            ask(Api(answer).client())
        assert (said.value.status, said.value.codes) == (200, ())


@pytest.mark.parametrize("body", ["", "x", "[]", "{}", '{"errors": 5}', "null", '"errors"'])
def test_a_refusal_by_somebody_else_has_no_codes(body: str) -> None:
    headers = {"content-type": "application/problem+json"}
    with pytest.raises(ApiError) as refused:
        Api(httpx.Response(403, text=body, headers=headers)).client().get_me()
    assert (refused.value.status, refused.value.codes) == (403, ())


def test_what_is_refused_is_not_repeated() -> None:
    problem = {"type": "about:blank", "title": "x", "status": 422, "errors": ["message_blank"]}
    headers = {"content-type": "application/problem+json; charset=utf-8"}
    api = Api(httpx.Response(422, text=json.dumps(problem), headers=headers))
    with pytest.raises(ApiError) as refused:
        api.client().create_message(GROUP, " ")
    assert (refused.value.status, refused.value.codes) == (422, ("message_blank",))
    assert len(api.requests) == 1


def test_what_never_succeeds_is_said_in_the_end() -> None:
    api = Api(*4 * [httpx.Response(503, json={"message": "Service Unavailable"})])
    with pytest.raises(ApiError) as refused:
        api.client().get_me()
    assert (refused.value.status, refused.value.codes) == (503, ())
    lost = Api(httpx.ReadTimeout("no answer"), httpx.ReadTimeout("no answer"))
    with pytest.raises(httpx.ReadTimeout):
        lost.client(attempts=2).get_me()


def test_a_client_that_may_send_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="once at least"):
        Api().client(attempts=0)


def test_a_token_can_be_made_for_each_request() -> None:
    tokens = iter(["one", "two"])
    api = Api(httpx.Response(500), SENT)
    api.client(lambda: next(tokens)).create_message(GROUP, "hello")
    sent = [request.headers["authorization"] for request in api.requests]
    assert sent == ["Bearer one", "Bearer two"]


def test_an_address_can_be_another_for_each_request() -> None:
    addresses = iter(["http://one", "http://two/"])
    api = Api(httpx.Response(500), SENT)
    api.client(address=lambda: next(addresses)).create_message(GROUP, "hello")
    assert [str(request.url) for request in api.requests] == [
        "http://one/api/messages",
        "http://two/api/messages",
    ]


def test_hints_say_why_there_is_no_connection_and_try_again_until_the_api_refuses() -> None:
    def token() -> str:
        if len(api.pauses) == 2:
            raise OSError("no token for now")
        return "t"

    api = Api(httpx.Response(503), httpx.ConnectError("nobody there"), httpx.Response(403))
    hints = api.client(token, attempts=1).hints()
    told = [next(hints) for _ in range(3)]
    assert {hint.type for hint in told} == {"disconnected"}
    assert [hint.reason for hint in told] == ["503", "nobody there", "no token for now"]
    with pytest.raises(ApiError):
        next(hints)
    assert api.pauses == sorted(api.pauses)
    assert len(api.pauses) == 3


def test_only_hints_are_yielded_whatever_else_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    gateways_own = '{"message": "Internal server error", "connectionId": "a", "requestId": "b"}'
    texts = [gateways_own, "no json", "[]", "5", '{"type": "pong"}', "[" * 100_000]
    texts += [
        f'{{"type": "marks", "uuid": "{GROUP}"}}',
        '{"type": "receipt", "created_at": 5}',
        '{"type": "marks", "uuid": 5}',
    ]
    texts += ['{"type": "closing", "reason": "replaced"}']
    received = iter(texts)

    class Socket(AbstractContextManager[Any]):
        def __exit__(self, *_: object) -> None: ...

        def recv(self, *, timeout: float) -> str:
            return next(received)

    monkeypatch.setattr("websockets.sync.client.connect", lambda _, **__: Socket())
    ticket = httpx.Response(201, json={"url": "ws://api/live", "ticket": "t", "expires_at": TIME})
    hints = [hint.type for hint in Api(ticket).client().hints()]
    assert hints == ["connected", "marks"]


def test_a_list_goes_on_to_the_next_page_only_when_it_is_needed() -> None:
    page = httpx.Response(200, json=[MESSAGE], headers={"Link": '</api/older?x=1>; rel="next"'})
    api = Api(page, httpx.Response(200, json=[{**MESSAGE, "message": "old"}]))
    messages = api.client().list_messages(GROUP)
    assert next(messages).message == "hello"
    assert len(api.requests) == 1
    assert [message.message for message in messages] == ["old"]
    assert str(api.requests[1].url) == "http://api/api/older?x=1"


def test_what_has_come_since_a_page_is_asked_for_by_its_link() -> None:
    link = {"Link": '</api/newer?x=1>; rel="prev"'}
    first = Api(httpx.Response(200, json=[MESSAGE], headers=link))
    page = next(first.client().message_pages(GROUP))
    later = Api(httpx.Response(200, json=[MESSAGE], headers=link), httpx.Response(200, json=[]))
    pages = list(later.client().message_pages(GROUP, since=page.newer))
    assert [len(page.rows) for page in pages] == [1, 0]
    assert {request.url.path for request in later.requests} == {"/api/newer"}


def test_a_place_is_sent_as_it_was_shown_and_new_fields_are_ignored() -> None:
    position = {"created_at": TIME, "uuid": GROUP}
    group = {
        **MESSAGE,
        "unread": False,
        "muted": False,
        "unread_count": 0,
        "read_up_to": position,
        "seen_up_to": None,
        "colour": "blue",
    }
    api = Api(httpx.Response(200, json=[MESSAGE]), httpx.Response(200, json=group))
    client = api.client()
    (message,) = client.list_messages(GROUP)
    marked = client.mark_message_group(GROUP, read_up_to=message.position, muted=True)
    assert json.loads(api.requests[1].content) == {"read_up_to": position, "muted": True}
    assert (
        marked.read_up_to == message.position == Position(created_at=message.created_at, uuid=GROUP)
    )


def test_a_handle_is_one_segment_of_the_path() -> None:
    api = Api(httpx.Response(404))
    with pytest.raises(ApiError):
        api.client().get_user_short("../me?x=/")
    assert api.requests[0].url.raw_path == b"/api/users/..%2Fme%3Fx%3D%2F/short"
