"""What holds a shard and what does not: E behind its mapping, on a clock of its own.

The rules of the mapping are those of `sam_offline.streams`, its settings the template's. Every call
to the table takes its time; nobody waits for it.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from statistics import median
from typing import Any
from uuid import UUID

import pytest

from messaging import keys, message_groups
from messaging.calls import CALL_SECONDS
from messaging.entities import Advance, Failed, Item, Members, Message
from messaging.message_groups import SendRequest
from messaging.stream import StreamProcessor
from runtime.deadline import Deadline
from runtime.errors import TryAgainError
from runtime.user import User
from sam_offline import streams
from sam_offline.batches import Batch
from sam_offline.functions import Result
from sam_offline.stack import StreamMapping
from sam_offline.streams import Shard
from tests.fakes.memory_repository import MemoryRepository
from tests.fakes.people import GRAHAMS, NEW_YEAR
from tests.fakes.records import inserted
from tests.fakes.template import Stack, read_stack

HEALTHY_GROUPS = 50
MESSAGES = 3000
BROKEN_MESSAGES = 20
CALL = 0.005
# Three attempts that are refused, and the pauses between them.
REFUSED_CALL = 1.5
POLL = 0.25
HOUR = 3600.0


@dataclass
class Clock:
    """Seconds since 1970; stands in for the module `time`, too."""

    now: float = NEW_YEAR.timestamp()

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)


class SlowTable(MemoryRepository):
    """A table whose calls take time, and which may refuse all of them for a while."""

    def __init__(self, clock: Clock, deadline: Deadline) -> None:
        super().__init__()
        self.clock = clock
        self.deadline = deadline
        self.refuses_until = 0.0
        # When which row got to which place.
        self.moves: list[tuple[str, str, float]] = []

    def query_row_owners(self, message_group_uuid: str) -> frozenset[str]:
        self._take_time()
        return super().query_row_owners(message_group_uuid)

    def get_members(self, message_group_uuid: str) -> Members | None:
        self._take_time()
        return super().get_members(message_group_uuid)

    def advance_row(
        self, owner_uuid: str, message_group_uuid: str, steps: Sequence[Advance]
    ) -> Item | None:
        self._take_time()
        row = super().advance_row(owner_uuid, message_group_uuid, steps)
        if row is None:
            lag = self.clock.utc() - keys.parse_message_sk(steps[0].to).created_at
            self.moves.append((message_group_uuid, steps[0].to, lag.total_seconds()))
        return row

    def put_failed(self, failed: Failed) -> None:
        self._take_time()
        super().put_failed(failed)

    def _take_time(self) -> None:
        self.deadline.require(CALL_SECONDS)
        if self.clock.now < self.refuses_until:
            self.clock.now += REFUSED_CALL
            raise TryAgainError
        self.clock.now += CALL


@dataclass
class Reader:
    """The stream's shard: what was written until now."""

    clock: Clock
    records: list[dict[str, Any]] = field(default_factory=list)

    def read(self) -> list[dict[str, Any]]:
        new = [record for record in self.records[:1000] if _written(record) <= self.clock.now]
        del self.records[: len(new)]
        return new


def _written(record: dict[str, Any]) -> float:
    return float(record["dynamodb"]["ApproximateCreationDateTime"])


class Application:
    """Groups that are written to, and E that follows."""

    def __init__(self, stack: Stack, *, mapping: StreamMapping) -> None:
        self.clock = Clock()
        self.deadline = Deadline(clock=self.clock.time)
        self.table = SlowTable(self.clock, self.deadline)
        self.given_up: list[Batch] = []
        self.parked = 0
        self.last: dict[str, Message] = {}
        self._timeout = stack.functions()[mapping.function].timeout
        self._processor = StreamProcessor(self.table, clock=self.clock.utc, concurrency=1)
        self._reader = Reader(self.clock)
        self._shard = Shard(
            self._reader.read,
            invoke=self._invoke,
            give_up=lambda batch, _, __: self.given_up.append(batch),
            mapping=mapping,
        )

    def group(self, number: int) -> str:
        other = User(uuid=str(UUID(int=number + 1)), handle=f"h{number}", display_name="H")
        request = SendRequest(message="first")
        sent = message_groups.create_message_group(
            self.table, GRAHAMS, other, request, now=self.clock.utc
        )
        return sent.message.message_group_uuid

    def write(self, group: str, at: float, *, poison: bool = False) -> None:
        """Write a message so many seconds from now; in the order of time."""
        time = self.clock.now + at
        sk = keys.message_sk(keys.Position(datetime.fromtimestamp(time, UTC), f"{at}"))
        message = Message.from_sender(GRAHAMS, message_group_uuid=group, sk=sk, message=f"at {at}")
        (record,) = inserted(message)
        record["dynamodb"]["ApproximateCreationDateTime"] = time
        if poison:
            del record["dynamodb"]["NewImage"]["message"]
        else:
            self.last[group] = message
        self._reader.records.append(record)

    def run(self, *, limit: float) -> None:
        """Let E work until it is done, or so many seconds."""
        self._reader.records.sort(key=_written)
        end = self.clock.now + limit
        while self.clock.now < end and (self._reader.records or not self._shard.empty):
            if not self._shard.step(draining=False):
                self.clock.now += POLL

    def lags(self, groups: Sequence[str]) -> list[float]:
        return [lag for group, _, lag in self.table.moves if group in groups]

    def _invoke(self, batch: Batch) -> Result:
        self.deadline.start(self._timeout)
        report = self._processor.process(batch.records)
        self.parked += report.parked
        failures = [{"itemIdentifier": number} for number in report.failed]
        return Result(payload={"batchItemFailures": failures}, failed=False)


@pytest.fixture(scope="module")
def stack() -> Stack:
    return (
        read_stack(parameters={"DatabaseUrl": "postgresql://somewhere/cruddur"})
        .with_created("FailedRecordsQueue", Ref="queue", Arn="queue")
        .with_created(
            "MessagesTable", Ref="table", StreamArn="arn:aws:dynamodb:stream", Arn="table"
        )
    )


@pytest.fixture(scope="module")
def mapping(stack: Stack) -> StreamMapping:
    mappings: tuple[StreamMapping, ...] = stack.stream_mappings()
    (mapping,) = (found for found in mappings if found.function == "UpdateMessageGroups")
    return mapping


@pytest.fixture
def application(
    stack: Stack, mapping: StreamMapping, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Application]]:
    def make(mapping: StreamMapping = mapping, **arguments: Any) -> Application:
        made = Application(stack, mapping=mapping, **arguments)
        monkeypatch.setattr(streams, "time", made.clock)
        return made

    logging.disable(logging.CRITICAL)
    yield make
    logging.disable(logging.NOTSET)


def a_row_is_missing(table: SlowTable, group: str) -> None:
    del table.items[keys.message_group_pk(GRAHAMS.uuid), keys.message_group_sk(group)]


def rows_and_members_are_unreadable(table: SlowTable, group: str) -> None:
    for key, item in table.items.items():
        if item.get("message_group_uuid") == group:
            table.items[key] = {"pk": key[0], "sk": key[1], "last_sk": 7}
        elif key[0] == keys.members_pk(group):
            item["member_uuids"] = None


def nothing(table: SlowTable, group: str) -> None:
    """Leave the group as it is."""


BROKEN: dict[str, tuple[Callable[[SlowTable, str], None], bool]] = {
    "a missing row": (a_row_is_missing, False),
    "rows and members that are unreadable": (rows_and_members_are_unreadable, False),
    "records that are unreadable": (nothing, True),
}


def lags_beside(
    application: Application, broken: Callable[[SlowTable, str], None], *, poison: bool = False
) -> list[float]:
    """Return how far behind healthy groups were in ten minutes of five messages a second.

    A message of another group comes every 30 s.
    """
    groups = [application.group(number) for number in range(HEALTHY_GROUPS)]
    other = application.group(HEALTHY_GROUPS)
    broken(application.table, other)
    for number in range(MESSAGES):
        application.write(groups[number % HEALTHY_GROUPS], 1 + number / 5)
    for number in range(BROKEN_MESSAGES):
        application.write(other, 1.1 + number * 30, poison=poison)
    application.run(limit=HOUR)
    return application.lags(groups)


def test_a_broken_group_holds_nobody(
    application: Callable[..., Application], tell: Callable[[str], None]
) -> None:
    without = lags_beside(application(), nothing)
    assert len(without) > MESSAGES / 2
    tell(f"healthy groups lag {median(without):.2f} s, {max(without):.2f} s at most")
    for what, (broken, poison) in BROKEN.items():
        beside = application()
        lags = lags_beside(beside, broken, poison=poison)
        assert (beside.given_up, beside.parked) == ([], BROKEN_MESSAGES)
        assert len(lags) == len(without)
        assert median(lags) == pytest.approx(median(without), abs=0.02)
        assert max(lags) == pytest.approx(max(without), abs=0.05)
        tell(f"beside {what} {median(lags):.2f} s, {max(lags):.2f} s at most")


def throttled(application: Application, hours: float) -> list[str]:
    """Write a message a minute while the table refuses everything; return the groups."""
    groups = [application.group(number) for number in range(10)]
    for number in range(int(hours * 60)):
        application.write(groups[number % len(groups)], 1 + number * 60)
    application.table.refuses_until = application.clock.now + hours * HOUR
    application.run(limit=hours * HOUR)
    return groups


def test_hours_of_throttling_lose_nothing_and_are_caught_up_with(
    application: Callable[..., Application], tell: Callable[[str], None]
) -> None:
    app = application()
    groups = throttled(app, 6)
    assert app.table.moves == []
    began = app.clock.now
    app.run(limit=HOUR)
    assert (app.given_up, app.parked) == ([], 0)
    for group in groups:
        key = keys.message_group_pk(GRAHAMS.uuid), keys.message_group_sk(group)
        assert app.table.items[key]["last_sk"] == app.last[group].place
    assert app.clock.now - began < 60
    tell(f"caught up with 6 h of throttling in {app.clock.now - began:.0f} s")


def test_a_bound_on_age_would_drop_what_waits(
    application: Callable[..., Application], mapping: StreamMapping
) -> None:
    app = application(replace(mapping, record_age_seconds=3600))
    throttled(app, 2)
    assert app.given_up


def test_the_retries_last_longer_than_the_stream_keeps_a_record(mapping: StreamMapping) -> None:
    """Also where every invocation fails at once: then the pauses between them count."""
    _, longest_pause = streams._BACKOFF_SECONDS
    assert mapping.retries * longest_pause > 24 * HOUR
