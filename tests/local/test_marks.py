"""What two people are shown as unread and seen is what a plain model says, whatever goes wrong.

They write, read, flag and mute at random, each from several clients, while calls of the table go
wrong and the workers of E are killed. At every quiet moment lists and groups are exact.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.fakes.unread_model import Conversation, Position, Side, position_of, shown_in
from tests.local.conftest import RunningCloud
from tests.local.test_application import GROUPS, MESSAGES, Person
from tests.local.test_faults import FaultyCloud, faulty_cloud, kill_workers, send
from tests.waiting import LOOKS, eventually

__all__ = ["faulty_cloud"]

PEOPLE = ("lagoon", "harbor")
CLIENTS = 3  # of each of the two
STEPS = 6  # of each client, from one quiet moment to the next


def answered(request: Callable[[], httpx.Response]) -> Any:
    """Ask until it is answered, as a client does whose requests may be repeated."""
    for _ in range(LOOKS):
        answer = request()
        if answer.status_code == 200:
            return answer.json()
        assert answer.status_code in {500, 503}, answer.text
    pytest.fail("a request was not answered")


class Talk:
    """One conversation of two people, and the model of it."""

    def __init__(self, cloud: FaultyCloud) -> None:
        self.people = {
            name: Person(cloud.running, name, cloud.running.token(name)) for name in PEOPLE
        }
        self.model = Conversation(sides={name: Side() for name in PEOPLE})
        self._lock = threading.Lock()
        body = {"handle": PEOPLE[1], "message": "hello", "message_uuid": str(uuid4())}
        first = send(self.people[PEOPLE[0]], body)
        self.group = first["message_group_uuid"]
        self.model.write(PEOPLE[0], self.position(first), begins=True)

    @staticmethod
    def position(body: dict[str, Any]) -> Position:
        found = position_of(body)
        assert found
        return found

    def patch(self, who: str, target: str, **body: Any) -> Any:
        person = self.people[who]
        return answered(lambda: person.request("PATCH", target, json=body))

    def mark(self, who: str, **body: Any) -> Any:
        return self.patch(who, f"{GROUPS}/{self.group}", **body)

    def write(self, who: str, text: str) -> None:
        body = {
            "message_group_uuid": self.group,
            "message": text,
            "message_uuid": str(uuid4()),
        }
        sent = send(self.people[who], body)
        with self._lock:
            self.model.write(who, self.position(sent))

    def read(self, who: str, random: Random) -> None:
        """Read up to any message of the newest page: also up to one that was read before."""
        page = answered(lambda: self.people[who].get(f"{MESSAGES}/{self.group}"))
        message = random.choice(page)
        read_up_to = {"created_at": message["created_at"], "uuid": message["uuid"]}
        shown = self.mark(who, read_up_to=read_up_to)
        assert self.position(shown["read_up_to"]) >= self.position(message)
        with self._lock:
            self.model.read(who, self.position(message))

    def mute(self, who: str, *, muted: bool) -> None:
        self.mark(who, muted=muted)
        self.model.sides[who].muted = muted

    def live(self, who: str, client: int, seed: int) -> None:
        """Be one client of one of the two."""
        random = Random(seed)
        for step in range(STEPS):
            match random.choice(["write", "read", "mute"]):
                case "read":
                    self.read(who, random)
                case "mute" if client == 0:  # of calls that overlap any may be the last
                    self.mute(who, muted=random.random() < 0.5)
                case _:
                    self.write(who, f"{who} {client} {step}")

    def rest(self, who: str, random: Random) -> None:
        """Do what nothing else may overlap: reading takes a flag away."""
        if random.random() < 0.6:
            self.mark(who, marked_unread=True)
            self.model.sides[who].marked_unread = True
        if random.random() < 0.4:
            shares = random.random() < 0.5
            self.patch(who, "/api/me", read_receipts=shares)
            self.model.sides[who].read_receipts = shares

    def shown(self, who: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the list and the group itself show to one of the two."""
        person = self.people[who]
        rows = answered(lambda: person.get(f"{GROUPS}?limit=100&counts=true"))
        (row,) = [row for row in rows if row["uuid"] == self.group]
        group = answered(lambda: person.get(f"{GROUPS}/{self.group}"))
        return shown_in(row), shown_in(group)

    def expected(self, who: str) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.model.row(who), self.model.group(who)


@pytest.mark.parametrize("rounds", [1, pytest.param(25, marks=pytest.mark.proof)])
def test_what_is_unread_and_seen_is_exact_at_every_quiet_moment(
    faulty_cloud: FaultyCloud, rounds: int, tell: Callable[[str], None]
) -> None:
    random, proxy = Random(20261121), faulty_cloud.proxy
    talk = Talk(faulty_cloud)
    for _ in range(rounds):
        proxy.faulty = True
        with ThreadPoolExecutor(len(PEOPLE) * CLIENTS) as executor:
            living = [
                executor.submit(talk.live, who, client, random.getrandbits(32))
                for who in PEOPLE
                for client in range(CLIENTS)
            ]
            # So that there is something for E's workers to do when they are killed.
            talk.write(PEOPLE[0], "again")
            kill_workers(faulty_cloud)
            for client in living:
                client.result()
        for who in PEOPLE:
            talk.rest(who, random)
        proxy.faulty = False
        for who in PEOPLE:
            eventually(lambda who=who: talk.shown(who) == talk.expected(who) or None)  # type: ignore[misc]  # of this round
        assert all(talk.shown(who) == talk.expected(who) for who in PEOPLE)
    happened = proxy.happened
    tell(f"{len(talk.model.messages)} messages, {happened.total()} faults: {dict(happened)}")
    assert {name.split()[0] for name in happened} >= {"UpdateItem", "BatchGetItem", "Query"}


READERS = 20
READINGS = 5


def test_of_twenty_clients_of_one_person_none_moves_a_mark_back(cloud: RunningCloud) -> None:
    writer, reader = (Person(cloud, name, cloud.token(name)) for name in PEOPLE)
    sent = [
        writer.post(MESSAGES, handle=reader.handle, message=f"{number}").json()
        for number in range(READERS)
    ]
    target = f"{GROUPS}/{sent[0]['message_group_uuid']}"
    reading = threading.Event()

    def read(client: int) -> list[Position]:
        """Mark at random; whatever others mark meanwhile, one's own mark holds."""
        random, known, marks = Random(client), ("", ""), []
        for _ in range(READINGS):
            message = random.choice(sent)
            marks.append(Talk.position(message))
            position = {"created_at": message["created_at"], "uuid": message["uuid"]}
            answer = reader.request("PATCH", target, json={"read_up_to": position})
            assert answer.status_code == 200, answer.text
            marked = Talk.position(answer.json()["read_up_to"])
            assert marked >= max(known, marks[-1])
            known = marked
            reading.set()
        return marks

    def watch() -> list[Position]:
        reading.wait()
        seen = []
        while reading.is_set():
            seen.append(Talk.position(reader.get(target).json()["read_up_to"]))
        return seen

    with ThreadPoolExecutor(READERS + 1) as executor:
        watching = executor.submit(watch)
        clients = [executor.submit(read, client) for client in range(READERS)]
        try:
            for client in clients:
                client.result()
        finally:
            reading.clear()
        history = watching.result()
    assert history == sorted(history)
    marked = {position for client in clients for position in client.result()}
    assert Talk.position(reader.get(target).json()["read_up_to"]) == max(marked)
