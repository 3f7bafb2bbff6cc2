"""An adoption, step by step: messages that land at any step, crashes at any step.

In memory, so that every step can be tried; test_reconcile has the same on DynamoDB's conditions.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

import pytest

from commands.reconcile import run
from commands.reconcile.digest import Rules
from commands.reconcile.group import Reconciler, Result
from messaging import keys
from messaging.entities import Item, Message, MessageGroupRow, advances
from messaging.repository import PageRequest
from messaging.stream import StreamProcessor
from runtime.user import User
from tests.fakes.adopted import message_item, row_item
from tests.fakes.memory_table import MemoryTable
from tests.fakes.people import GRAHAMS, REEF, minute
from tests.fakes.records import inserted

GROUP = str(UUID(int=1))
# As strings they are in another order than as instants.
FIRST = "2026-12-31T23:50:00.000000+00:00"
SECOND = "2027-01-01T05:24:00+05:30"
THIRD = "2026-12-31T23:55:00+00:00"
NOW = minute(1)
RULES = Rules()

type Key = tuple[str, str]


class CrashError(Exception):
    """The process is gone."""


class Stepped:
    """The table as reconcile sees it: `before` happens before each call, `after` after it."""

    def __init__(self, table: MemoryTable) -> None:
        self._table = table
        self.calls = 0
        self.before: Callable[[int], None] = lambda _: None
        self.after: Callable[[int], None] = lambda _: None

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._table, name)

        def call(*arguments: Any) -> Any:
            number, self.calls = self.calls, self.calls + 1
            self.before(number)
            answer = member(*arguments)
            self.after(number)
            return answer

        return call


def old_table() -> MemoryTable:
    """A conversation of the bootcamp's application; one of its rows is behind."""
    table = MemoryTable()
    table.put(
        message_item(GROUP, FIRST, GRAHAMS, number=0, text="number 0"),
        message_item(GROUP, SECOND, REEF, number=1, text="number 1"),
        message_item(GROUP, THIRD, GRAHAMS, number=2, text="number 2"),
        row_item(GROUP, THIRD, GRAHAMS, REEF, text="number 2") | {"muted": True},
        row_item(GROUP, SECOND, REEF, GRAHAMS, text="number 1"),
    )
    return table


def table_ahead() -> MemoryTable:
    """An adopted conversation whose rows stand ahead of all messages, and show something else."""
    table = old_table()
    adopt(table)
    place = keys.message_sk(keys.Position(minute(500), "x"))
    for key, item in list(table.items.items()):
        if key[0].startswith(keys.MESSAGE_GROUP_PREFIX):
            table.put(item | {"last_sk": place, "their_sk": place, "message": "else"})
    return table


def adopt(table: Any) -> list[Result]:
    reconciler = Reconciler(table, rules=RULES, now=lambda: NOW, sleep=lambda _: None)
    return list(run.whole_table(reconciler, workers=1))


def deliver(table: MemoryTable, *messages: Message) -> None:
    report = StreamProcessor(table, clock=lambda: NOW, concurrency=1).process(inserted(*messages))
    assert report.failed == []


def live_message(sender: User) -> Message:
    sk = keys.message_sk(keys.Position(NOW - timedelta(seconds=1), str(UUID(int=7))))
    return Message.from_sender(sender, message_group_uuid=GROUP, sk=sk, message="live")


def assert_right(table: MemoryTable) -> None:
    """Everything is in its place, and both rows are what the messages say."""
    items = [item for (pk, _), item in table.items.items() if pk == keys.message_pk(GROUP)]
    messages = [Message.from_item(item) for item in items]
    assert all(message.sk == message.place for message in messages)
    last = max(messages, key=lambda message: message.place)
    expected = []
    for owner, other in ((GRAHAMS, REEF), (REEF, GRAHAMS)):
        row = MessageGroupRow.for_owner(owner.uuid, other=other, last=last).to_item()
        for step in advances(messages, owner.uuid):
            row |= step.attributes
        del row["read_sk"]  # how far it is filled in depends on when
        expected.append(row | ({"muted": True} if owner is GRAHAMS else {}))
    rows = [i for (pk, _), i in table.items.items() if pk.startswith(keys.MESSAGE_GROUP_PREFIX)]
    assert all("read_sk" in row for row in rows)
    found = sorted(
        ({name: value for name, value in row.items() if name != "read_sk"} for row in rows),
        key=lambda row: str(row["pk"]),
    )
    assert found == expected
    listed = table.list_messages(GROUP, PageRequest(limit=10)).rows
    assert listed == sorted(messages, key=lambda message: message.position, reverse=True)
    assert len(listed) == len({message.message_uuid for message in listed})


@cache
def number_of_calls(prepare: Callable[[], MemoryTable]) -> int:
    stepped = Stepped(prepare())
    adopt(stepped)
    return stepped.calls


PREPARED = pytest.mark.parametrize("prepare", [old_table, table_ahead])


@PREPARED
@pytest.mark.parametrize("sender", [GRAHAMS, pytest.param(REEF, marks=pytest.mark.proof)])
def test_a_message_that_lands_at_any_step_moves_both_rows(
    prepare: Callable[[], MemoryTable], sender: User
) -> None:
    for lands in range(number_of_calls(prepare)):
        for moved in range(lands, number_of_calls(prepare) + 1):
            table, message = prepare(), live_message(sender)
            stepped = Stepped(table)

            def live(number: int, *, lands: int = lands, moved: int = moved) -> None:
                if number == lands:
                    table.put_message(message)  # noqa: B023  # used within this round
                if number == moved:
                    deliver(table, message)  # noqa: B023

            stepped.before = live
            assert [result.left for result in adopt(stepped)] == [[]]
            if stepped.calls <= moved:
                deliver(table, message)
            assert_right(table)


@PREPARED
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_that_crashes_at_any_step_is_ended_by_the_next(
    prepare: Callable[[], MemoryTable], when: str
) -> None:
    expected = prepare()
    adopt(expected)
    for crash in range(number_of_calls(prepare)):
        table = prepare()
        stepped = Stepped(table)

        def stop(number: int, *, crash: int = crash) -> None:
            if number == crash:
                raise CrashError

        setattr(stepped, when, stop)
        with pytest.raises(CrashError):
            adopt(stepped)
        assert [result.left for result in adopt(table)] == [[]]
        assert table.items == expected.items


@PREPARED
def test_what_an_owner_sets_at_any_step_is_kept(prepare: Callable[[], MemoryTable]) -> None:
    for sets in range(number_of_calls(prepare)):
        table = prepare()
        stepped = Stepped(table)
        key = keys.message_group_pk(REEF.uuid), keys.message_group_sk(GROUP)
        read = keys.sk_before(keys.Position(minute(0)))
        has_set: list[Item] = []

        def mark(number: int, *, sets: int = sets) -> None:
            # The owner's write asks for the row, as all writes to rows do.
            if number == sets and (row := table.get(*key)):  # noqa: B023
                has_set.append(row)  # noqa: B023
                table.put(row | {"read_sk": read})  # noqa: B023

        stepped.before = mark
        assert [result.left for result in adopt(stepped)] == [[]]
        assert (table.items[key]["read_sk"] == read) == bool(has_set)
        assert_right(table)
