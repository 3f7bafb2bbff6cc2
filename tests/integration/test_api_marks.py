"""What is unread, what was read and seen, and what that costs, handler by handler."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from messaging import message_groups
from messaging.message_groups import SendRequest
from messaging.repository import of_environment
from messaging.stream import StreamProcessor
from tests.fakes.gateway import Answer, Gateway
from tests.fakes.people import GRAHAMS, REEF
from tests.fakes.records import record

GROUPS = "/api/message_groups"
ME = "/api/me"


def send(gateway: Gateway, text: str, *, by: str, to: str) -> dict[str, Any]:
    """Send a message; the stream follows at once."""
    answer = gateway.post(GROUPS, {"handle": to, "message": text}, by=by)
    body: dict[str, Any] = answer.body
    if answer.status == 200:
        table = of_environment()
        sk = f"{body['created_at']}#{body['uuid']}"
        message = table.get_message(body["message_group_uuid"], sk)
        assert message
        StreamProcessor(table, concurrency=1).process([record(message.to_item())])
    return body


def position(body: dict[str, Any]) -> dict[str, str]:
    return {"created_at": body["created_at"], "uuid": body["uuid"]}


@pytest.fixture
def first(gateway: Gateway) -> dict[str, Any]:
    """Grahams has written to reef."""
    return send(gateway, "hello", by="grahams", to="reef")


@pytest.fixture
def target(first: dict[str, Any]) -> str:
    return f"{GROUPS}/{first['message_group_uuid']}"


def listed(gateway: Gateway, *, by: str, query: str = "") -> list[dict[str, Any]]:
    answer = gateway.get(GROUPS + query, by=by)
    assert answer.status == 200
    rows: list[dict[str, Any]] = answer.body
    return rows


def test_a_group_is_shown_as_in_the_list_and_how_far_both_have_read(
    gateway: Gateway, first: dict[str, Any], target: str
) -> None:
    (row,) = listed(gateway, by="reef", query="?counts=true")
    assert (row["unread"], row["unread_count"], row["muted"]) == (True, 1, False)
    shown = gateway.get(target, by="reef")
    assert shown.status == 200
    assert shown.body == row | {"read_up_to": None, "seen_up_to": position(first)}
    mine = gateway.get(target, by="grahams").body
    assert (mine["unread"], mine["unread_count"]) == (False, 0)
    assert (mine["read_up_to"], mine["seen_up_to"]) == (position(first), None)


def test_the_list_counts_only_when_it_is_asked_to_and_its_links_go_on_asking(
    gateway: Gateway, first: dict[str, Any]
) -> None:
    send(gateway, "hello", by="bayko", to="reef")
    for query in ("", "?counts=false"):
        assert all("unread_count" not in row for row in listed(gateway, by="reef", query=query))
    page = gateway.get(f"{GROUPS}?limit=1&counts=true", by="reef")
    (older,) = gateway.get(str(page.link("next")), by="reef").body
    assert (older["uuid"], older["unread_count"]) == (first["message_group_uuid"], 1)


def test_a_mark_is_answered_with_the_group_as_it_is_then(
    gateway: Gateway, first: dict[str, Any], target: str
) -> None:
    second = send(gateway, "two", by="grahams", to="reef")
    send(gateway, "three", by="grahams", to="reef")
    for _ in range(2):
        body = {"read_up_to": position(second), "muted": True}
        answer = gateway.patch(target, body, by="reef")
        assert answer.status == 200
        assert answer == gateway.get(target, by="reef")
        assert answer.body["read_up_to"] == position(second)
        assert (answer.body["unread_count"], answer.body["muted"]) == (1, True)
    back = gateway.patch(target, {"read_up_to": position(first), "muted": False}, by="reef").body
    assert (back["read_up_to"], back["unread_count"]) == (position(second), 1)
    assert not back["muted"]
    assert gateway.get(target, by="grahams").body["seen_up_to"] == position(second)


def test_a_flag_shows_as_unread_until_its_owner_reads(
    gateway: Gateway, first: dict[str, Any], target: str
) -> None:
    flagged = gateway.patch(target, {"marked_unread": True}, by="grahams").body
    assert (flagged["unread"], flagged["unread_count"]) == (True, 0)
    (row,) = listed(gateway, by="grahams", query="?counts=true")
    assert (row["unread"], row["unread_count"]) == (True, 0)
    both = {"read_up_to": position(first), "marked_unread": True}
    assert gateway.patch(target, both, by="grahams").body["unread"]
    assert not gateway.patch(target, {"read_up_to": position(first)}, by="grahams").body["unread"]


def test_a_position_is_the_same_in_every_spelling(
    gateway: Gateway, first: dict[str, Any], target: str
) -> None:
    time = datetime.fromisoformat(first["created_at"])
    spelled = {
        "created_at": (time + timedelta(hours=2)).isoformat().replace("+00:00", "+02:00"),
        "uuid": first["uuid"].upper(),
        "more": 1,
    }
    answer = gateway.patch(target, {"read_up_to": spelled}, by="reef")
    assert answer.body["read_up_to"] == position(first)
    assert answer.body["unread_count"] == 0


SOME = "00000000-0000-4000-8000-000000000001"
LONG_AGO = "2026-01-01T00:00:00.000000+00:00"


def at(created_at: object = LONG_AGO, uuid: object = SOME) -> dict[str, object]:
    return {"created_at": created_at, "uuid": uuid}


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ({}, ["nothing_to_change"]),
        ({"unread": True}, ["nothing_to_change"]),
        ({"read_up_to": None}, ["read_up_to_invalid"]),
        ({"read_up_to": LONG_AGO}, ["read_up_to_invalid"]),
        ({"read_up_to": [at()]}, ["read_up_to_invalid"]),
        ({"read_up_to": {"created_at": LONG_AGO}}, ["read_up_to_invalid"]),
        ({"read_up_to": {"uuid": SOME}}, ["read_up_to_invalid"]),
        ({"read_up_to": at(uuid="")}, ["read_up_to_invalid"]),
        ({"read_up_to": at(uuid="x" * 2000)}, ["read_up_to_invalid"]),
        ({"read_up_to": at(uuid=7)}, ["read_up_to_invalid"]),
        ({"read_up_to": at(uuid=[])}, ["read_up_to_invalid"]),
        ({"read_up_to": at("")}, ["read_up_to_invalid"]),
        ({"read_up_to": at(7)}, ["read_up_to_invalid"]),
        ({"read_up_to": at("2026-01-01")}, ["read_up_to_invalid"]),
        ({"read_up_to": at("2026-01-01T00:00:00.000000")}, ["read_up_to_invalid"]),
        ({"read_up_to": at("0001-01-01T00:00:00+14:00")}, ["read_up_to_invalid"]),
        ({"read_up_to": at(LONG_AGO + "#")}, ["read_up_to_invalid"]),
        ({"read_up_to": at("\ud800")}, ["read_up_to_invalid"]),
        ({"read_up_to": at("9999-12-31T23:59:59.999999+00:00")}, ["read_up_to_in_future"]),
        ({"marked_unread": False}, ["marked_unread_invalid"]),
        ({"marked_unread": None}, ["marked_unread_invalid"]),
        ({"marked_unread": 1}, ["marked_unread_invalid"]),
        ({"marked_unread": "true"}, ["marked_unread_invalid"]),
        ({"muted": None}, ["muted_invalid"]),
        ({"muted": 0}, ["muted_invalid"]),
        (
            {"read_up_to": {}, "marked_unread": [], "muted": {}},
            ["read_up_to_invalid", "marked_unread_invalid", "muted_invalid"],
        ),
        ({"read_up_to": at(), "muted": "x"}, ["muted_invalid"]),
    ],
)
def test_every_broken_rule_of_a_mark_is_named_and_nothing_written(
    gateway: Gateway, target: str, body: dict[str, Any], codes: list[str]
) -> None:
    before = gateway.get(target, by="reef")
    answer = gateway.patch(target, body, by="reef")
    assert (answer.status, answer.errors) == (422, codes)
    assert gateway.get(target, by="reef") == before


def test_nobody_has_read_what_will_be_written(gateway: Gateway, target: str) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    answer = gateway.patch(target, {"read_up_to": at(soon.isoformat())}, by="reef")
    assert (answer.status, answer.errors) == (422, ["read_up_to_in_future"])
    now = datetime.now(UTC)
    assert gateway.patch(target, {"read_up_to": at(now.isoformat())}, by="reef").status == 200


def test_what_is_there_can_be_read_though_the_clock_that_stored_it_is_ahead(
    gateway: Gateway, first: dict[str, Any], target: str
) -> None:
    """Each function has its own clock."""
    table, group = of_environment(), first["message_group_uuid"]
    soon = datetime.now(UTC) + timedelta(hours=1)
    sent = message_groups.create_message(
        table, GRAHAMS, group, SendRequest(message="from the future"), now=lambda: soon
    ).message
    StreamProcessor(table, concurrency=1).process([record(sent.to_item())])
    newest, _ = gateway.get(f"/api/messages/{group}", by="reef").body
    marked = gateway.patch(target, {"read_up_to": position(newest)}, by="reef")
    assert (marked.status, marked.body["unread"]) == (200, False)
    assert gateway.get(target, by="grahams").body["seen_up_to"] == position(newest)
    # That says nothing of any other place in the future, nor of the group's other positions.
    for wrong in (at(soon.isoformat()), at((soon + timedelta(seconds=1)).isoformat())):
        answer = gateway.patch(target, {"read_up_to": wrong}, by="reef")
        assert (answer.status, answer.errors) == (422, ["read_up_to_in_future"])


def test_a_group_is_shown_and_marked_by_its_members_only(gateway: Gateway, target: str) -> None:
    def answers(target: str) -> list[Answer]:
        return [
            gateway.get(target, by="bayko"),
            gateway.patch(target, {"muted": True}, by="bayko"),
        ]

    missing = answers(f"{GROUPS}/{uuid4()}")
    assert [(answer.status, answer.errors) for answer in missing] == [
        (404, ["message_group_not_found"])
    ] * 2
    assert answers(target) == answers(f"{GROUPS}/x") == missing


def test_who_the_caller_is_and_what_they_have_set(gateway: Gateway) -> None:
    me = {"uuid": REEF.uuid, "handle": "reef", "display_name": "Reef"}
    assert gateway.get(ME, by="reef").body == me | {"read_receipts": True}
    for read_receipts in (False, False, True):
        answer = gateway.patch(ME, {"read_receipts": read_receipts}, by="reef")
        assert (answer.status, answer.body) == (200, me | {"read_receipts": read_receipts})
        assert gateway.get(ME, by="reef").body == answer.body
    assert gateway.get(ME, by="grahams").body["uuid"] == GRAHAMS.uuid


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "nothing_to_change"),
        ({"handle": "x"}, "nothing_to_change"),
        ({"read_receipts": None}, "read_receipts_invalid"),
        ({"read_receipts": 1}, "read_receipts_invalid"),
        ({"read_receipts": "false"}, "read_receipts_invalid"),
    ],
)
def test_a_setting_of_another_type_is_refused(
    gateway: Gateway, body: dict[str, Any], code: str
) -> None:
    answer = gateway.patch(ME, body, by="reef")
    assert (answer.status, answer.errors) == (422, [code])
    assert gateway.get(ME, by="reef").body["read_receipts"]


def test_receipts_appear_and_disappear_with_the_setting_of_either_side(
    gateway: Gateway, target: str
) -> None:
    people = ("grahams", "reef")

    def shared() -> list[bool]:
        return ["seen_up_to" in gateway.get(target, by=handle).body for handle in people]

    assert shared() == [True, True]
    for handle in people:
        gateway.patch(ME, {"read_receipts": False}, by=handle)
        assert shared() == [False, False]
        # The answer to a mark is no way around it.
        assert "seen_up_to" not in gateway.patch(target, {"muted": True}, by=handle).body
        gateway.patch(ME, {"read_receipts": True}, by=handle)
        assert shared() == [True, True]


@pytest.mark.parametrize("value", ["", "1", "True", "yes"])
def test_counts_are_true_or_false(gateway: Gateway, value: str) -> None:
    answer = gateway.get(f"{GROUPS}?counts={value}", by="reef")
    assert (answer.status, answer.errors) == (422, ["counts_invalid"])
