"""What is unread, what was seen, and that nobody's marks are lost or go back."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import partial
from random import Random
from uuid import UUID, uuid4

import pytest
from greenlet import getcurrent, greenlet

from messaging import bodies, keys, marks, message_groups
from messaging.entities import (
    Item,
    Marking,
    Marks,
    Members,
    Message,
    MessageGroupRow,
    Settings,
)
from messaging.errors import MessageGroupNotFoundError, UnreadableItemError
from messaging.message_groups import SendRequest
from messaging.repository import MOST_LOOKED_AT, Page, PageRequest
from messaging.stream import StreamProcessor
from runtime.user import User
from tests.fakes.memory_repository import MemoryRepository
from tests.fakes.people import BAYKO, GRAHAMS, REEF, minute
from tests.fakes.records import inserted
from tests.fakes.unread_model import Conversation, Side, position_of, shown_in
from tests.unit.schedules.scheduler import Scheduler, explore

ALL = PageRequest(limit=100)
# Every message has been written by then.
LATER = minute(100_000)


def begin(repository: MemoryRepository) -> Message:
    """Grahams begins to write to reef."""
    return message_groups.create_message_group(
        repository, GRAHAMS, REEF, SendRequest(message="hello"), now=lambda: minute(0)
    ).message


def write(repository: MemoryRepository, group: str, sender: User, *numbers: int) -> list[Message]:
    """Write a message a minute; the stream follows at once."""
    sent = [
        message_groups.create_message(
            repository, sender, group, SendRequest(message=f"{number}"), now=partial(minute, number)
        ).message
        for number in numbers
    ]
    StreamProcessor(repository, concurrency=1).process(inserted(*sent))
    return sent


def mark(
    repository: MemoryRepository, who: User, group: str, **marking: object
) -> marks.MarkedMessageGroup:
    return marks.mark_message_group(repository, who, group, Marking(**marking), now=LATER)  # type: ignore[arg-type]  # any mark


def read(repository: MemoryRepository, who: User, message: Message) -> marks.MarkedMessageGroup:
    group = message.message_group_uuid
    return mark(repository, who, group, read_sk=message.place, marked_unread=False)


def row(repository: MemoryRepository, who: User) -> MessageGroupRow:
    (found,) = message_groups.list_message_groups(repository, who, ALL).rows
    return found


def seen(repository: MemoryRepository, who: User, group: str) -> keys.Position | None:
    return marks.get_message_group(repository, who, group).seen_up_to


def test_a_new_group_is_unread_for_who_was_written_to(repository: MemoryRepository) -> None:
    group = begin(repository).message_group_uuid
    mine = marks.get_message_group(repository, GRAHAMS, group)
    assert (mine.row.is_unread, mine.unread_count) == (False, 0)
    theirs = marks.get_message_group(repository, REEF, group)
    assert (theirs.row.is_unread, theirs.unread_count) == (True, 1)
    assert theirs.row.marks.read_up_to is None


def test_reading_counts_down_to_nothing_and_a_message_counts_up(
    repository: MemoryRepository,
) -> None:
    first = begin(repository)
    group = first.message_group_uuid
    one, two = write(repository, group, GRAHAMS, 1, 2)
    counts = [read(repository, REEF, message).unread_count for message in (first, one, two)]
    assert counts == [2, 1, 0]
    assert not row(repository, REEF).is_unread
    write(repository, group, GRAHAMS, 3)
    assert marks.get_message_group(repository, REEF, group).unread_count == 1


def test_ones_own_messages_neither_count_nor_mark_as_read(repository: MemoryRepository) -> None:
    group = begin(repository).message_group_uuid
    write(repository, group, REEF, 1, 2, 3)
    assert marks.get_message_group(repository, REEF, group).unread_count == 1
    assert marks.get_message_group(repository, GRAHAMS, group).unread_count == 3


def test_a_mark_never_goes_back(repository: MemoryRepository) -> None:
    first = begin(repository)
    (later,) = write(repository, first.message_group_uuid, GRAHAMS, 1)
    read(repository, REEF, later)
    after = read(repository, REEF, first)
    assert after.row.marks.read_up_to == later.position
    assert after.unread_count == 0


def test_a_mark_may_be_ahead_of_the_row(repository: MemoryRepository) -> None:
    group = begin(repository).message_group_uuid
    ahead = message_groups.create_message(
        repository, GRAHAMS, group, SendRequest(message="on its way"), now=lambda: minute(1)
    ).message
    assert read(repository, REEF, ahead).unread_count == 0
    StreamProcessor(repository, concurrency=1).process(inserted(ahead))
    assert not row(repository, REEF).is_unread


class WritesRepository(MemoryRepository):
    """Notes what is written to rows, and how often MEMBERS is read."""

    def __init__(self) -> None:
        super().__init__()
        self.markings: list[Marking] = []
        self.written = 0
        self.readings = 0

    def mark_row(self, owner_uuid: str, message_group_uuid: str, marking: Marking) -> Item | None:
        self.markings.append(marking)
        answer = super().mark_row(owner_uuid, message_group_uuid, marking)
        self.written += answer is None
        return answer

    def get_members(self, message_group_uuid: str) -> Members | None:
        self.readings += 1
        return super().get_members(message_group_uuid)


def test_a_mark_of_what_is_read_writes_nothing_but_takes_the_flag_away() -> None:
    repository = WritesRepository()
    first = begin(repository)
    group = first.message_group_uuid

    def writes(marking: Marking) -> int:
        before = repository.written
        marks.mark_message_group(repository, REEF, group, marking, now=LATER)
        return repository.written - before

    reading = Marking(read_sk=first.place, marked_unread=False)
    assert [writes(reading) for _ in range(3)] == [1, 0, 0]
    assert writes(Marking(marked_unread=True)) == 1
    assert row(repository, REEF).is_unread
    assert [writes(reading) for _ in range(2)] == [1, 0]
    assert not row(repository, REEF).is_unread
    # What else is marked is written all the same.
    assert [writes(replace(reading, muted=True)) for _ in range(2)] == [1, 0]
    assert [writes(replace(reading, muted=False)) for _ in range(2)] == [1, 0]


def test_a_row_that_is_flagged_and_has_nothing_new_counts_nothing(
    repository: MemoryRepository,
) -> None:
    group = begin(repository).message_group_uuid
    flagged = mark(repository, GRAHAMS, group, marked_unread=True)
    assert (flagged.row.is_unread, flagged.unread_count) == (True, 0)
    assert marks.count_unread(repository, [row(repository, GRAHAMS)]) == {group: 0}


def test_a_flag_that_is_set_together_with_a_mark_stays(repository: MemoryRepository) -> None:
    first = begin(repository)
    group = first.message_group_uuid
    for _ in range(2):
        after = mark(repository, REEF, group, read_sk=first.place, marked_unread=True)
        assert after.row.marks == Marks(read_sk=first.place, marked_unread=True)


def test_muting_is_ones_own_and_changes_nothing_else(repository: MemoryRepository) -> None:
    group = begin(repository).message_group_uuid
    muted = mark(repository, REEF, group, muted=True)
    assert (muted.row.marks.muted, muted.row.is_unread, muted.unread_count) == (True, True, 1)
    assert not row(repository, GRAHAMS).marks.muted
    assert not mark(repository, REEF, group, muted=False).row.marks.muted


def test_a_count_ends_at_a_hundred(repository: MemoryRepository) -> None:
    group = begin(repository).message_group_uuid
    counts = []
    for numbers in (range(1, 99), range(100, 101), range(200, 201), range(300, 305)):
        write(repository, group, GRAHAMS, *numbers)
        counts.append(marks.get_message_group(repository, REEF, group).unread_count)
    assert counts == [99, 100, 100, 100]


def test_of_somebody_who_never_reads_the_newest_thousand_messages_are_counted(
    repository: MemoryRepository,
) -> None:
    group = begin(repository).message_group_uuid
    write(repository, group, REEF, *range(1, MOST_LOOKED_AT))
    write(repository, group, GRAHAMS, MOST_LOOKED_AT)
    # Of the two by grahams the first is too far away.
    assert marks.get_message_group(repository, REEF, group).unread_count == 1
    # What reef wrote since takes nothing away from what is looked at.
    write(repository, group, REEF, *range(2000, 2000 + MOST_LOOKED_AT))
    assert marks.get_message_group(repository, REEF, group).unread_count == 1


def test_a_refusal_costs_the_same_whether_the_group_exists_or_not() -> None:
    repository = WritesRepository()
    group = begin(repository).message_group_uuid
    for member in (GRAHAMS, REEF):
        mark(repository, member, group, muted=True)
    before = deepcopy(repository.items)

    def refuse(group: str) -> tuple[int, int]:
        readings, markings = repository.readings, len(repository.markings)
        with pytest.raises(MessageGroupNotFoundError):
            mark(repository, BAYKO, group, muted=True)
        with pytest.raises(MessageGroupNotFoundError):
            marks.get_message_group(repository, BAYKO, group)
        return repository.readings - readings, len(repository.markings) - markings

    assert [refuse(group), refuse(str(uuid4())), refuse(group)] == [(2, 0)] * 3
    assert repository.items == before


def test_a_member_without_a_row_is_an_operators_matter(repository: MemoryRepository) -> None:
    group = begin(repository).message_group_uuid
    del repository.items[keys.message_group_pk(REEF.uuid), group]
    with pytest.raises(UnreadableItemError):
        marks.get_message_group(repository, REEF, group)
    for marking in (Marking(muted=True), Marking(read_sk=keys.format_time(minute(1)) + "#x")):
        with pytest.raises(UnreadableItemError):
            marks.mark_message_group(repository, REEF, group, marking, now=LATER)
    # The other member does not suffer.
    assert seen(repository, GRAHAMS, group) is None


def test_how_far_the_other_has_read_is_seen_where_both_let_it(
    repository: MemoryRepository,
) -> None:
    first = begin(repository)
    group = first.message_group_uuid
    assert seen(repository, REEF, group) == first.position
    assert seen(repository, GRAHAMS, group) is None
    read(repository, REEF, first)
    assert seen(repository, GRAHAMS, group) == first.position
    for refuses in (GRAHAMS, REEF):
        repository.put_settings(Settings(user_uuid=refuses.uuid, read_receipts=False))
        for reader in (GRAHAMS, REEF):
            shown = marks.get_message_group(repository, reader, group)
            assert (shown.shares_receipts, shown.seen_up_to) == (False, None)
            assert "seen_up_to" not in bodies.marked_message_group_body(shown)
        repository.put_settings(Settings(user_uuid=refuses.uuid))
        assert seen(repository, GRAHAMS, group) == first.position


class LaggingIndex(MemoryRepository):
    """The list index shows the table as it was when it caught up last."""

    def __init__(self) -> None:
        super().__init__()
        self.index = MemoryRepository()

    def catch_up(self) -> None:
        self.index.items = deepcopy(self.items)

    def list_message_groups(self, user_uuid: str, request: PageRequest) -> Page[MessageGroupRow]:
        return self.index.list_message_groups(user_uuid, request)


@pytest.mark.parametrize("seed", range(20))
def test_a_list_behind_a_mark_shows_what_was_and_the_group_what_is(seed: int) -> None:
    """At every moment a list is what a plain model said when its index caught up last."""
    random, repository = Random(seed), LaggingIndex()
    first = begin(repository)
    group = first.message_group_uuid
    model = Conversation(sides={user.handle: Side() for user in (GRAHAMS, REEF)})
    model.write("grahams", place_of(first), begins=True)
    repository.catch_up()
    was = deepcopy(model)
    for turn in range(1, 60):
        who = random.choice([GRAHAMS, REEF])
        match random.choice(["write", "write", "read", "flag", "mute", "catch up"]):
            case "write":
                for message in write(repository, group, who, turn):
                    model.write(who.handle, place_of(message))
            case "read":
                listed = repository.list_messages(group, ALL).rows
                message = random.choice(listed)
                read(repository, who, message)
                model.read(who.handle, place_of(message))
            case "flag":
                mark(repository, who, group, marked_unread=True)
                model.sides[who.handle].marked_unread = True
            case "mute":
                muted = random.random() < 0.5
                mark(repository, who, group, muted=muted)
                model.sides[who.handle].muted = muted
            case _:
                repository.catch_up()
                was = deepcopy(model)
        for user in (GRAHAMS, REEF):
            page = message_groups.list_message_groups(repository, user, ALL).rows
            counts = marks.count_unread(repository, page)
            body = bodies.message_group_body(page[0], unread_count=counts[group])
            assert shown_in(body) == was.row(user.handle)
            now = bodies.marked_message_group_body(marks.get_message_group(repository, user, group))
            assert shown_in(now) == model.group(user.handle)


def place_of(message: Message) -> tuple[str, str]:
    position = position_of(bodies.message_body(message))
    assert position
    return position


# ------------------------------------------------------- several clients of one person

PLACES = [keys.message_sk(keys.Position(minute(at), str(UUID(int=at)))) for at in range(4)]
READINGS = [Marking(read_sk=place, marked_unread=False) for place in PLACES]
CLIENTS = [
    [READINGS[1], READINGS[3]],
    [replace(READINGS[2], muted=True)],
    [READINGS[3], READINGS[1]],
]


class Interleaved(MemoryRepository):
    """Every write of a client waits for its turn, and may be sent twice."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self.scheduler = scheduler
        self.clients: dict[str, greenlet] = {}

    def mark_row(self, owner_uuid: str, message_group_uuid: str, marking: Marking) -> Item | None:
        self.switch()
        write = partial(self.write, owner_uuid, message_group_uuid, marking)
        answer = write()
        if self.scheduler.choose("answered", ["sent again"]) != "answered":
            self.switch()
            answer = write()
        return answer

    def write(self, owner_uuid: str, message_group_uuid: str, marking: Marking) -> Item | None:
        return super().mark_row(owner_uuid, message_group_uuid, marking)

    def switch(self) -> None:
        parent = getcurrent().parent
        assert parent
        parent.switch()

    def run(self, group: str, clients: list[list[Marking]]) -> Iterator[Marks]:
        """Let clients go on, one write at a time in every order; yield the marks after each."""
        for number, markings in enumerate(clients):

            def work(markings: list[Marking] = markings) -> None:
                for marking in markings:
                    marks.mark_row(self, REEF.uuid, group, marking)

            self.clients[f"client {number}"] = greenlet(work)
        while self.clients:
            name = self.scheduler.choose_freely(list(self.clients))
            self.clients[name].switch()
            if self.clients[name].dead:
                del self.clients[name]
            yield row(self, REEF).marks


class Unconditional(Interleaved):
    """Sets what is read wherever the mark is: what the condition is there for."""

    def write(self, owner_uuid: str, message_group_uuid: str, marking: Marking) -> Item | None:
        key = keys.message_group_pk(owner_uuid), keys.message_group_sk(message_group_uuid)
        self.items[key] = {n: v for n, v in self.items[key].items() if n != "read_sk"}
        return super().write(owner_uuid, message_group_uuid, marking)


def orders(
    kind: type[Interleaved], clients: list[list[Marking]], *, sent_again: int
) -> Iterator[bool]:
    """Run the clients' writes in every order; yield whether a mark is lost in it."""
    lost = False

    def attempt(scheduler: Scheduler) -> None:
        nonlocal lost
        repository = kind(scheduler)
        group = begin(repository).message_group_uuid
        history = [marked.read_sk or "" for marked in repository.run(group, clients)]
        lost = history != sorted(history) or history[-1] != PLACES[3]

    for _ in explore(attempt, faults=sent_again):
        yield lost


@pytest.mark.parametrize(
    ("clients", "sent_again"),
    [(2, 1), (3, 0), pytest.param(3, 1, marks=pytest.mark.proof)],
)
def test_in_no_order_of_several_clients_a_mark_goes_back_or_is_lost(
    clients: int, sent_again: int
) -> None:
    found = list(orders(Interleaved, CLIENTS[:clients], sent_again=sent_again))
    assert len(found) > 50
    assert not any(found)


def test_without_its_condition_a_mark_would_be_lost() -> None:
    assert any(orders(Unconditional, CLIENTS, sent_again=1))


def test_marks_that_overlap_end_as_if_one_came_after_the_other() -> None:
    """Also where one of them takes two writes, since its owner has read as far already."""
    before = Marking(read_sk=PLACES[2], marked_unread=True, muted=True)
    one, other = replace(READINGS[1], muted=True), Marking(marked_unread=True, muted=False)
    ends: set[Marks] = set()

    def attempt(scheduler: Scheduler) -> None:
        repository = Interleaved(scheduler)
        group = begin(repository).message_group_uuid
        repository.write(REEF.uuid, group, before)
        *_, end = repository.run(group, [[one], [other]])
        ends.add(end)

    number = sum(1 for _ in explore(attempt, faults=1))
    assert number > 10
    after_one = Marks(read_sk=PLACES[2], marked_unread=False, muted=True)
    after_other = Marks(read_sk=PLACES[2], marked_unread=True, muted=False)
    assert ends == {after_one, after_other}
