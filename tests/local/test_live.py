"""Hints on the running application: tickets, connections, and who is told what."""

import asyncio
import json
import signal
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import IO, Any
from uuid import uuid4

import httpx
import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from messaging import live, message_groups
from messaging.entities import Connection
from messaging.message_groups import SendRequest
from messaging.repository import Repository
from runtime.deadline import Deadline
from runtime.user import User
from tests.local.conftest import ROOT, LocalCloud, RunningCloud
from tests.local.test_application import GROUPS, MESSAGES, Person, people
from tests.waiting import eventually

__all__ = ["people"]

GROUP = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"  # of grahams and reef, in the seed


def ticket_of(person: Person) -> tuple[str, str]:
    answer = person.post("/api/live")
    assert answer.status_code == 201
    return answer.json()["url"], answer.json()["ticket"]


def opened(person: Person) -> ClientConnection:
    url, ticket = ticket_of(person)
    return connect(f"{url}?ticket={ticket}", proxy=None)


def refused(url: str, *, origin: Origin | None = None) -> int:
    """The status with which a handshake is answered."""
    with pytest.raises(InvalidStatus) as failed, connect(url, origin=origin, proxy=None):
        pass
    return failed.value.response.status_code


def hints(socket: ClientConnection, until: Callable[[dict[str, Any]], bool]) -> list[Any]:
    """All that a client is told, until it is told this."""
    told: list[Any] = []
    while not told or not until(told[-1]):
        told.append(json.loads(socket.recv()))
    return told


def test_both_members_are_told_of_a_message_and_find_it_in_their_lists(
    people: dict[str, Person],
) -> None:
    with opened(people["grahams"]) as grahams, opened(people["reef"]) as reef:
        body = people["reef"].post(MESSAGES, message_group_uuid=GROUP, message="Told.").json()
        wanted = {
            "type": "message_group",
            "uuid": GROUP,
            "created_at": body["created_at"],
            "message_uuid": body["uuid"],
        }
        for socket in (grahams, reef):
            assert hints(socket, lambda hint: hint == wanted)
        for name in ("grahams", "reef"):
            (row,) = (row for row in people[name].groups() if row["uuid"] == GROUP)
            assert row["created_at"] == body["created_at"]


def test_what_is_read_is_told_to_ones_other_devices_and_to_the_other_if_both_share_it(
    people: dict[str, Person],
) -> None:
    grahams, reef = people["grahams"], people["reef"]
    for person in (grahams, reef):
        person.request("PATCH", "/api/me", json={"read_receipts": True})
    sent = grahams.post(MESSAGES, message_group_uuid=GROUP, message="Seen?").json()
    position = {"created_at": sent["created_at"], "uuid": sent["uuid"]}
    seen = {"type": "receipt", "uuid": GROUP}
    seen |= {"created_at": sent["created_at"], "message_uuid": sent["uuid"]}
    with opened(grahams) as sender, opened(reef) as phone, opened(reef) as laptop:
        reef.request("PATCH", f"{GROUPS}/{GROUP}", json={"read_up_to": position})
        for device in (phone, laptop):
            assert hints(device, lambda hint: hint == {"type": "marks", "uuid": GROUP})
        assert hints(sender, lambda hint: hint == seen)
        # What reef does not share any more, grahams is not told; what follows, they are.
        reef.request("PATCH", "/api/me", json={"read_receipts": False})
        for text in ("Not seen.", "The last."):
            sent = grahams.post(MESSAGES, message_group_uuid=GROUP, message=text).json()
            position = {"created_at": sent["created_at"], "uuid": sent["uuid"]}
            reef.request("PATCH", f"{GROUPS}/{GROUP}", json={"read_up_to": position})
        told = hints(sender, lambda hint: hint.get("message_uuid") == sent["uuid"])
        reef.request("PATCH", "/api/me", json={"read_receipts": True})
        assert {hint["type"] for hint in told} == {"message_group"}


def test_a_ticket_is_good_once_there_and_for_nothing_else(
    cloud: RunningCloud, people: dict[str, Person]
) -> None:
    person = people["grahams"]
    url, ticket = ticket_of(person)
    assert refused(url.replace("/live", "/api/live") + f"?ticket={ticket}") == 403
    assert refused(f"{url}/more?ticket={ticket}") == 403
    with connect(f"{url}?ticket={ticket}", proxy=None) as socket:
        assert refused(f"{url}?ticket={ticket}") == 401
        socket.send('{"type": "ping"}')
        assert hints(socket, lambda hint: hint == {"type": "pong"})
    for wrong in ("", "?ticket=", f"?ticket={uuid4()}", f"?ticket={person.token}"):
        assert refused(url + wrong) == 401
    _, ticket = ticket_of(person)
    answer = cloud.client.get(GROUPS, headers={"Authorization": f"Bearer {ticket}"})
    assert answer.status_code == 401


def test_who_says_too_much_is_closed(people: dict[str, Person]) -> None:
    with opened(people["grahams"]) as socket:
        socket.send("x" * (128 * 1024 + 1))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv()
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1009


def test_pages_of_strangers_cannot_connect(people: dict[str, Person]) -> None:
    url, ticket = ticket_of(people["grahams"])
    stranger = Origin("https://evil.example")
    assert refused(f"{url}?ticket={ticket}", origin=stranger) == 403


def test_nothing_of_a_ticket_stands_in_the_log(
    cloud: RunningCloud, people: dict[str, Person]
) -> None:
    url, ticket = ticket_of(people["grahams"])
    with connect(f"{url}?ticket={ticket}", proxy=None):
        pass
    assert refused(f"{url}?ticket={ticket}") == 401
    log = cloud.process.log.read_text()
    assert "ASGI" not in log
    assert "/api/live" in log
    assert ticket not in log
    assert "ticket=" not in log


def table_of(cloud: RunningCloud) -> Repository:
    return Repository(cloud.dynamodb, cloud.stack["TableName"], deadline=Deadline())


def somebody(number: int) -> User:
    return User(uuid=str(uuid4()), handle=f"somebody{number}", display_name=f"Somebody {number}")


def test_of_those_who_race_to_connect_ten_stay_and_the_others_are_closed(
    cloud: RunningCloud,
) -> None:
    table, user = table_of(cloud), somebody(0)
    now = datetime.now(UTC)
    url = f"{cloud.stack['ApiUrl'].replace('http', 'ws')}/live"

    def open_one(number: int) -> ClientConnection:
        secret = f"{user.uuid}-{number}"
        ends = now + timedelta(minutes=30)
        live.issue_ticket(table, user, secret, token_expires_at=ends, now=datetime.now(UTC))
        return until_the_end.enter_context(connect(f"{url}?ticket={secret}", proxy=None))

    with ExitStack() as until_the_end:
        with ThreadPoolExecutor(13) as executor:
            sockets = list(executor.map(open_one, range(13)))
        replaced_are_closed(table, user, sockets)
    eventually(lambda: None if table.list_connections(user.uuid) else True)


def replaced_are_closed(table: Repository, user: User, sockets: list[ClientConnection]) -> None:
    standing = table.list_connections(user.uuid)
    assert [connection.slot for connection in standing] == list(range(Connection.SLOTS))
    reasons = []
    for _ in range(3):
        closed = eventually(lambda: next(iter(closing(sockets)), None))
        reasons.append(json.loads(closed.recv()))
        with pytest.raises(ConnectionClosed):
            closed.recv()
        sockets.remove(closed)
    assert reasons == [{"type": "closing", "reason": "replaced"}] * 3
    for socket in sockets:
        socket.send("ping")
        assert json.loads(socket.recv()) == {"type": "pong"}


def closing(sockets: list[ClientConnection]) -> Iterator[ClientConnection]:
    """Those that the server has closed."""
    return (socket for socket in sockets if socket.protocol.close_rcvd is not None)


def test_of_those_who_race_with_one_ticket_one_gets_in(
    cloud: RunningCloud, people: dict[str, Person]
) -> None:
    url, ticket = ticket_of(people["grahams"])

    def status(_: int) -> int:
        try:
            until_the_end.enter_context(connect(f"{url}?ticket={ticket}", proxy=None))
        except InvalidStatus as answered:
            return answered.response.status_code
        return 101

    with ExitStack() as until_the_end, ThreadPoolExecutor(12) as executor:
        statuses = sorted(executor.map(status, range(12)))
    assert statuses == [101, *[401] * 11]


class Crowd:
    """Users with some connections each, who write to each other two by two."""

    def __init__(self, cloud: RunningCloud, *, users: int, connections: int) -> None:
        self._table = table_of(cloud)
        self._url = f"{cloud.stack['ApiUrl'].replace('http', 'ws')}/live"
        self.users = [somebody(number) for number in range(users)]
        self._connections = connections
        # By user and connection: what was told.
        self.told: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
        self._ready = threading.Semaphore(0)

    @contextmanager
    def connected(self) -> Iterator[None]:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_until_complete, args=[self._listen()])
        thread.start()
        try:
            for _ in range(len(self.users) * self._connections):
                self._ready.acquire()
            yield
        finally:
            loop.call_soon_threadsafe(self._stop.set)
            thread.join()
            loop.close()

    async def _listen(self) -> None:
        self._stop = asyncio.Event()
        few_at_a_time = asyncio.Semaphore(20)
        listeners = [
            asyncio.create_task(self._listen_one(user, number, few_at_a_time))
            for user in self.users
            for number in range(self._connections)
        ]
        await self._stop.wait()
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)

    async def _listen_one(self, user: User, number: int, turn: asyncio.Semaphore) -> None:
        async with AsyncExitStack() as until_the_end:
            async with turn:
                secret, now = f"{user.uuid}-{number}", datetime.now(UTC)
                ends = now + timedelta(hours=1)
                await asyncio.to_thread(
                    partial(live.issue_ticket, token_expires_at=ends, now=now),
                    *(self._table, user, secret),
                )
                opening = connect_async(
                    f"{self._url}?ticket={secret}", proxy=None, open_timeout=None
                )
                socket = await until_the_end.enter_async_context(opening)
            self._ready.release()
            async for text in socket:
                self.told[user.uuid, number].append(json.loads(text))

    def write(self, messages: int) -> dict[str, list[tuple[str, str]]]:
        """Let everybody write and be written to; each user's groups, with their last messages."""
        last = {}

        def talk(pair: tuple[User, User]) -> None:
            for number in range(messages):
                sender, receiver = pair if number % 2 else pair[::-1]
                result = message_groups.create_message_group(
                    self._table,
                    sender,
                    receiver,
                    SendRequest(message=f"message {number}"),
                    now=lambda: datetime.now(UTC),
                )
                last[pair] = (result.message.message_group_uuid, result.message.message_uuid)

        neighbours = [*self.users[1:], self.users[0]]
        pairs = list(zip(self.users, neighbours, strict=True))
        with ThreadPoolExecutor(8) as executor:
            list(executor.map(talk, pairs))
        return {
            user.uuid: [found for pair, found in last.items() if user in pair]
            for user in self.users
        }


@pytest.mark.parametrize(
    ("users", "connections", "messages"),
    [(10, 5, 3), pytest.param(100, 5, 6, marks=pytest.mark.proof)],
)
def test_every_connection_gets_its_users_hints_and_nobody_elses(
    cloud: RunningCloud, users: int, connections: int, messages: int
) -> None:
    crowd = Crowd(cloud, users=users, connections=connections)
    with crowd.connected():
        last = crowd.write(messages)

        def missing() -> int:
            return sum(
                wanted not in [(hint["uuid"], hint.get("message_uuid")) for hint in told]
                for (user, _), told in [(key, list(crowd.told[key])) for key in places]
                for wanted in last[user]
            )

        places = [(user.uuid, number) for user in crowd.users for number in range(connections)]
        eventually(lambda: True if missing() == 0 else None)
        for user, number in places:
            groups = {group for group, _ in last[user]}
            assert {hint["uuid"] for hint in crowd.told[user, number]} == groups


@contextmanager
def listening(cloud: LocalCloud, handle: str) -> Iterator[list[str]]:
    """A terminal with bin/live: its lines, as they come."""
    process = subprocess.Popen(
        [str(ROOT / "bin" / "live"), handle],
        env=cloud.environment,
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    assert process.stdout

    def read(shown: IO[str]) -> None:
        with shown:
            for line in shown:
                lines.append(line)

    reader = threading.Thread(target=read, args=[process.stdout])
    reader.start()
    try:
        yield lines
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    finally:
        process.kill()
        process.wait()
        reader.join()


def test_a_terminal_shows_what_its_user_is_told(
    cloud: RunningCloud, people: dict[str, Person]
) -> None:
    with listening(cloud.process, "grahams") as lines:
        eventually(partial(has_connected, lines, 1))
        sent = people["reef"].post(MESSAGES, message_group_uuid=GROUP, message="Shown.").json()
        eventually(partial(has_shown, lines, sent["uuid"]))
    (line,) = (line for line in lines if sent["uuid"] in line)
    assert line.split() == ["message_group", GROUP, sent["created_at"], sent["uuid"]]
    assert not [line for line in lines if "Interrupted" in line]


def test_a_terminal_ends_when_nobody_takes_what_it_shows(
    cloud: RunningCloud, people: dict[str, Person]
) -> None:
    with subprocess.Popen(
        [str(ROOT / "bin" / "live"), "grahams"],
        env=cloud.process.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stderr.readline().startswith("Connected")
        process.stdout.close()  # as `| head` does
        people["reef"].post(MESSAGES, message_group_uuid=GROUP, message="For nobody.")
        assert process.stderr.read() == ""
        assert process.wait() == 1


@pytest.mark.proof
def test_two_terminals_show_a_message_and_connect_again_after_a_kill(
    start_cloud: Callable[..., LocalCloud],
) -> None:
    cloud = start_cloud()
    stack = cloud.wait_until_ready()
    with listening(cloud, "grahams") as grahams, listening(cloud, "reef") as reef:
        both = (grahams, reef)

        def shows(number: int) -> None:
            for lines in both:
                eventually(partial(has_connected, lines, number))
            sent = write(cloud, stack)
            for lines in both:
                eventually(partial(has_shown, lines, sent))

        shows(1)
        cloud.kill()
        cloud = start_cloud(cloud.state)
        stack = cloud.wait_until_ready()
        shows(2)
    cloud.stop()


def has_connected(lines: list[str], times: int) -> bool | None:
    return sum(line.startswith("Connected") for line in lines) == times or None


def has_shown(lines: list[str], message_uuid: str) -> bool | None:
    return any(message_uuid in line for line in lines) or None


def write(cloud: LocalCloud, stack: dict[str, Any]) -> str:
    """Send a message as grahams; return its uuid."""
    token = subprocess.run(
        [str(ROOT / "bin" / "cognito" / "token"), "grahams"],
        env=cloud.environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    answer = httpx.post(
        f"{stack['ApiUrl']}{MESSAGES}",
        headers={"Authorization": f"Bearer {token}"},
        json={"message_group_uuid": GROUP, "message": "hello"},
        timeout=None,
        trust_env=False,
    )
    return str(answer.json()["uuid"])
