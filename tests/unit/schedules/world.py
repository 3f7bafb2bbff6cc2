"""A table whose calls fail, whose index lags, and Lambda, which delivers its stream.

People are three, message groups two: grahams writes with reef and with bayko. A `Story` says
which messages were written; the scheduler says how they are delivered and what goes wrong.

A run of the function is a greenlet: at any of its calls it can be left hanging while others go
on, and be resumed at any call of another, or at the end of all. A write that its client has given
up is such a thing, too.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache, partial
from typing import Any
from uuid import UUID

from greenlet import getcurrent, greenlet

from commands.reconcile.digest import Rules
from commands.reconcile.group import Reconciler
from commands.reconcile.plan import Write
from messaging import keys, marks
from messaging.entities import (
    Advance,
    Failed,
    Item,
    Marking,
    Marks,
    Members,
    Message,
    MessageGroupRow,
    Pair,
    preview,
)
from messaging.repository import Repository
from messaging.stream import Report, StreamProcessor
from runtime.errors import TryAgainError
from runtime.user import User
from sam_offline.batches import Batch, after
from sam_offline.stack import StreamMapping
from tests.fakes.memory_repository import MemoryRepository
from tests.fakes.memory_table import MemoryTable
from tests.fakes.people import BAYKO, GRAHAMS, REEF
from tests.fakes.records import inserted
from tests.unit.schedules.scheduler import Scheduler

NOON = datetime(2026, 12, 31, 12, tzinfo=UTC)
GROUPS = {"reef": str(UUID(int=1)), "bayko": str(UUID(int=2))}
PEOPLE = {"grahams": GRAHAMS, "reef": REEF, "bayko": BAYKO}

type Key = tuple[str, str]
# A row: whose list it is in, and whom the conversation is with.
type Slot = tuple[str, str]

# The four rows.
SLOTS: dict[Key, Slot] = {
    (keys.message_group_pk(PEOPLE[owner].uuid), keys.message_group_sk(group)): (owner, other)
    for handle, group in GROUPS.items()
    for owner, other in (("grahams", handle), (handle, "grahams"))
}
# Those that go forward; what E sets beside them belongs to them.
REGISTERS = ("last_sk", "their_sk")
FLAGGED = Marking(marked_unread=True, muted=True)

# By then every fault has had its turn.
MAX_DELIVERIES = 40
# Runs of the function at a time.
MAX_RUNS = 3

# Nothing is ever given up; the rest is as in the template.
MAPPING = StreamMapping(
    name="NewMessages",
    function="UpdateMessageGroups",
    stream_arn="",
    starting_position="TRIM_HORIZON",
    reports_failures=True,
    bisect=True,
)

type Environment = Callable[[Repository], StreamProcessor]


class BrokenError(AssertionError):
    """What no schedule may bring about."""


class Crash(BaseException):  # it is not an error that code may catch
    """The function's process is gone."""


@dataclass(frozen=True)
class Written:
    """A message: whose group with grahams, who wrote it, when.

    Attributes
    ----------
    offset
        Of its key, in hours; None for the key that this project writes.
    name
        The sender's display name by then.
    poison
        Its record cannot be read.
    """

    group: str
    sender: str
    minute: int
    offset: float | None = None
    name: str = ""
    poison: bool = False

    def message(self, number: int) -> Message:
        time = NOON + timedelta(minutes=self.minute)
        if self.offset is None:
            sk = keys.message_sk(keys.Position(time, str(UUID(int=100 + number))))
        else:
            sk = time.astimezone(timezone(timedelta(hours=self.offset))).isoformat()
        return Message(
            message_group_uuid=GROUPS[self.group],
            sk=sk,
            message_uuid=str(UUID(int=100 + number)),
            message=f"message {number}",
            user_uuid=PEOPLE[self.sender].uuid,
            user_display_name=self.name or PEOPLE[self.sender].display_name,
            user_handle=self.sender,
        )


@dataclass(frozen=True)
class Story:
    """What was written: the first message of each group, then those that the stream brings.

    Attributes
    ----------
    offset
        Of the first messages' keys.
    missing
        A row that somebody has deleted.
    repaired
        Somebody runs reconcile, at any time and in the end.
    several_clients
        Owners also read with a client whose marks come late.
    """

    name: str
    messages: tuple[Written, ...]
    offset: float | None = None
    missing: Slot | None = None
    repaired: bool = False
    several_clients: bool = False


@dataclass(frozen=True)
class Beginning:
    """What a story leaves in the table and in its stream, and what must come of it."""

    items: dict[Key, Item]
    # Each message is written before its record can be delivered.
    messages: tuple[Message, ...]
    records: tuple[dict[str, Any], ...]
    # What every list shows in the end.
    end: dict[Slot, Item]
    # The groups of which records are parked.
    parked: frozenset[str]
    several_clients: bool


@cache
def beginning(story: Story) -> Beginning:
    """Write the messages of `story`."""
    table = MemoryRepository()
    good: dict[str, list[Message]] = {}
    for number, (handle, group) in enumerate(GROUPS.items()):
        first = Written(handle, handle, -number, story.offset).message(-1 - number)
        pair = (GRAHAMS, PEOPLE[handle])
        table.put(
            Pair(user_uuids=(pair[0].uuid, pair[1].uuid), message_group_uuid=group),
            Members(
                message_group_uuid=group,
                member_uuids=frozenset(user.uuid for user in pair),
                created_at=NOON,
            ),
            MessageGroupRow.for_owner(pair[0].uuid, other=pair[1], last=first),
            MessageGroupRow.for_owner(pair[1].uuid, other=pair[0], last=first),
            first,
        )
        good[group] = [first]
    messages = tuple(written.message(number) for number, written in enumerate(story.messages))
    records = []
    parked = set()
    for written, message in zip(story.messages, messages, strict=True):
        (record,) = inserted(message)
        if written.poison:
            del record["dynamodb"]["NewImage"]["message"]
            parked.add(message.message_group_uuid)
        else:
            good[message.message_group_uuid].append(message)
        records.append(record)
    end = {
        slot: _shown(PEOPLE[slot[0]], PEOPLE[slot[1]], good[group]).to_item()
        for (_, group), slot in SLOTS.items()
    }
    for key, slot in SLOTS.items():
        if slot == story.missing:
            del table.items[key]
            parked.add(key[1])
            if not story.repaired:
                del end[slot]
    return Beginning(
        items=table.items,
        messages=messages,
        records=tuple(records),
        end=end,
        parked=frozenset(parked),
        several_clients=story.several_clients,
    )


def _shown(owner: User, other: User, messages: Sequence[Message]) -> MessageGroupRow:
    """Return what the list of `owner` shows of a group with these messages."""
    ordered = sorted(messages, key=lambda message: message.position)
    theirs = [message for message in ordered if message.user_uuid == other.uuid]
    return MessageGroupRow(
        owner_uuid=owner.uuid,
        message_group_uuid=ordered[-1].message_group_uuid,
        last_sk=ordered[-1].place,
        their_sk=theirs[-1].place if theirs else None,
        message=preview(ordered[-1].message),
        user_uuid=other.uuid,
        user_display_name=theirs[-1].user_display_name if theirs else other.display_name,
        user_handle=theirs[-1].user_handle if theirs else other.handle,
    )


class World(MemoryTable):
    """The table, seen by the function under test."""

    def __init__(self, story: Story, scheduler: Scheduler, environment: Environment) -> None:
        super().__init__()
        self._scheduler = scheduler
        self._cold = environment
        self._warm = environment(self)
        self._records: Sequence[dict[str, Any]] = ()
        # Those that are not at their end, also where they hang.
        self._runs = 0
        # What goes on some time later: runs that hang, and writes that are under way.
        self._waiting: dict[str, Callable[[], object]] = {}
        self._story = beginning(story)
        # What the rows' owners have marked, in a plain model.
        self._marks = {
            key: Marks.from_item(item) for key, item in self._story.items.items() if key in SLOTS
        }
        self._missing = story.missing
        self._repaired = story.repaired
        self.items = dict(self._story.items)

    # ------------------------------------------------------------------ what E calls

    def query_row_owners(self, message_group_uuid: str) -> frozenset[str]:
        def query() -> frozenset[str]:
            owners = super(World, self).query_row_owners(message_group_uuid)
            stale = _stale_views(owners)
            return stale.get(self._scheduler.choose("the index is up to date", [*stale]), owners)

        return self._happen("query", query)

    def get_members(self, message_group_uuid: str) -> Members | None:
        return self._happen(
            "get members", lambda: super(World, self).get_members(message_group_uuid)
        )

    def advance_row(
        self, owner_uuid: str, message_group_uuid: str, steps: Sequence[Advance]
    ) -> Item | None:
        key = keys.message_group_pk(owner_uuid), keys.message_group_sk(message_group_uuid)
        owner, other = SLOTS[key]
        name = f"write of {owner}'s row with {other}"
        steps = tuple(steps)
        return self._happen(name, lambda: self._write(key, partial(self.take, key, steps)), row=key)

    def take(self, key: Key, steps: Sequence[Advance]) -> Item | None:
        """Take steps as the table does. Mutants do it in other ways."""
        owner_uuid = keys.uuid_in(key[0], keys.MESSAGE_GROUP_PREFIX)
        return super().advance_row(owner_uuid, key[1], steps)

    def put_failed(self, failed: Failed) -> None:
        if failed.message_group_uuid not in self._story.parked:
            raise BrokenError("a message that can be moved was parked")
        self._happen("park", lambda: super(World, self).put_failed(failed))

    def step(self, name: str, key: Key) -> None:
        """Let something else happen inside of what a mutant does in more steps than one."""
        self._happen(name, lambda: None, row=key)

    # ------------------------------------------------------------------ what reconcile calls

    def get(self, pk: str, sk: str) -> Item | None:
        return self._happen("get", lambda: super(World, self).get(pk, sk))

    def messages(self, message_group_uuid: str) -> Iterator[Item]:
        read = super().messages
        return iter(self._happen("read of messages", lambda: [*read(message_group_uuid)]))

    def row_keys(self, message_group_uuid: str) -> list[Key]:
        owners = self.query_row_owners(message_group_uuid)
        found = super().row_keys(message_group_uuid)
        return [key for key in found if keys.owner_in(key[0]) in owners]

    def rows_with(self, owner_uuid: str, other_uuid: str) -> Iterator[Item]:
        read = super().rows_with
        return iter(self._happen("read of rows", lambda: [*read(owner_uuid, other_uuid)]))

    def write(self, writes: Sequence[Write]) -> bool:
        rows = [write.key for write in writes if write.key in SLOTS]

        def write() -> bool:
            before = {key: self.items.get(key) for key in rows}
            done = self.repair(writes)
            for key in rows:
                self._check_row(key, before[key], self.items.get(key))
            return done

        return self._happen("repair", write, row=rows[0] if rows else None)

    def repair(self, writes: Sequence[Write]) -> bool:
        """Write as the table does. Mutants do it in other ways."""
        return super().write(writes)

    # ------------------------------------------------------------------ what goes wrong

    def _happen[Answer](
        self, name: str, call: Callable[[], Answer], *, row: Key | None = None
    ) -> Answer:
        """Make a call of the function, unless something goes wrong with it or happens before it.

        A call on a `row` is a write.
        """
        outcomes = [f"{name} refused", f"crash after {name}", f"answer of {name} lost"]
        if row:
            outcomes += [f"{name} late", f"{name} twice"]
        while self._scheduler.faults:
            before = {f"{event} before {name}": do for event, do in self._events(row)}
            way = self._scheduler.choose("ordinary", [*before, *outcomes])
            if way not in before:
                break
            before[way]()
        else:
            way = "ordinary"
        if way == f"{name} refused":
            raise TryAgainError
        if way == f"{name} late":
            self._wait(f"the late {name}", call)
            raise TryAgainError
        answer = call()
        if way == f"crash after {name}":
            raise Crash
        if way == f"answer of {name} lost":
            raise TryAgainError
        # The SDK sends what was not answered again; the function knows the second answer only.
        return call() if way == f"{name} twice" else answer

    def _events(self, row: Key | None) -> Iterator[tuple[str, Callable[[], object]]]:
        """Yield what can happen before a call."""
        for name in self._waiting:
            yield f"{name} goes on", partial(self._go_on, name)
        if self._runs < MAX_RUNS:
            yield "a run beside this one", self._run
            yield "the run hangs", self._hang
            if self._repaired:
                yield "reconcile", self._reconcile
        if row in self.items:
            assert row
            read = Marking(read_sk=self.items[row]["last_sk"], marked_unread=False)
            yield "its owner reads", partial(self._mark, row, read)
            yield "its owner mutes and flags it", partial(self._mark, row, FLAGGED)
            if self._story.several_clients:
                # By then the row may be further on, and its owner, too.
                reading = "a reading that is under way"
                yield reading, partial(self._wait, reading, partial(self._mark, row, read))

    def _wait(self, name: str, go_on: Callable[[], object]) -> None:
        self._waiting[f"{name} ({len(self._waiting) + 1})"] = go_on

    def _go_on(self, name: str) -> None:
        self._waiting.pop(name)()

    def _hang(self) -> None:
        """Leave the running run where it is, and go back to who started or resumed it."""
        run = getcurrent()

        def go_on() -> None:
            run.parent = getcurrent()
            run.switch()

        self._wait("the run that hangs", go_on)
        assert run.parent
        run.parent.switch(None)

    def _mark(self, key: Key, marking: Marking) -> None:
        """Let the owner of a row mark it."""
        before = self.items[key]
        marks.mark_row(self, PEOPLE[SLOTS[key][0]].uuid, key[1], marking)
        if self.items[key]["read_sk"] < before["read_sk"]:
            raise BrokenError("a mark has gone back")
        read_sk = max(marking.read_sk or "", self._marks[key].read_sk or "")
        self._marks[key] = replace(self._marks[key], read_sk=read_sk, **marking.flags)

    def _write(self, key: Key, write: Callable[[], Item | None]) -> Item | None:
        before = self.items.get(key)
        answer = write()
        row = self.items.get(key)
        if row is not before:
            self._check_row(key, before, row)
        return answer

    # ------------------------------------------------------------------ what Lambda does

    def deliver(self) -> None:
        """Deliver every record at least once, as an event source mapping does."""
        records = self._story.records
        start = 0
        todo: deque[Batch] = deque()
        for _ in range(MAX_DELIVERIES):
            if not todo:
                if start == len(records):
                    break
                sizes = [f"batch of {n}" for n in range(len(records) - start, 0, -1)]
                size = int(self._scheduler.choose_freely(sizes).split()[-1])
                todo.append(Batch(records=records[start : start + size]))
                self.put(*self._story.messages[start : start + size])
                start += size
            batch = todo.popleft()
            report = self._invoke(batch.records)
            failed = report.failed if report else []
            payload = {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
            step = after(batch, payload, failed=report is None, mapping=MAPPING)
            todo.extendleft(reversed(step.todo))
            if not todo:
                replays = [f"replay from {earlier}" for earlier in range(start)]
                way = self._scheduler.choose("go on", replays)
                if way != "go on":
                    todo.append(Batch(records=records[int(way.split()[-1]) : start]))
        else:
            raise BrokenError("the shard is held for ever")
        if self._repaired:
            self._wait("reconcile", self._reconcile_at_last)
        while self._waiting:
            self._go_on(self._scheduler.choose_freely([*self._waiting]))
        self.check_at_rest()

    def _invoke(self, records: Sequence[dict[str, Any]]) -> Report | None:
        """Invoke the function; None where it gives no answer."""
        self._records = records
        if self._scheduler.choose("where it was", ["in a new environment"]) != "where it was":
            self._warm = self._cold(self)
        report = self._run(self._warm)
        if report is None:
            self._warm = self._cold(self)
        return report

    def _run(self, processor: StreamProcessor | None = None) -> Report | None:
        """Run the function until it ends or hangs; without `processor` in a new environment."""
        environment = processor or self._cold(self)
        return self._start(partial(environment.process, self._records))

    def _start[Answer](self, work: Callable[[], Answer]) -> Answer | None:
        """Work until that is done, the process is gone, or hangs."""

        def run() -> Answer | None:
            try:
                return work()
            except Crash:
                return None
            finally:
                self._runs -= 1

        self._runs += 1
        answer: Answer | None = greenlet(run).switch()
        return answer

    def _reconcile(self) -> None:
        assert self._missing
        group = GROUPS[self._missing[self._missing[0] == "grahams"]]
        reconciler = Reconciler(
            self,
            rules=Rules(),
            now=lambda: NOON + timedelta(days=1),
            sleep=lambda _: None,
        )
        self._start(partial(reconciler.reconcile, group))

    def _reconcile_at_last(self) -> None:
        """Run reconcile once more, when nothing goes wrong with it."""
        self._scheduler.faults = 0
        self._reconcile()

    # ------------------------------------------------------------------ what must be true

    def _check_row(self, key: Key, before: Item | None, row: Item | None) -> None:
        """No step loses a row, makes one, moves one back or undoes what its owner has set."""
        owner, other = SLOTS[key]
        if not row:
            raise BrokenError(f"{owner}'s list lacks the conversation with {other}")
        if not before and SLOTS[key] != self._missing:
            raise BrokenError(f"{owner}'s list has a conversation with {other} out of nothing")
        for register in REGISTERS:
            if before and row.get(register, "") < before.get(register, ""):
                raise BrokenError(f"{owner}'s row with {other} has gone back")
        found = Marks.from_item(row)
        if not before:
            self._marks[key] = Marks(read_sk=row["last_sk"])
        if found != self._marks[key]:
            raise BrokenError(f"what {owner} has marked in the row with {other} is another")

    def check_at_rest(self) -> None:
        """Every list shows what the messages say, and what cannot be moved is known."""
        rows: dict[Slot, Item] = {}
        parked = set()
        for (pk, sk), item in self.items.items():
            if pk == keys.FAILED_PK:
                parked.add(keys.uuid_in(item["record_keys"]["pk"], keys.MESSAGE_PREFIX))
            elif "last_sk" in item:
                rows[SLOTS[pk, sk]] = item
        if rows.keys() != self._story.end.keys():
            raise BrokenError("a list lacks a conversation, or has one more")
        for (owner, other), row in rows.items():
            marked = self._marks[row["pk"], row["sk"]].to_attributes()
            if row != self._story.end[owner, other] | marked:
                raise BrokenError(f"{owner}'s list does not show what {owner} and {other} wrote")
        if parked != self._story.parked and not (self._repaired and not parked):
            raise BrokenError("what cannot be moved is neither in its list nor parked")


@cache
def _stale_views(owners: frozenset[str]) -> dict[str, frozenset[str]]:
    """Return what an index that is behind the table may show of the rows of `owners`."""
    nobody: frozenset[str] = frozenset()
    one = {
        f"the index shows {user.handle}'s row only": frozenset({user.uuid})
        for user in PEOPLE.values()
        if user.uuid in owners and len(owners) > 1
    }
    return {"the index shows no row": nobody} | one if owners else {}


def cold_environment(table: Repository) -> StreamProcessor:
    """Return the function under test as it starts."""
    return StreamProcessor(table, clock=lambda: NOON, concurrency=1)
