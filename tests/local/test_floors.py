"""What a request costs, counted at the clients of both stores, is what docs/data.md says."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from typing import Any
from uuid import uuid4

import pytest

from bench.conversations import record, user
from bench.database import Database, database
from bench.engine import Engine, Meter, engine
from directory import connection
from local.settings import ROOT
from messaging import keys, live, marks, message_groups, repository
from messaging.entities import Connection, Marking, Marks, Message
from messaging.message_groups import SendRequest
from messaging.repository import PageRequest
from messaging.stream import StreamProcessor
from runtime import environment
from runtime.user import User
from tests.fakes.gateway import Answer, Gateway
from tests.fakes.records import changed
from tests.fakes.template import read_stack

HEAD = "| | calls, cold |"


@dataclass(frozen=True, kw_only=True)
class WatchedGateway(Gateway):
    """Notes which functions it invokes."""

    invoked: list[str] = field(default_factory=list)

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        self.invoked.append(function)
        return super().invoke(function, event)


def documented() -> list[list[str]]:
    lines = iter((ROOT / "docs" / "data.md").read_text().splitlines())
    assert any(line.startswith(HEAD) for line in lines)
    next(lines)
    rows = []
    for line in lines:
        if not line:
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


@pytest.fixture(scope="module")
def stores() -> Iterator[tuple[Engine, Database]]:
    """The engine, which counts as DynamoDB does, and PostgreSQL."""
    before = dict(os.environ)
    try:
        with engine() as running, database() as directory:
            os.environ.update(
                AWS_ENDPOINT_URL=running.url,
                TABLE_NAME=running.table_name,
                LIVE_URL="ws://127.0.0.1:1/live",  # nobody listens there
                DATABASE_AUTH="url",
                DATABASE_URL=directory.url,
            )
            yield running, directory
    finally:
        os.environ.clear()
        os.environ.update(before)


def reading(
    gateway: Gateway, running: Engine, people: tuple[User, User, User]
) -> dict[str, Callable[[], object]]:
    """What the first of three people reads and marks, whom the others have written to."""
    me, *others = people
    table, _ = running.repository()  # of its own: what others do is not counted

    def write(sender: User) -> Message:
        message = message_groups.create_message_group(
            table, sender, me, SendRequest(message="x"), now=lambda: datetime.now(UTC)
        ).message
        StreamProcessor(table).process([record(message)])
        return message

    last, _ = [write(other) for other in others]
    group = last.message_group_uuid

    def mark(body: dict[str, object]) -> Answer:
        answer = gateway.patch(f"/api/message_groups/{group}", body, by=me.handle)
        assert answer.status == 200
        return answer

    def read(message: Message) -> Answer:
        position = keys.format_time(message.position.created_at)
        return mark({"read_up_to": {"created_at": position, "uuid": message.message_uuid}})

    def read_what_is_flagged() -> Answer:
        marks.mark_row(table, me.uuid, group, Marking(marked_unread=True))
        return read(last)

    muted = cycle([True, False])

    def get(target: str) -> Callable[[], Answer]:
        return lambda: gateway.get(f"/api/{target}", by=me.handle)

    return {
        "B with counts, two groups with something new": get("message_groups?counts=true"),
        "one group, with something new": get(f"message_groups/{group}"),
        "a mark": lambda: read(write(others[0])),
        "a mark of what is read": lambda: read(last),
        "a mark of what is read, which takes a flag away": read_what_is_flagged,
        "one group": get(f"message_groups/{group}"),
        "a mute, or its end": lambda: mark({"muted": next(muted)}),
        "one's settings": get("me"),
        "a change of one's settings": lambda: gateway.patch(
            "/api/me", {"read_receipts": False}, by=me.handle
        ),
    }


def connecting(
    gateway: Gateway, running: Engine, people: tuple[User, User]
) -> dict[str, Callable[[], object]]:
    """What connections and hints take, of two people who write to each other."""
    me, other = people
    table, _ = running.repository()  # of its own: what goes before is not counted
    names = count()

    def issue(user: User) -> str:
        now, ticket = datetime.now(UTC), f"ticket {next(names)}"
        live.issue_ticket(
            table, user, ticket, token_expires_at=now + timedelta(minutes=30), now=now
        )
        return ticket

    def connect(user: User) -> str:
        name = f"connection {next(names)}"
        assert gateway.connect("ConnectLive", "$connect", name, ticket=issue(user)) == 200
        return name

    def opened(user: User) -> Connection:
        ticket, name = issue(user), f"connection {next(names)}"
        live.open_connection(table, ticket, name, now=datetime.now(UTC))
        found = table.get_connection(name)
        assert found
        return found

    def alone() -> object:
        """Without a replaced one: it would be one more write."""
        for standing in table.list_connections(me.uuid):
            table.delete_connection(standing)
        return connect(me)

    def eleventh() -> object:
        while len(table.list_connections(me.uuid)) < Connection.SLOTS:
            opened(me)
        return connect(me)

    def on(function: str, route: str) -> Callable[[], object]:
        return lambda: gateway.connect(function, route, opened(other).connection_id)

    result = message_groups.create_message_group(
        table, other, me, SendRequest(message="x"), now=lambda: datetime.now(UTC)
    )
    users = frozenset({me.uuid, other.uuid})
    sides = table.get_sides(result.message.message_group_uuid, users)
    rows = [row for user in (me, other) if (row := sides[user.uuid].row)]
    (row, _) = rows
    read = replace(row, marks=Marks(read_sk=row.last_sk))

    def tell(*records: dict[str, Any]) -> Callable[[], object]:
        return lambda: gateway.invoke("SendHints", {"Records": records})

    return {
        "a ticket": lambda: gateway.post("/api/live", {}, by=me.handle),
        "a connection": alone,
        "an eleventh connection": eleventh,
        "a ping": on("KeepLive", "$default"),
        "the end of a connection": on("DisconnectLive", "$disconnect"),
        "the hints of a message": tell(*(changed(None, each) for each in rows)),
        "the hints of a mark": tell(changed(row, read)),
    }


def test_every_access_pattern_costs_what_the_documents_say(
    stores: tuple[Engine, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, directory = stores
    stack = read_stack(parameters={"DatabaseUrl": "postgresql://somewhere/cruddur"})
    folders = {name: function.code for name, function in stack.functions().items()}
    gateway = WatchedGateway(routes=stack.routes(), functions=folders)
    others = [user(f"other{number}") for number in range(2)]
    grahams, reef, bayko = (user(handle) for handle in ("grahams", "reef", "bayko"))
    for person in (grahams, reef, bayko, *others):
        directory.add(person)
    statements: list[str] = []
    fetch_one = connection.Database.fetch_one

    def counted(self: connection.Database, statement: str, *values: object) -> object:
        statements.append(statement)
        return fetch_one(self, statement, *values)  # type: ignore[arg-type]

    monkeypatch.setattr(connection.Database, "fetch_one", counted)

    def post(route: str, body: dict[str, str]) -> Answer:
        return gateway.post(f"/api/{route}", body, by="grahams")

    group = post("message_groups", {"handle": "reef", "message": "x"}).body["message_group_uuid"]
    strangers = iter(others)

    def move() -> None:
        post("messages", {"message_group_uuid": group, "message": "x"})
        page = repository.of_environment().list_messages(group, PageRequest(limit=1))
        meter.take()
        statements.clear()
        event = {"Records": [record(page.rows[0])]}
        assert gateway.invoke("UpdateMessageGroups", event) == {"batchItemFailures": []}

    def named() -> dict[str, str]:
        return {"message_group_uuid": group, "message": "x", "message_uuid": str(uuid4())}

    patterns = reading(gateway, running, (grahams, reef, bayko))
    patterns |= connecting(gateway, running, (grahams, bayko)) | {
        "A": lambda: gateway.get(f"/api/messages/{group}", by="grahams"),
        "B": lambda: gateway.get("/api/message_groups", by="grahams"),
        "C": lambda: post("message_groups", {"handle": next(strangers).handle, "message": "x"}),
        "D": lambda: post("messages", {"message_group_uuid": group, "message": "x"}),
        "D, named": lambda: post("messages", named()),
        "E": move,
        "a user by handle": lambda: gateway.get("/api/users/reef/short", by="grahams"),
    }

    measured = set[str]()

    def cost(pattern: str) -> Meter:
        meter.take()
        statements.clear()
        patterns[pattern]()
        measured.add(gateway.invoked[-1])
        return meter.take()

    for pattern, *wanted in documented():
        environment.renew()
        meter = Meter()
        meter.watch(repository.of_environment()._client)
        cold, sql = cost(pattern), len(statements)
        warm = cost(pattern)
        found = [
            *(", ".join(sorted(taken.calls.elements())) or "none" for taken in (cold, warm)),
            *(str(sql), str(len(statements))),
            *(f"{taken.read_units:g}" for taken in (cold, warm)),
            f"{warm.write_units.total():g}",
        ]
        assert found == wanted, pattern
        assert cold.write_units == warm.write_units
        patterns.pop(pattern)
    assert not patterns
    # A new route needs a line in the document, and a pattern above that runs it.
    of_stream = {mapping.function for mapping in stack.stream_mappings()}
    web_socket = stack.web_socket()
    assert web_socket
    of_routes = {route.function for route in stack.routes()} | set(web_socket.routes.values())
    assert measured == of_stream | of_routes
