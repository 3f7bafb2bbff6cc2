"""The wire format, handler by handler."""

import base64
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from directory.connection import Database
from messaging.repository import Repository, of_environment
from runtime.errors import TryAgainError
from runtime.user import User
from tests.fakes.gateway import Answer, Context, Gateway
from tests.fakes.people import BAYKO, GRAHAMS, REEF

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LONG_CURSOR = base64.urlsafe_b64encode(b"o2026-01-01#" + b"x" * 1200).decode().rstrip("=")
GROUPS = "/api/message_groups"
MESSAGES = "/api/messages"
SOME_UUID = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"


def begin(gateway: Gateway, text: str = "hello", *, to: str = "reef") -> Answer:
    return gateway.post(GROUPS, {"handle": to, "message": text}, by="grahams")


def go_on(gateway: Gateway, group: str, text: str, *, by: str = "grahams") -> Answer:
    return gateway.post(MESSAGES, {"message_group_uuid": group, "message": text}, by=by)


@pytest.fixture
def group(gateway: Gateway) -> str:
    return str(begin(gateway).body["message_group_uuid"])


def count(dynamodb: "DynamoDBClient", table_name: str) -> int:
    return dynamodb.scan(TableName=table_name)["Count"]


def test_a_new_group_is_201_and_an_existing_one_200(gateway: Gateway) -> None:
    first = begin(gateway)
    assert first.status == 201
    assert first.headers["content-type"] == "application/json"
    assert set(first.body) == {
        *("message_group_uuid", "uuid", "display_name", "handle", "message", "created_at")
    }
    assert (first.body["handle"], first.body["display_name"]) == ("grahams", "Grahams")
    second = gateway.post(GROUPS, {"handle": "@GrahamS", "message": "hi"}, by="reef")
    assert second.status == 200
    assert second.body["message_group_uuid"] == first.body["message_group_uuid"]
    assert second.body["uuid"] != first.body["uuid"]


@pytest.mark.parametrize("target", [GROUPS, f"{GROUPS}?limit=0", "/api/users/nobody/short"])
def test_no_answer_is_kept_on_its_way_to_the_one_it_is_for(gateway: Gateway, target: str) -> None:
    headers = gateway.get(target, by="grahams").headers
    assert headers["cache-control"] == "no-store"
    assert headers["vary"] == "Origin"
    assert headers["x-content-type-options"] == "nosniff"


def test_a_conversation_reads_newest_first_or_the_same_page_oldest_first(
    gateway: Gateway, group: str
) -> None:
    sent = [begin(gateway, "two").body, go_on(gateway, group, "three", by="reef").body]
    page = gateway.get(f"{MESSAGES}/{group}?limit=2", by="reef")
    assert page.status == 200
    for body in sent:
        del body["message_group_uuid"]
    assert page.body == sent[::-1]
    ascending = gateway.get(f"{MESSAGES}/{group}?limit=2&order=asc", by="reef")
    assert ascending.body == sent
    assert ascending.link("next")
    older = gateway.get(str(ascending.link("next")), by="reef")
    assert [message["message"] for message in older.body] == ["hello"]


def test_the_list_of_groups_shows_the_other_member_and_the_last_message(
    gateway: Gateway, group: str
) -> None:
    (row,) = gateway.get(GROUPS, by="reef").body
    names = {"uuid", "display_name", "handle", "message", "created_at", "unread", "muted"}
    assert set(row) == names
    assert (row["uuid"], row["handle"], row["display_name"]) == (group, "grahams", "Grahams")
    assert row["message"] == "hello"


def test_pages_of_messages_have_no_gap_and_no_repeat_in_both_directions(
    gateway: Gateway, group: str
) -> None:
    for number in range(1, 10):
        go_on(gateway, group, str(number))
    expected = ["9", "8", "7", "6", "5", "4", "3", "2", "1", "hello"]
    for limit in (1, 3, 5, 10, 11):
        seen, targets = walk(gateway, f"{MESSAGES}/{group}?limit={limit}", "next")
        assert seen == expected
        oldest = gateway.get(targets[-1], by="grahams")
        newer, _ = walk(gateway, str(oldest.link("prev")), "prev")
        assert newer + [message["message"] for message in oldest.body] == expected


def walk(gateway: Gateway, target: str, relation: str) -> tuple[list[str], list[str]]:
    """Return the messages of all pages from `target` on, newest first, and the pages' targets."""
    seen: list[str] = []
    targets: list[str] = []
    following: str | None = target
    while following:
        page = gateway.get(following, by="grahams")
        texts = [message["message"] for message in page.body]
        seen = seen + texts if relation == "next" else texts + seen
        targets.append(following)
        following = page.link(relation)
    return seen, targets


def test_a_client_that_has_everything_asks_later_for_what_is_newer(
    gateway: Gateway, group: str
) -> None:
    first = gateway.get(f"{MESSAGES}/{group}", by="grahams")
    assert first.link("next") is None
    later = str(first.link("prev"))
    nothing = gateway.get(later, by="grahams")
    assert (nothing.status, nothing.body, nothing.link("prev")) == (200, [], None)
    go_on(gateway, group, "newer", by="reef")
    assert [m["message"] for m in gateway.get(later, by="grahams").body] == ["newer"]


def test_pages_of_groups(gateway: Gateway, directory: str) -> None:
    for handle in ("reef", "bayko"):
        begin(gateway, to=handle)
    first = gateway.get(f"{GROUPS}?limit=1", by="grahams")
    second = gateway.get(str(first.link("next")), by="grahams")
    assert [row["handle"] for row in first.body + second.body] == ["bayko", "reef"]
    assert second.link("next") is None
    back = gateway.get(str(second.link("prev")), by="grahams")
    assert back.body == first.body


def test_a_message_comes_back_exactly_as_it_was_sent(gateway: Gateway, group: str) -> None:
    text = "  \t two\nlines \U0001f433 e\u0301 \u202e <b>&amp;</b>  "
    assert go_on(gateway, group, text).body["message"] == text
    assert gateway.get(f"{MESSAGES}/{group}", by="reef").body[0]["message"] == text


def test_the_reference_form_sends_a_first_message_to_the_messages_route(gateway: Gateway) -> None:
    body = {"message_group_uuid": None, "handle": "reef", "message": "hello"}
    answers = [gateway.post(MESSAGES, body, by="grahams") for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].body["message_group_uuid"] == answers[1].body["message_group_uuid"]


@pytest.mark.parametrize("route", [GROUPS, MESSAGES])
def test_a_named_send_answers_the_same_twice(
    gateway: Gateway, route: str, dynamodb: "DynamoDBClient", table_name: str
) -> None:
    name = str(uuid4())
    body = {"handle": "reef", "message": "hello", "message_uuid": name}
    first = gateway.post(route, body, by="grahams")
    before = count(dynamodb, table_name)
    again = gateway.post(route, body | {"message_uuid": name.upper()}, by="grahams")
    assert again == first
    assert first.body["uuid"] == name
    assert count(dynamodb, table_name) == before
    other = gateway.post(route, body | {"message": "other"}, by="grahams")
    assert (other.status, other.errors) == (422, ["message_uuid_reused"])


@pytest.mark.parametrize("route", [GROUPS, MESSAGES])
@pytest.mark.parametrize("quote", ["", '"'])
def test_an_idempotency_key_is_another_way_to_name_a_send(
    gateway: Gateway, route: str, quote: str, dynamodb: "DynamoDBClient", table_name: str
) -> None:
    name = str(uuid4())
    body = {"handle": "reef", "message": "hello"}

    def send(more: dict[str, Any], **headers: str) -> Answer:
        raw = json.dumps(body | more)
        return gateway.request("POST", route, raw, by="grahams", headers=headers)

    key = {"idempotency-key": f"{quote}{name.upper()}{quote}"}
    first = send({}, **key)
    before = count(dynamodb, table_name)
    for again in (
        send({}, **key),
        send({"message_uuid": name}),
        send({"message_uuid": name}, **key),
    ):
        assert again == first
    assert first.body["uuid"] == name
    assert count(dynamodb, table_name) == before


@pytest.mark.parametrize("route", [GROUPS, MESSAGES])
@pytest.mark.parametrize(
    ("key", "name", "codes"),
    [
        ("", None, ["idempotency_key_invalid"]),
        ('"', None, ["idempotency_key_invalid"]),
        ('""', None, ["idempotency_key_invalid"]),
        ("order 7", None, ["idempotency_key_invalid"]),
        (f"{SOME_UUID},{SOME_UUID}", None, ["idempotency_key_invalid"]),
        ("x", "y", ["message_uuid_invalid", "idempotency_key_invalid"]),
        (SOME_UUID, SOME_UUID.replace("5", "6"), ["idempotency_key_differs"]),
    ],
)
def test_a_key_that_cannot_name_the_send_is_refused_and_nothing_written(
    gateway: Gateway,
    route: str,
    key: str,
    name: str | None,
    codes: list[str],
) -> None:
    body = json.dumps({"handle": "reef", "message": "hello", "message_uuid": name})
    headers = {"idempotency-key": key}
    answer = gateway.request("POST", route, body, by="grahams", headers=headers)
    assert (answer.status, answer.errors) == (422, codes)
    assert gateway.get(GROUPS, by="grahams").body == []


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({}, ["user_reciever_handle_blank", "message_blank"]),
        ({"handle": " ", "message": " \n"}, ["user_reciever_handle_blank", "message_blank"]),
        ({"handle": None, "message": "x"}, ["user_reciever_handle_blank"]),
        ({"handle": 1, "message": 2}, ["user_reciever_handle_invalid", "message_invalid"]),
        ({"handle": "reef", "message": ["x"]}, ["message_invalid"]),
        ({"handle": "reef", "message": "x" * 1025}, ["message_exceed_max_chars_1024"]),
        ({"handle": "reef", "message": "\ud800"}, ["message_invalid"]),
        ({"handle": "reef", "message": "a\0b"}, ["message_invalid"]),
        ({"handle": "reef", "message": "\0"}, ["message_invalid"]),
        (
            {"handle": "\u200b", "message": "\u200b"},
            ["user_reciever_handle_blank", "message_blank"],
        ),
        ({"handle": "reef", "message": "\u2060 \ufeff\n\u200d\ufe0f\u00ad\x07"}, ["message_blank"]),
        ({"handle": "reef", "message": "\u3164\u2800\u034f" * 400}, ["message_blank"]),
        ({"handle": "@Grahams", "message": "x"}, ["message_to_self"]),
        ({"handle": "reef", "message": "x", "message_uuid": "x"}, ["message_uuid_invalid"]),
        ({"handle": "reef", "message": "x", "message_uuid": 7}, ["message_uuid_invalid"]),
        (
            {"handle": "grahams", "message": "", "message_uuid": []},
            ["message_to_self", "message_blank", "message_uuid_invalid"],
        ),
    ],
)
def test_every_broken_rule_of_a_new_group_is_named_and_nothing_written(
    gateway: Gateway,
    body: dict[str, Any],
    codes: list[str],
    dynamodb: "DynamoDBClient",
    table_name: str,
) -> None:
    answer = gateway.post(GROUPS, body, by="grahams")
    assert (answer.status, answer.errors) == (422, codes)
    assert count(dynamodb, table_name) == 0


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({}, ["message_group_uuid_blank", "message_blank"]),
        ({"message_group_uuid": "", "message": "x"}, ["message_group_uuid_blank"]),
        ({"message_group_uuid": 1, "message": "x"}, ["message_group_uuid_invalid"]),
        ({"message_group_uuid": SOME_UUID, "message": ""}, ["message_blank"]),
        (
            {"message_group_uuid": "", "message": "x" * 1025},
            ["message_group_uuid_blank", "message_exceed_max_chars_1024"],
        ),
    ],
)
def test_every_broken_rule_of_a_new_message_is_named(
    gateway: Gateway, body: dict[str, Any], codes: list[str]
) -> None:
    answer = gateway.post(MESSAGES, body, by="grahams")
    assert (answer.status, answer.errors) == (422, codes)


@pytest.mark.parametrize(
    "text", [".", "\u200b.", "\u2764\ufe0f", "\u0e01\u0e34", "\U000e0021x", "\ue000"]
)
def test_what_a_reader_can_see_is_sent_as_it_was_written(
    gateway: Gateway, group: str, text: str
) -> None:
    assert go_on(gateway, group, text).body["message"] == text


def test_1024_code_points_are_a_message_whatever_their_bytes(gateway: Gateway, group: str) -> None:
    text = "\U0001f433" * 1024
    assert go_on(gateway, group, text).body["message"] == text


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\xff\xfe", "body_not_utf8"),
        ("", "body_not_json"),
        ("{", "body_not_json"),
        ("[" * 100_000, "body_not_json"),
        ('{"message": NaN}', "body_not_json"),
        ("null", "body_not_object"),
        ("[1]", "body_not_object"),
        ('"text"', "body_not_object"),
    ],
)
@pytest.mark.parametrize("route", [GROUPS, MESSAGES])
def test_a_body_that_is_no_json_object_is_400(
    gateway: Gateway, route: str, body: str | bytes, code: str
) -> None:
    answer = gateway.post(route, body, by="grahams")
    assert (answer.status, answer.errors) == (400, [code])


def test_a_body_in_base64_is_read(gateway: Gateway) -> None:
    raw = json.dumps({"handle": "reef", "message": "h\u00e9"}, ensure_ascii=False).encode()
    assert gateway.post(GROUPS, raw, by="grahams").body["message"] == "h\u00e9"


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("limit=0", ["limit_invalid"]),
        ("limit=101", ["limit_invalid"]),
        ("limit=-1", ["limit_invalid"]),
        ("limit=", ["limit_invalid"]),
        ("limit=1&limit=2", ["limit_invalid"]),
        ("limit=\u0661", ["limit_invalid"]),
        ("limit=1e1", ["limit_invalid"]),
        ("cursor=", ["cursor_invalid"]),
        ("cursor=x", ["cursor_invalid"]),
        ("cursor=%F0%9F%90%B3", ["cursor_invalid"]),
        ("cursor=bg", ["cursor_invalid"]),
        ("cursor=eDIwMjY", ["cursor_invalid"]),
        (f"cursor={LONG_CURSOR}", ["cursor_invalid"]),
        ("order=up", ["order_invalid"]),
        ("limit=x&cursor=x&order=x", ["limit_invalid", "cursor_invalid", "order_invalid"]),
    ],
)
def test_every_broken_rule_of_a_query_is_named(
    gateway: Gateway, group: str, query: str, codes: list[str]
) -> None:
    answer = gateway.get(f"{MESSAGES}/{group}?{query}", by="grahams")
    assert (answer.status, answer.errors) == (422, codes)


def test_a_cursor_opens_nothing_that_is_not_the_callers(gateway: Gateway, group: str) -> None:
    begin(gateway, to="bayko")
    cursor = str(gateway.get(f"{GROUPS}?limit=1", by="grahams").link("next")).split("cursor=")[1]
    assert gateway.get(f"{GROUPS}?cursor={cursor}", by="reef").status == 200
    assert gateway.get(f"{MESSAGES}/{group}?cursor={cursor}", by="bayko").status == 404


@pytest.mark.parametrize(
    "uuid", ["group", "00000000-0000-4000-8000-0000000000ff", "nonsense", "%00", "MSG%23x"]
)
def test_a_stranger_a_missing_group_and_nonsense_are_one_404(
    gateway: Gateway, group: str, uuid: str, dynamodb: "DynamoDBClient", table_name: str
) -> None:
    uuid = group if uuid == "group" else uuid
    before = count(dynamodb, table_name)
    for answer in (
        gateway.get(f"{MESSAGES}/{uuid}", by="bayko"),
        go_on(gateway, uuid, "let me in", by="bayko"),
    ):
        assert (answer.status, answer.errors) == (404, ["message_group_not_found"])
        assert set(answer.body) == {"type", "title", "status", "errors"}
    assert count(dynamodb, table_name) == before


EVERY_ROUTE = [
    ("GET", GROUPS),
    ("GET", f"{MESSAGES}/{SOME_UUID}"),
    ("POST", GROUPS),
    ("POST", MESSAGES),
    ("GET", "/api/users/reef/short"),
    ("GET", f"{GROUPS}/{SOME_UUID}"),
    ("PATCH", f"{GROUPS}/{SOME_UUID}"),
    ("GET", "/api/me"),
    ("PATCH", "/api/me"),
    ("POST", "/api/live"),
]


def test_these_are_all_routes(gateway: Gateway) -> None:
    requested = [gateway.route_of(method, target) for method, target in EVERY_ROUTE]
    assert sorted(requested) == sorted(f"{route.method} {route.path}" for route in gateway.routes)


@pytest.mark.parametrize(("method", "target"), EVERY_ROUTE)
def test_nobody_gets_in_without_an_access_token_of_a_registered_user(
    gateway: Gateway, method: str, target: str
) -> None:
    body = None if method == "GET" else "{}"
    nobody = gateway.request(method, target, body, by=None)
    assert (nobody.status, nobody.errors) == (401, ["unauthorized"])
    id_token = gateway.request(method, target, body, by="grahams", token_use="id")  # a claim's name
    assert (id_token.status, id_token.errors) == (403, ["token_use_invalid"])
    unknown = gateway.request(method, target, body, by="someone")
    assert (unknown.status, unknown.errors) == (403, ["user_not_registered"])


@pytest.mark.parametrize(("method", "target"), EVERY_ROUTE)
def test_a_token_that_no_gateway_verified_counts_under_sam_local_only(
    gateway: Gateway, method: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def status(claims: dict[str, Any]) -> int:
        payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        headers = {"Authorization": f"Bearer e30.{payload}.c2ln"}
        body = None if method == "GET" else "{}"
        return gateway.request(method, target, body, by=None, headers=headers).status

    valid = {"sub": "grahams", "token_use": "access", "exp": 4_000_000_000}
    monkeypatch.delenv("AWS_SAM_LOCAL", raising=False)
    assert status(valid) == 401
    monkeypatch.setenv("AWS_SAM_LOCAL", "true")
    assert status(valid) in {200, 201, 404, 422}
    assert status(valid | {"token_use": "id"}) == 403
    assert status(valid | {"sub": "someone"}) == 403
    assert status(valid | {"exp": 1}) == 401
    # What a gateway said is not overruled.
    refused = gateway.request(method, target, by="", headers={})
    assert refused.status == 401


@pytest.mark.parametrize("handle", ["reef", "@reef", "REEF", "%40Reef"])
def test_a_user_is_found_however_the_handle_is_written(gateway: Gateway, handle: str) -> None:
    answer = gateway.get(f"/api/users/{handle}/short", by="grahams")
    assert answer.status == 200
    assert answer.body == {"uuid": REEF.uuid, "handle": "reef", "display_name": "Reef"}


@pytest.mark.parametrize("handle", ["nobody", "@", "%00", "a'--", "re%2Fef", "x" * 500, "\u017f"])
def test_an_unknown_handle_is_404(gateway: Gateway, handle: str) -> None:
    short = gateway.get(f"/api/users/{handle}/short", by="grahams")
    assert (short.status, short.errors) == (404, ["user_not_found"])


def test_writing_to_an_unknown_handle_is_404_and_writes_nothing(
    gateway: Gateway, dynamodb: "DynamoDBClient", table_name: str
) -> None:
    answer = begin(gateway, to="nobody")
    assert (answer.status, answer.errors) == (404, ["user_not_found"])
    assert count(dynamodb, table_name) == 0


def test_a_store_that_does_not_answer_is_503_with_retry_after(
    gateway: Gateway, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttled(*_: object) -> None:
        raise TryAgainError

    monkeypatch.setattr(Repository, "put_message", throttled)
    answer = go_on(gateway, group, "x")
    assert (answer.status, answer.errors) == (503, ["try_again"])
    assert answer.headers["retry-after"] == "1"


def test_the_unexpected_is_a_bare_500_and_its_log_holds_no_text(
    gateway: Gateway,
    group: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(_: object, message: Any) -> None:
        raise ValueError(f"cannot store {message.message}")

    monkeypatch.setattr(Repository, "put_message", broken)
    answer = go_on(gateway, group, "my secret")
    assert (answer.status, answer.errors) == (500, ["internal_server_error"])
    (record,) = caplog.records
    assert vars(record)["error"] == "ValueError"
    assert "secret" not in f"{vars(record)}{answer.body}"


def test_warm_reads_and_sends_are_one_call_and_no_sql(
    gateway: Gateway, group: str, directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warm() -> None:
        gateway.get(f"{MESSAGES}/{group}", by="grahams")
        gateway.get(GROUPS, by="grahams")
        go_on(gateway, group, "x")
        begin(gateway, to="bayko")

    for _ in range(2):  # the first time bayko's group is begun
        warm()
    calls: list[str] = []
    client = of_environment()._client
    client.meta.events.register(
        "before-call.dynamodb.*", lambda model, **_: calls.append(model.name)
    )
    monkeypatch.delattr(Database, "fetch_one")
    warm()
    assert calls == ["Query", "Query", "PutItem", "TransactWriteItems", "PutItem"]


def test_no_call_is_begun_when_the_function_is_about_to_end(
    gateway: Gateway, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Context, "SECONDS", 3.0)
    for answer in (gateway.get(GROUPS, by="grahams"), go_on(gateway, group, "x")):
        assert (answer.status, answer.errors) == (503, ["try_again"])


def test_members_are_read_as_last_written(
    repository: Repository, dynamodb: "DynamoDBClient"
) -> None:
    consistent: list[bool] = []
    dynamodb.meta.events.register(
        "provide-client-params.dynamodb.GetItem",
        lambda params, **_: consistent.append(params.get("ConsistentRead", False)),
    )
    repository.get_members(SOME_UUID)
    repository.get_message(SOME_UUID, "sk")
    assert consistent == [True, True]


def test_people(gateway: Gateway) -> None:
    """Every user of these tests is registered."""
    people: list[User] = [GRAHAMS, REEF, BAYKO]
    for user in people:
        assert gateway.get(GROUPS, by=user.handle).body == []
