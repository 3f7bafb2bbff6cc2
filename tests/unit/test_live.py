"""Tickets and connections: who gets in, how many, and until when."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from messaging import live
from messaging.entities import Connection
from messaging.repository import Repository
from runtime.errors import UnauthorizedError
from runtime.user import User
from tests.fakes.channel import MemoryChannel
from tests.fakes.memory_repository import MemoryRepository
from tests.fakes.people import GRAHAMS, REEF, minute

NOW = minute(0)
TOKEN_ENDS = minute(30)


@pytest.fixture
def repository() -> MemoryRepository:
    return MemoryRepository()


@pytest.fixture
def channel() -> MemoryChannel:
    return MemoryChannel()


def issue(
    repository: Repository, secret: str, *, user: User = GRAHAMS, now: datetime = NOW
) -> None:
    live.issue_ticket(repository, user, secret, token_expires_at=TOKEN_ENDS, now=now)


def connect(
    repository: Repository, name: str, *, user: User = GRAHAMS, now: datetime = NOW
) -> Connection | None:
    issue(repository, f"ticket of {name}", user=user, now=now)
    return live.open_connection(repository, f"ticket of {name}", name, now=now)


def names(repository: Repository, user: User = GRAHAMS) -> set[str]:
    return {connection.connection_id for connection in repository.list_connections(user.uuid)}


def test_a_ticket_opens_one_connection_of_its_user(repository: MemoryRepository) -> None:
    issue(repository, "secret")
    assert live.open_connection(repository, "secret", "one", now=NOW) is None
    with pytest.raises(UnauthorizedError):
        live.open_connection(repository, "secret", "two", now=NOW)
    assert names(repository) == {"one"}
    (connection,) = repository.list_connections(GRAHAMS.uuid)
    assert connection.expires_at == TOKEN_ENDS


@pytest.mark.parametrize("wrong", ["", "another secret", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "\ud800"])
def test_nothing_else_opens_one(repository: MemoryRepository, wrong: str) -> None:
    issue(repository, "secret")
    with pytest.raises(UnauthorizedError):
        live.open_connection(repository, wrong, "one", now=NOW)
    assert names(repository) == set()


def test_a_ticket_is_good_for_thirty_seconds(repository: MemoryRepository) -> None:
    for number, (seconds, is_good) in enumerate([(29, True), (30, False), (86_400, False)]):
        issue(repository, f"secret {number}")
        later = NOW + timedelta(seconds=seconds)
        if is_good:
            live.open_connection(repository, f"secret {number}", str(number), now=later)
        else:
            with pytest.raises(UnauthorizedError):
                live.open_connection(repository, f"secret {number}", str(number), now=later)
    assert names(repository) == {"0"}


def test_a_ticket_does_not_outlive_the_token_that_it_was_given_for(
    repository: MemoryRepository,
) -> None:
    issue(repository, "secret", now=TOKEN_ENDS - timedelta(seconds=5))
    with pytest.raises(UnauthorizedError):
        live.open_connection(repository, "secret", "one", now=TOKEN_ENDS)


def test_nothing_that_is_stored_of_a_ticket_opens_a_connection(
    repository: MemoryRepository,
) -> None:
    issue(repository, "secret")
    for item in list(repository.items.values()):
        for value in map(str, item.values()):
            with pytest.raises(UnauthorizedError):
                live.open_connection(repository, value.rpartition("#")[2], "one", now=NOW)


def test_the_eleventh_connection_replaces_the_oldest(repository: MemoryRepository) -> None:
    for number in range(10):
        # Not in the order of their slots.
        assert connect(repository, str(number), now=NOW + timedelta(seconds=number)) is None
    connect(repository, "of reef", user=REEF)
    replaced = connect(repository, "10", now=NOW + timedelta(seconds=10))
    assert replaced
    assert replaced.connection_id == "0"
    assert names(repository) == {str(number) for number in range(1, 11)}
    assert repository.get_connection("0") is None
    assert names(repository, REEF) == {"of reef"}


def test_one_that_has_ended_makes_room_before_the_oldest(repository: MemoryRepository) -> None:
    for number in range(9):
        connect(repository, str(number), now=NOW + timedelta(seconds=number))
    live.issue_ticket(repository, GRAHAMS, "short", token_expires_at=minute(2), now=minute(1))
    live.open_connection(repository, "short", "ended", now=minute(1))
    replaced = connect(repository, "new", now=minute(3))
    assert replaced
    assert replaced.connection_id == "ended"


class Raced(MemoryRepository):
    """Whenever a connection is about to be written, others of the same user come before it."""

    def __init__(self, rivals: int) -> None:
        super().__init__()
        self.rivals = [f"rival {number}" for number in range(rivals)]
        self.replaced: list[str] = []

    def put_connection(self, connection: Connection, *, replaced: Connection | None) -> bool:
        if self.rivals:
            self.open(self.rivals.pop())
        return super().put_connection(connection, replaced=replaced)

    def open(self, name: str, *, seconds: int = 60) -> None:
        replaced = connect(self, name, now=NOW + timedelta(seconds=seconds))
        self.replaced += [replaced.connection_id] if replaced else []


def test_those_who_race_replace_the_oldest_ones_and_none_twice() -> None:
    repository = Raced(rivals=0)
    for number in range(10):
        repository.open(str(number), seconds=number)
    repository.rivals = [f"rival {number}" for number in range(4)]
    repository.open("last")
    assert sorted(repository.replaced) == ["0", "1", "2", "3", "4"]
    assert len(names(repository)) == 10
    assert {"last", "rival 0", "rival 3", "5", "9"} < names(repository)


def test_those_who_race_for_the_last_place_are_not_more_than_ten() -> None:
    repository = Raced(rivals=0)
    for number in range(9):
        repository.open(str(number), seconds=number)
    repository.rivals = ["rival"]
    repository.open("last")
    assert repository.replaced == ["0"]
    assert names(repository) == {*"12345678", "rival", "last"}


def test_a_write_whose_answer_was_lost_is_found() -> None:
    class Lost(MemoryRepository):
        def put_connection(self, connection: Connection, *, replaced: Connection | None) -> bool:
            super().put_connection(connection, replaced=replaced)
            return False

    repository = Lost()
    assert connect(repository, "one") is None
    assert names(repository) == {"one"}


def test_who_is_replaced_is_told_so_and_closed(channel: MemoryChannel) -> None:
    connection = Connection(
        user_uuid=GRAHAMS.uuid, slot=0, connection_id="one", connected_at=NOW, expires_at=minute(5)
    )
    channel.open.add("one")
    live.close_replaced(channel, connection, now=minute(1))
    assert channel.sent == [("one", {"type": "closing", "reason": "replaced"})]
    assert channel.open == set()


def test_a_ping_is_answered_until_the_token_ends(
    repository: MemoryRepository, channel: MemoryChannel
) -> None:
    connect(repository, "one")
    channel.open.add("one")
    live.keep_connection(repository, channel, "one", now=minute(29))
    assert channel.take() == [("one", {"type": "pong"})]
    live.keep_connection(repository, channel, "one", now=TOKEN_ENDS)
    assert channel.take() == [("one", {"type": "closing", "reason": "expired"})]
    assert channel.open == set()
    assert repository.items == {}


def test_a_ping_of_a_connection_that_nobody_knows_closes_it(
    repository: MemoryRepository, channel: MemoryChannel
) -> None:
    channel.open.add("one")
    live.keep_connection(repository, channel, "one", now=NOW)
    assert channel.open == set()


def test_a_closed_connection_is_forgotten_and_no_other(repository: MemoryRepository) -> None:
    connect(repository, "one")
    connect(repository, "two")
    for _ in range(2):  # the gateway may tell it twice
        live.forget_connection(repository, "one")
    assert names(repository) == {"two"}
    live.forget_connection(repository, "two")
    items: dict[Any, Any] = repository.items
    assert items == {}
