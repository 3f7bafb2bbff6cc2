"""What `make load` looks for afterwards is found where it is wrong."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.load.verification import Journal, verify
from cruddur_client import Client

GROUP = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"
PEOPLE = [{"handle": "reef", "token": "t"}]


def place(number: int) -> dict[str, str]:
    return {"created_at": f"2026-11-21T12:00:0{number}.000000+00:00", "uuid": f"m{number}"}


def message(number: int, handle: str = "bayko") -> dict[str, Any]:
    return {
        **place(number),
        "display_name": handle,
        "handle": handle,
        "message": f"text {number}",
    }


def api(**wrong: Any) -> httpx.MockTransport:
    """What reef is shown: three messages by bayko, of which the first is read."""
    shown = {
        "messages": [message(3), message(2), message(1)],
        "unread_count": 2,
        "counted": 2,
        "preview": "text 3",
        "read_up_to": place(1),
        "times": 1,
        **wrong,
    }
    row = {**message(3), "uuid": GROUP, "message": shown["preview"], "unread": True, "muted": False}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/api/messages/"):
            return httpx.Response(200, json=shown["messages"])
        if request.url.path == "/api/message_groups":
            rows = [{**row, "unread_count": shown["unread_count"]}]
            return httpx.Response(200, json=rows * shown["times"])
        counted = {"unread_count": shown["counted"], "read_up_to": shown["read_up_to"]}
        return httpx.Response(200, json={**row, **counted})

    return httpx.MockTransport(answer)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    entries: list[dict[str, Any]] = [
        {"kind": "send", "message_uuid": f"m{number}", "message": f"text {number}"}
        for number in (1, 2, 3)
    ]
    accepted: dict[str, Any] = {"kind": "accepted", "message_group_uuid": GROUP}
    entries += [{**accepted, **message(number)} for number in (1, 3)]
    mark = {"by": "reef", "group": GROUP, "position": place(1)}
    entries += [{"kind": "mark", **mark}, {"kind": "marked", **mark}]
    path = tmp_path / "journal"
    path.write_text("\n".join(map(json.dumps, entries)))
    return Journal.read(path)


def faults(journal: Journal, **wrong: Any) -> list[str]:
    def connect(token: str) -> Client:
        return Client("http://api", token, transport=api(**wrong))

    return verify(connect, PEOPLE, journal, looks=1).faults


def test_nothing_is_wrong_where_all_is_right(journal: Journal) -> None:
    assert faults(journal) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": [message(3), message(2)]},
        {"messages": [message(3), message(1), message(2)]},
        {"messages": [message(3), message(3), message(2), message(1)]},
        {"messages": [message(3), message(2), {**message(1), "message": "other"}]},
        {"messages": [message(3), message(2), message(1), message(0)]},
        {"preview": "text 2"},
        {"unread_count": 1},
        {"counted": 3},
        {"read_up_to": None, "unread_count": 3, "counted": 3},
        {"times": 2},
    ],
)
def test_what_is_wrong_is_found(journal: Journal, wrong: dict[str, Any]) -> None:
    assert faults(journal, **wrong)
