"""A table whose calls fail, whose index lags, and Lambda, which delivers its stream.

People are three, message groups two: grahams writes with reef and with bayko. A `Story` says
which messages were written; the scheduler says how they are delivered and what goes wrong.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any
from uuid import UUID

from messaging import keys
from messaging.entities import Failed, Item, Members, Message, MessageGroup, Pair
from messaging.errors import TryAgainError
from messaging.stream import Report
from tests.fakes.memory_repository import MemoryRepository
from tests.fakes.people import BAYKO, GRAHAMS, REEF
from tests.fakes.records import inserted, sequence_number
from tests.unit.schedules.scheduler import Scheduler

NOON = datetime(2026, 12, 31, 12, tzinfo=UTC)
GROUPS = {"reef": str(UUID(int=1)), "bayko": str(UUID(int=2))}
PEOPLE = {"grahams": GRAHAMS, "reef": REEF, "bayko": BAYKO}
# The four rows: (pk, group's uuid) → whose list, whom with.
SLOTS = {
    (keys.message_group_pk(owner.uuid), group): (owner.handle, handle)
    for handle, group in GROUPS.items()
    for owner in (GRAHAMS, PEOPLE[handle])
}
# By then every fault has had its turn.
MAX_DELIVERIES = 40

type Update = Callable[..., Report]


class BrokenError(AssertionError):
    """What no schedule may bring about."""


class Crash(BaseException):  # it is not an error that code may catch
    """The function's process is gone."""


@dataclass(frozen=True)
class Written:
    """A message: whose group with grahams, who wrote it, when, and the offset of its key."""

    group: str
    sender: str
    minute: int
    offset: float | None = None  # hours; None for the key that this project writes

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
            user_display_name=PEOPLE[self.sender].display_name,
            user_handle=self.sender,
        )


@dataclass(frozen=True)
class Story:
    """What was written: the first message of each group, then those that the stream brings."""

    name: str
    messages: tuple[Written, ...]
    offset: float | None = None  # of the first messages


@dataclass(frozen=True)
class Beginning:
    """What a story leaves in the table, and in its stream."""

    items: dict[tuple[str, str], Item]
    records: list[dict[str, Any]]
    # What every list shows in the end, by whose list it is and whom the conversation is with.
    end: dict[tuple[str, str], MessageGroup]


@cache
def beginning(story: Story) -> Beginning:
    """Write the messages of `story`."""
    table = MemoryRepository()
    last: dict[str, Message] = {}
    for number, (handle, group) in enumerate(GROUPS.items()):
        first = Written(handle, handle, -number, story.offset).message(-1 - number)
        pair = (GRAHAMS, PEOPLE[handle])
        table.create_message_group(
            Pair(user_uuids=(pair[0].uuid, pair[1].uuid), message_group_uuid=group),
            Members(
                message_group_uuid=group,
                member_uuids=frozenset(user.uuid for user in pair),
                created_at=NOON,
            ),
            [
                MessageGroup.for_owner(pair[0].uuid, other=pair[1], last=first),
                MessageGroup.for_owner(pair[1].uuid, other=pair[0], last=first),
            ],
            first,
        )
        last[group] = first
    written = [written.message(number) for number, written in enumerate(story.messages)]
    for message in written:
        table.put_message(message)
        last[message.message_group_uuid] = max(
            last[message.message_group_uuid], message, key=lambda m: m.position
        )
    return Beginning(
        items=table.items,
        records=inserted(*written),
        end={
            (owner.handle, handle): MessageGroup.for_owner(
                owner.uuid, other=other, last=last[group]
            )
            for handle, group in GROUPS.items()
            for owner, other in ((GRAHAMS, PEOPLE[handle]), (PEOPLE[handle], GRAHAMS))
        },
    )


class World(MemoryRepository):
    """The table, seen by the function under test."""

    def __init__(self, story: Story, scheduler: Scheduler, update: Update) -> None:
        super().__init__()
        self._scheduler = scheduler
        self._update = update
        self._second_invocation: Callable[[], None] | None = None
        self._story = beginning(story)
        self.items = dict(self._story.items)
        # What was there at the beginning has reached the index.
        self._versions: dict[tuple[str, str], list[Item | None]] = {
            key: [item] for key, item in self.items.items() if "message_group_uuid" in item
        }

    # ------------------------------------------------------------------ what E calls

    def query_group_rows(self, message_group_uuid: str) -> list[Item]:
        self._before("query")
        rows = []
        for (pk, sk), versions in sorted(self._versions.items()):
            if not any(v and v.get("message_group_uuid") == message_group_uuid for v in versions):
                continue
            now = versions[-1]
            older = [v for v in versions[:-1] if v != now]
            stale = [f"index shows {'a' if v else 'no'} row {pk} {sk}" for v in older]
            way = self._scheduler.choose("index is up to date", stale)
            shown = older[stale.index(way)] if way in stale else now
            if shown:
                rows.append(dict(shown))
        return sorted(rows, key=lambda item: str(item["sk"]))

    def get_members(self, message_group_uuid: str) -> Members | None:
        self._before("get members")
        return super().get_members(message_group_uuid)

    def replace_group_rows(self, old: Sequence[Item], new: Sequence[Item]) -> bool:
        self._before("replace")
        done = self.write_rows(old, new)
        self._after("replace")
        return done

    def write_rows(self, old: Sequence[Item], new: Sequence[Item]) -> bool:
        """Replace rows in one step, as a transaction does. Mutants do it in other ways."""
        done = super().replace_group_rows(old, new)
        self.remember([*old, *new])
        return done

    def put_failed(self, failed: Failed) -> None:
        raise BrokenError("a message that can be moved was parked")

    def step(self, name: str) -> None:
        """Something else may happen between two writes that are no transaction."""
        self._after(name)

    def remember(self, rows: Sequence[Item]) -> None:
        """Let the index lag behind each of these rows on its own; check what people see."""
        for row in rows:
            key = (row["pk"], row["sk"])
            versions = self._versions.setdefault(key, [None])
            now = self.items.get(key)
            if versions[-1] != now:
                versions.append(dict(now) if now else None)
        self._check_lists()

    def _before(self, name: str) -> None:
        match self._scheduler.choose(
            "proceed", [f"crash before {name}", f"{name} refused", f"second run before {name}"]
        ).split()[0]:
            case "crash":
                raise Crash
            case "second":
                self._run_second()
            case "proceed":
                pass
            case _:
                raise TryAgainError

    def _after(self, name: str) -> None:
        match self._scheduler.choose(
            "proceed", [f"crash after {name}", f"answer of {name} lost"]
        ).split()[0]:
            case "crash":
                raise Crash
            case "answer":
                raise TryAgainError

    def _run_second(self) -> None:
        second, self._second_invocation = self._second_invocation, None
        if second:
            second()

    # ------------------------------------------------------------------ what Lambda does

    def deliver(self) -> None:
        """Deliver every record at least once, as an event source mapping does."""
        records = self._story.records
        start, deliveries = 0, 0
        while start < len(records):
            deliveries += 1
            if deliveries > MAX_DELIVERIES:
                raise BrokenError("the shard is held for ever")
            sizes = [f"batch of {n}" for n in range(len(records) - start, 0, -1)]
            size = int(self._scheduler.choose_freely(sizes).split()[-1])
            failed = self._invoke(records[start : start + size])
            start = start + size if failed is None else start + failed
            replays = [f"replay from {earlier}" for earlier in range(start)]
            way = self._scheduler.choose("go on", replays)
            if way != "go on":
                start = int(way.split()[-1])
        self.check_at_rest()
        # Someone sends all of it once more, the other way round.
        self._invoke(records[::-1])
        self.check_at_rest()

    def _invoke(self, records: list[dict[str, Any]]) -> int | None:
        """Invoke the function; return where Lambda begins again, None where all is done."""

        def run() -> Report:
            return self._update(
                records,
                self,
                sleep=lambda _: None,
                seconds_left=lambda: 60.0,
                now=lambda: NOON,
                concurrency=1,
            )

        def second() -> None:
            with contextlib.suppress(Crash):
                run()

        self._second_invocation = second
        try:
            report = run()
        except Crash:
            return 0
        numbers = [sequence_number(record) for record in records]
        return min((numbers.index(number) for number in report.failed), default=None)

    # ------------------------------------------------------------------ what must be true

    def _rows(self) -> dict[tuple[str, str], list[Item]]:
        """Return the rows by whose list they stand in and whom the conversation is with."""
        rows: dict[tuple[str, str], list[Item]] = {slot: [] for slot in SLOTS.values()}
        for (pk, _), item in self.items.items():
            if "message_group_uuid" in item:
                rows[SLOTS[pk, item["message_group_uuid"]]].append(item)
        return rows

    def _check_lists(self) -> None:
        """No list lacks a conversation, none has one twice."""
        for (owner, other), rows in self._rows().items():
            if not rows:
                raise BrokenError(f"{owner}'s list lacks the conversation with {other}")
            if len(rows) > 1:
                raise BrokenError(f"{owner}'s list has the conversation with {other} twice")

    def check_at_rest(self) -> None:
        """Every list shows what the messages say."""
        for slot, (row,) in self._rows().items():
            if MessageGroup.from_item(row) != self._story.end[slot]:
                raise BrokenError(f"{slot[0]}'s list does not show the last message of {slot[1]}")
