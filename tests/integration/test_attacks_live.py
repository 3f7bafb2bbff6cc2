"""The WebSocket: who gets in with what, what they can do there, and what they are told.

As in test_attacks.py the cells are made and not listed: of all routes, of all tokens that are no
good, of all that is stored, and of each part of a handshake in which something could be sent.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from directory.users import REMEMBERED_SECONDS
from messaging import keys
from messaging.entities import Ticket
from messaging.live import TICKET_FOR
from runtime.user import User
from tests.fakes.calls import Call
from tests.fakes.iam import LIVE_API, TABLE
from tests.fakes.people import GRAHAMS, REEF
from tests.fakes.tokens import FORGED
from tests.integration.attacked import (
    MESSAGES,
    PEOPLE,
    SECRET,
    STRANGER,
    Cell,
    Clock,
    Done,
    World,
    clock,
    people,
    remove_from_directory,
    served,
    world,
)
from tests.waiting import eventually

__all__ = ["clock", "people", "served", "world"]

PONG = {"type": "pong"}
# What each kind of hint has; nothing else is told.
HINTS = {
    "message_group": {"type", "uuid", "created_at", "message_uuid"},
    "marks": {"type", "uuid"},
    "receipt": {"type", "uuid", "created_at", "message_uuid"},
}


@dataclass(frozen=True, kw_only=True)
class Knock:
    """A handshake, and the status that it is answered with."""

    name: str
    status: int
    target: str = "/live"
    headers: Mapping[str, str] = field(default_factory=dict)
    protocols: tuple[str, ...] = ()

    @classmethod
    def with_ticket(cls, name: str, ticket: str, status: int = 401) -> "Knock":
        return cls(name=name, status=status, target=f"/live?ticket={quote(ticket, safe='')}")


@contextmanager
def handshake(world: World, knock: Knock) -> Iterator[ClientConnection]:
    with connect(
        f"ws{world.url.removeprefix('http')}{knock.target}",
        additional_headers=knock.headers,
        subprotocols=knock.protocols or None,  # type: ignore[arg-type]  # a subtype of str
        proxy=None,
        open_timeout=None,
    ) as socket:
        yield socket


def status_of(world: World, knock: Knock) -> int:
    try:
        with handshake(world, knock):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


@contextmanager
def opened(world: World, user: User) -> Iterator[ClientConnection]:
    with handshake(world, Knock.with_ticket("good", world.ticket(user), 101)) as socket:
        yield socket


def told(socket: ClientConnection) -> list[Any]:
    """What was told until now: what comes before the answer to a ping."""
    socket.send('{"type": "ping"}')
    found: list[Any] = []
    while PONG not in found:
        found.append(json.loads(socket.recv()))
    return found[:-1]


def connections_of(world: World, user: User) -> list[str]:
    """The ids of somebody's connections, which are noted twice each."""
    items = world.items()
    by_user = {
        item["connection_id"]["S"]
        for (pk, _), item in items.items()
        if pk == keys.connections_pk(user.uuid)
    }
    by_id = {
        pk.removeprefix(keys.CONNECTION_PREFIX)
        for (pk, _), item in items.items()
        if pk.startswith(keys.CONNECTION_PREFIX) and item["user_uuid"]["S"] == user.uuid
    }
    assert by_user == by_id
    return sorted(by_user)


def all_connections(world: World) -> list[str]:
    return sorted(name for user in PEOPLE for name in connections_of(world, user))


def only_asks_for_the_ticket(done: Done) -> bool:
    """Whether nothing was done but to look for a ticket in vain."""
    kinds = {(call.action, call.leading_key.partition("#")[0]) for call in done.calls}
    return kinds <= {("dynamodb:DeleteItem", "TICKET")} and not done.changed


def no_tickets(world: World, good: str) -> Iterator[Knock]:
    """What somebody could have, find or make in place of a ticket that is `good`."""
    yield Knock(name="no query", status=401)
    yield Knock(name="no value", status=401, target="/live?ticket")
    sub = GRAHAMS.handle
    made = {
        "empty": "",
        "one space": " ",
        "garbage": "garbage",
        "a uuid": GRAHAMS.uuid,
        "a handle": sub,
        "NUL": "\0",
        "a lone surrogate": "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
        "a pattern": "*",
        "an object": '{"$ne": ""}',
        "a key": f"{keys.TICKET_PREFIX}{good}",
        "too long": good * 100,
        "twice": good + good,
        "longer": f"{good}A",
        "with a newline": f"{good}\n",
        "with a space": f" {good}",
        "with letters turned": good.swapcase(),
        "another of the same length": token_urlsafe(32),
        "an access token": world.pool.access_token(sub),
        "an id token": world.pool.id_token(sub),
    }
    cuts = {f"cut at {length}": good[:length] for length in range(1, len(good))}
    tokens = {f"{name}, as a token": token(world.pool, sub) or "" for name, token in FORGED.items()}
    stored = {
        f"{name} of {pk}": str(value)
        for (pk, _), item in world.items().items()
        for name, typed in item.items()
        for value in typed.values()
    }
    digests = {f"the end of a key: {text}": text.rpartition("#")[2] for text in stored.values()}
    for name, ticket in (made | cuts | tokens | stored | digests).items():
        yield Knock.with_ticket(name, ticket)


def test_who_has_no_good_ticket_is_not_let_in(served: World, tell: Callable[[str], None]) -> None:
    good = served.ticket(GRAHAMS)
    knocks = list(no_tickets(served, good))
    for knock in knocks:
        with served.watched() as done:
            assert status_of(served, knock) == knock.status, knock
        assert only_asks_for_the_ticket(done), knock
    # It was good all the time.
    assert status_of(served, Knock.with_ticket("good", good)) == 101
    tell(f"{len(knocks)} handshakes without a good ticket")


def misplaced(world: World, ticket: str) -> Iterator[Knock]:
    """A good ticket, where it is not looked for."""
    for name in ("authorization", "cookie", "ticket", "x-amz-security-token", "origin-ticket"):
        for value in (ticket, f"Bearer {ticket}", f"ticket={ticket}"):
            yield Knock(name=f"in {name}", status=401, headers={name: value})
    yield Knock(name="as a protocol", status=401, protocols=(ticket,))
    for query in (
        "Ticket",
        "TICKET",
        "token",
        "access_token",
        "ticket[]",
        "ticket[0]",
        "%20ticket",
    ):
        yield Knock(name="by another name", status=401, target=f"/live?{query}={ticket}")
    yield Knock(name="before another", status=401, target=f"/live?ticket={ticket}&ticket=x")
    for path in ("/", "/live/", "//live", "/Live", "/live%2F", f"/live/{ticket}", "/$default"):
        yield Knock(name="at another path", status=403, target=f"{path}?ticket={ticket}")
    for route in world.routes:
        target = f"{route.path.format(**world.objects()['own'])}?ticket={ticket}"
        yield Knock(name="at a route of the API", status=403, target=target)


def test_a_ticket_is_looked_for_in_one_place_only(
    served: World, tell: Callable[[str], None]
) -> None:
    ticket = served.ticket(GRAHAMS)
    knocks = list(misplaced(served, ticket))
    for knock in knocks:
        with served.watched() as done:
            assert status_of(served, knock) == knock.status, knock
        assert only_asks_for_the_ticket(done), knock
    assert status_of(served, Knock.with_ticket("good", ticket)) == 101
    tell(f"{len(knocks)} handshakes with a ticket in a wrong place")


def test_a_ticket_is_no_token(served: World, tell: Callable[[str], None]) -> None:
    ticket = served.ticket(GRAHAMS)
    cells = list(served.cells())
    before = served.items()
    served.invoked.clear()
    for cell in cells:
        for target, authorization in (
            (cell.target, f"Bearer {ticket}"),
            (cell.target, ticket),
            (f"{cell.target}?ticket={ticket}", None),
        ):
            answer = served.send(cell.route.method, target, authorization, cell.body)
            assert (answer.status, answer.body) == (401, {"message": "Unauthorized"}), cell
    assert served.invoked == []
    assert served.items() == before
    tell(f"{len(cells)} cells in three ways: a ticket")


@pytest.mark.parametrize("who", PEOPLE, ids=lambda user: user.handle)
def test_a_ticket_opens_one_connection_of_who_got_it_whoever_brings_it(
    served: World, who: User
) -> None:
    bringer = next(user for user in PEOPLE if user != who)
    with served.watched() as issued:
        ticket = served.ticket(who)
    assert [issued.owner(key) for key in issued.changed] == [who.uuid]
    headers = {"Authorization": served.token(bringer)}
    good = Knock.with_ticket("good", ticket, 101)
    knock = Knock(name="of another", status=101, target=good.target, headers=headers)
    with ExitStack() as until_the_end:
        with served.watched() as done:
            socket = until_the_end.enter_context(handshake(served, knock))
        (name,) = connections_of(served, who)
        of_ticket, of_user = Ticket.digest_of(ticket), keys.connections_pk(who.uuid)
        assert done.calls == {
            Call("dynamodb:DeleteItem", TABLE, keys.ticket_pk(of_ticket)),
            Call("dynamodb:Query", TABLE, of_user),
            Call("dynamodb:PutItem", TABLE, of_user),
            Call("dynamodb:PutItem", TABLE, keys.connection_pk(name)),
        }
        assert {done.owner(key) for key in done.changed} == {who.uuid}
        assert told(socket) == []
        for again in (knock, good):
            assert status_of(served, again) == 401
        assert all_connections(served) == [name]
    eventually(lambda: None if all_connections(served) else True)


@pytest.mark.parametrize(
    ("later", "status"),
    [
        (TICKET_FOR - timedelta(seconds=2), 101),
        (TICKET_FOR, 401),
        (timedelta(minutes=31), 401),
        (timedelta(days=3), 401),
    ],
)
def test_a_ticket_that_was_not_used_in_time_opens_nothing(
    served: World, clock: Clock, later: timedelta, status: int
) -> None:
    ticket = served.ticket(GRAHAMS)
    clock.ahead = later
    with served.watched() as done:
        assert status_of(served, Knock.with_ticket("late", ticket)) == status
    assert status == 101 or only_asks_for_the_ticket(done)


def frames(world: World) -> Iterator[str | bytes]:
    """What a client could send to be told, or to tell others, what is not theirs."""
    types = ("ping", *HINTS, "subscribe", "closing", "$connect", "$disconnect", "$default")
    for kind in types:
        for named in world.objects().values():
            uuid = named["message_group_uuid"]
            yield json.dumps({"type": kind, "uuid": uuid, "user_uuid": REEF.uuid})
            yield json.dumps({"action": kind, "message_group_uuid": uuid, "message": SECRET})
    for name in all_connections(world):
        yield json.dumps({"type": "ping", "connectionId": name, "connection_id": name})
        yield json.dumps({"requestContext": {"connectionId": name, "routeKey": "$disconnect"}})
        yield f"POST /live/@connections/{quote(name)} HTTP/1.1\r\n\r\n{{}}"
    yield from ("", "\0", "text", "null", "[]", '"ping"', "{", '{"type": ["ping"]}')
    yield from ('{"type": {"$ne": ""}}', '{"type": "\\ud800"}', "\U0010ffff", "[" * 50_000)
    yield "x" * 128 * 1024
    yield from (b"", b"\0\xff", b'{"type": "ping"}', bytes(128 * 1024))


@pytest.mark.parametrize("who", [GRAHAMS, STRANGER], ids=lambda user: user.handle)
def test_whatever_a_client_sends_is_a_ping_and_nobody_else_hears_of_it(
    served: World, who: User, tell: Callable[[str], None]
) -> None:
    with ExitStack() as until_the_end:
        others = [until_the_end.enter_context(opened(served, user)) for user in PEOPLE]
        own = set(all_connections(served))
        socket = until_the_end.enter_context(opened(served, who))
        (name,) = set(all_connections(served)) - own
        sent = list(frames(served))
        with served.watched() as done:
            for frame in sent:
                socket.send(frame)
                assert json.loads(socket.recv()) == PONG, frame[:99]
        api = f"arn:aws:execute-api:us-east-1:000000000000:{LIVE_API}"
        assert done.calls == {
            Call("dynamodb:GetItem", TABLE, keys.connection_pk(name)),
            Call("execute-api:ManageConnections", f"{api}/live/POST/@connections/{name}"),
        }
        assert not done.changed
        assert [told(other) for other in others] == [[] for _ in others]
    tell(f"{len(sent)} frames: {who.handle}")


@pytest.mark.parametrize("frame", ["x" * (128 * 1024 + 1), bytes(128 * 1024 + 1)], ids=type)
def test_who_says_too_much_is_closed_and_nobody_else(served: World, frame: str | bytes) -> None:
    with opened(served, REEF) as other:
        with opened(served, GRAHAMS) as socket:
            socket.send(frame)
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv()
            assert closed.value.rcvd
            assert closed.value.rcvd.code == 1009
        eventually(lambda: None if connections_of(served, GRAHAMS) else True)
        assert told(other) == []


def members(world: World) -> dict[str, set[str]]:
    """Whose each group is, as it is stored."""
    return {
        pk.removeprefix(keys.MEMBERS_PREFIX): {member["S"] for member in item["member_uuids"]["L"]}
        for (pk, _), item in world.items().items()
        if pk.startswith(keys.MEMBERS_PREFIX)
    }


@pytest.mark.proof
def test_nobody_is_told_of_a_group_that_is_not_theirs(
    served: World, tell: Callable[[str], None]
) -> None:
    """Whatever anybody does by any route while everybody is connected."""
    heard = {user.uuid: 0 for user in PEOPLE}
    with ExitStack() as until_the_end:
        sockets = {user.uuid: until_the_end.enter_context(opened(served, user)) for user in PEOPLE}

        def listen(cell: Cell) -> None:
            of = members(served)
            for uuid, socket in sockets.items():
                for hint in told(socket):
                    assert hint.keys() == HINTS[hint["type"]], cell
                    assert uuid in of[hint["uuid"]], (cell, hint)
                    heard[uuid] += 1

        for actor in PEOPLE:
            for cell in served.cells():
                before = served.items()
                served.send(cell.route.method, cell.target, served.token(actor), cell.body)
                if served.items() != before:
                    served.deliver(before)
                    listen(cell)
        assert [told(socket) for socket in sockets.values()] == [[] for _ in sockets]
    assert all(heard.values())
    tell(f"{sum(heard.values())} hints")


def test_no_client_reaches_another_by_the_address_that_is_for_functions(
    served: World, tell: Callable[[str], None]
) -> None:
    tokens = {name: token(served.pool, "grahams") or "" for name, token in FORGED.items()}
    tokens |= {user.handle: served.token(user) for user in PEOPLE}
    tokens["a ticket"] = f"Bearer {served.ticket(GRAHAMS)}"
    with opened(served, REEF) as socket, httpx.Client(trust_env=False, timeout=None) as client:
        (name,) = connections_of(served, REEF)
        asked = list(product(("GET", "POST", "DELETE", "PUT"), (name, "nobodys="), tokens))
        with served.watched() as done:
            for method, connection, who in asked:
                answer = client.request(
                    method,
                    f"{served.url}/live/@connections/{quote(connection)}",
                    headers={"authorization": tokens[who]} if tokens[who] else {},
                    content=b"{}",
                )
                assert answer.status_code == 403, (method, connection, who)
        assert not done.calls | done.changed
        assert told(socket) == []
    tell(f"{len(asked)} calls of connections without a function's signature")


def refused_cells(world: World, user: User) -> Iterator[Cell]:
    """The cells that answer somebody with 403, as they do who is not in the directory."""
    for cell in world.cells():
        answer = world.send(cell.route.method, cell.target, world.token(user), cell.body)
        if answer.status == 403:
            assert answer.errors == ["user_not_registered"]
            yield cell


def test_who_is_removed_is_refused_everywhere_when_they_are_forgotten(
    served: World, clock: Clock, database_url: str
) -> None:
    """docs/api.md says when; the clock is moved."""
    assert not list(refused_cells(served, GRAHAMS))
    remove_from_directory(database_url, "grahams")
    clock.ahead = timedelta(seconds=REMEMBERED_SECONDS - 1)
    assert not list(refused_cells(served, GRAHAMS))
    clock.ahead = timedelta(seconds=REMEMBERED_SECONDS)
    with served.watched() as done:
        assert len(list(refused_cells(served, GRAHAMS))) == len(list(served.cells()))
    assert not done.calls | done.changed


def test_who_is_removed_is_told_what_is_theirs_until_their_token_ends(
    served: World, clock: Clock, database_url: str
) -> None:
    """docs/behaviour.md says so: the ticket that they have opens, and no other is given out."""
    ticket = served.ticket(GRAHAMS)
    remove_from_directory(database_url, "grahams")
    with handshake(served, Knock.with_ticket("good", ticket, 101)) as socket:
        write(served)
        assert {hint["uuid"] for hint in told(socket)} == {served.group}
        clock.ahead = timedelta(minutes=31)
        write(served)
        assert json.loads(socket.recv()) == {"type": "closing", "reason": "expired"}
        with pytest.raises(ConnectionClosed):
            socket.recv()
        assert connections_of(served, GRAHAMS) == []


def write(world: World) -> None:
    """Let reef write to grahams and to bayko."""
    before = world.items()
    for group in (world.group, world.groups_of_others):
        body = {"message_group_uuid": group, "message": SECRET}
        assert world.send("POST", MESSAGES, world.token(REEF), body).status == 200
    world.deliver(before)
