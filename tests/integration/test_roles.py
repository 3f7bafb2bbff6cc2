"""The roles in template.yaml, and the calls that their functions make.

Each call on moto is held against the function's role and the boundary: a call that they do not
allow would be denied in the cloud, and a right that no call has used is one too many.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from functions.send_hints import app as send_hints
from functions.update_message_groups import app as update_message_groups
from messaging.repository import Repository
from runtime import environment
from tests.fakes.calls import Call, denied, needs, noted_calls, rights_on_the_table
from tests.fakes.gateway import Context, Gateway
from tests.fakes.iam import Iam
from tests.fakes.people import REEF
from tests.fakes.records import changed, inserted
from tests.fakes.template import Stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass
class Calls:
    """The calls of each function, by its folder."""

    made: dict[str, set[Call]] = field(default_factory=dict)

    @contextmanager
    def of(self, function: str) -> Iterator[None]:
        """Note the calls of a function that starts cold."""
        environment.renew()
        with noted_calls() as noted:
            yield
        self.made[function] = noted


@pytest.fixture
def calls(gateway: Gateway, dynamodb: "DynamoDBClient", repository: Repository) -> Calls:
    """Every path of every function that works on the table."""
    calls = Calls()
    name = str(uuid4())
    new_group = {"handle": "reef", "message": "Hello", "message_uuid": name}
    with calls.of("CreateMessageGroup"):
        for _ in range(2):  # the repeat reads what the first wrote
            answer = gateway.post("/api/message_groups", new_group, by="grahams")
        gateway.post("/api/message_groups", {"handle": "reef", "message": "Hi"}, by="grahams")
    group = answer.body["message_group_uuid"]
    with calls.of("CreateMessage"):
        for _ in range(2):
            new = {"message_group_uuid": group, "message": "Hi", "message_uuid": str(uuid4())}
            assert gateway.post("/api/messages", new, by="reef").status == 200
            again = gateway.post("/api/messages", new, by="reef")
        to_bayko = {"handle": "bayko", "message": "Hello", "message_uuid": str(uuid4())}
        assert gateway.post("/api/messages", to_bayko, by="reef").status == 200
    with calls.of("ListMessages"):
        assert gateway.get(f"/api/messages/{group}", by="grahams").status == 200
    with calls.of("ListMessageGroups"):
        assert gateway.get("/api/message_groups?counts=true", by="reef").status == 200
    with calls.of("GetMessageGroup"):
        assert gateway.get(f"/api/message_groups/{group}", by="reef").body["unread_count"] > 0
    with calls.of("MarkMessageGroup"):
        soon = {"created_at": "9999-12-31T00:00:00+00:00", "uuid": group}
        early = gateway.patch(f"/api/message_groups/{group}", {"read_up_to": soon}, by="reef")
        assert early.errors == ["read_up_to_in_future"]
        muted = gateway.patch(f"/api/message_groups/{group}", {"muted": True}, by="reef")
        assert muted.body["unread_count"] > 0
    with calls.of("GetMe"):
        assert gateway.get("/api/me", by="reef").status == 200
    with calls.of("UpdateMe"):
        assert gateway.patch("/api/me", {"read_receipts": False}, by="reef").status == 200
    connections(gateway, calls, repository)
    with calls.of("SendHints"):
        unread = repository.get_sides(group, [REEF.uuid])[REEF.uuid].row
        assert unread
        seen = replace(unread, marks=replace(unread.marks, read_sk=unread.last_sk))
        send_hints.lambda_handler({"Records": [changed(unread, seen)]}, Context(seconds=60))
    message = repository.get_message(group, f"{again.body['created_at']}#{again.body['uuid']}")
    assert message
    orphan = replace(message, message_group_uuid=str(uuid4()))
    with calls.of("UpdateMessageGroups"):
        records = inserted(message, orphan)  # of the orphan's group there is neither row nor member
        update_message_groups.lambda_handler({"Records": records}, Context(seconds=60))
    return calls


def connections(gateway: Gateway, calls: Calls, repository: Repository) -> None:
    """Eleven connections of each member, one that is closed, and some that have ended."""
    for handle in ("grahams", "reef"):
        with calls.of("CreateLiveTicket"):
            tickets = [gateway.post("/api/live", {}, by=handle).body["ticket"] for _ in range(11)]
        with calls.of("ConnectLive"):
            for number, ticket in enumerate(tickets):
                name = f"{handle}{number}"
                assert gateway.connect("ConnectLive", "$connect", name, ticket=ticket) == 200
    with calls.of("DisconnectLive"):
        assert gateway.connect("DisconnectLive", "$disconnect", "reef10") == 200

    def end(name: str) -> None:
        """Let reef have a connection whose token has ended."""
        standing = repository.list_connections(REEF.uuid)[0]
        ended = replace(standing, connection_id=name, expires_at=datetime.now(UTC))
        assert repository.put_connection(ended, replaced=standing)

    end("one")
    with calls.of("KeepLive"):
        assert gateway.connect("KeepLive", "$default", "one") == 200
    end("another")


def test_every_function_may_do_what_it_does_and_nothing_else(stack: Stack, calls: Calls) -> None:
    iam = Iam(stack)
    assert calls.made.keys() <= stack.functions().keys()
    for function in stack.functions():
        # A function that was not run above may do nothing with the table. What its sample events
        # call is held against its role in test_events.py.
        made = calls.made.get(function, set())
        assert not denied(iam, function, made), function
        for right in rights_on_the_table(iam, function):
            assert any(needs(call, right) for call in made), (function, right)


def test_the_document_names_the_calls_of_every_function_that_works_on_the_table(
    stack: Stack, calls: Calls
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
    _, _, patterns = text.partition("\n## Access patterns\n")
    patterns, _, _ = patterns.partition("\n## ")
    documented = re.findall(r"^\|.*\(\.\./functions/(\w+)/app\.py\) \|$", patterns, re.MULTILINE)
    folders = {name: function.code.name for name, function in stack.functions().items()}
    assert sorted(documented) == sorted(folders[name] for name in calls.made)
