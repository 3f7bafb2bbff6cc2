"""A and B while a conversation and a list grow.

    bin/python -m bench.growth

The engine reports the same read units for every page, so that they are computed here, also for the
reference: half a unit for each 4 KB of the rows that a query evaluates, which are those of its
page. Time is what the client waits. It is measured for ours alone, since nearly all of it is the
engine's, and up to `LARGEST` rows, which take the engine a minute to store.
"""

import math
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any
from uuid import uuid4

from bench import reference
from bench.conversations import TEXT, user
from bench.engine import Engine, engine
from bench.figures import Spread, table
from commands.ddb.paging import BATCH_ITEMS, BatchWriter
from messaging import keys
from messaging.attributes import from_dynamodb
from messaging.entities import Item, Message, MessageGroupRow
from messaging.repository import PageRequest, Repository
from runtime.user import User

SIZES = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
LARGEST = 10_000
READS = 30
PAGE = PageRequest(limit=20)


@dataclass(frozen=True, kw_only=True)
class Grown:
    """A page of 20 from a partition with so many rows; `milliseconds` is None for the largest."""

    pattern: str
    rows: int
    ours_units: float
    reference_units: float
    milliseconds: Spread | None


@dataclass(frozen=True, kw_only=True)
class Partition:
    """The messages of a group (A), or the rows of a user with many groups (B)."""

    pattern: str
    reader: User
    other: User
    group: str

    def items(self, numbers: Iterable[int]) -> list[Item]:
        """Return these of its items, oldest first, as ours are stored."""
        return [self._item(number) for number in numbers]

    def _item(self, number: int) -> Item:
        message = Message.from_sender(
            self.other,
            message_group_uuid=self.group if self.pattern == "A" else str(uuid4()),
            sk=keys.message_sk(keys.Position(_moment(number), str(uuid4()))),
            message=TEXT,
        )
        if self.pattern == "A":
            return message.to_item()
        return MessageGroupRow.for_owner(self.reader.uuid, other=self.other, last=message).to_item()

    def reference_items(self, numbers: Iterable[int]) -> list[Item]:
        """Return these of its items as the reference stores them."""
        times = [_moment(number).isoformat() for number in numbers]
        if self.pattern == "A":
            items = [reference.message_item(self.other, self.group, at, TEXT) for at in times]
        else:
            items = [
                reference.row_item(self.reader, self.other, str(uuid4()), at, TEXT) for at in times
            ]
        return [from_dynamodb(item) for item in items]

    def read(self, repository: Repository) -> int:
        """Return how many rows its newest page has."""
        if self.pattern == "A":
            return len(repository.list_messages(self.group, PAGE).rows)
        return len(repository.list_message_groups(self.reader.uuid, PAGE).rows)


def _moment(number: int) -> datetime:
    return datetime(2026, 1, 1, microsecond=1, tzinfo=UTC) + timedelta(seconds=number)


def measure(running: Engine) -> list[Grown]:
    """Compute what the newest page costs, and read it where the engine can be filled."""
    repository, _ = running.repository()
    results = []
    for rows in SIZES:
        for pattern in ("A", "B"):
            partition = Partition(
                pattern=pattern, reader=user("reader"), other=user("other"), group=str(uuid4())
            )
            # One row more than the page tells ours whether there are older ones.
            newest = range(max(0, rows - PAGE.limit - 1), rows)
            their_newest = range(max(0, rows - reference.LIMIT), rows)
            milliseconds = None
            if rows <= LARGEST:
                _fill(running, partition.items(range(rows)))
                milliseconds = _read(repository, partition, rows)
            results.append(
                Grown(
                    pattern=pattern,
                    rows=rows,
                    ours_units=_read_units(partition.items(newest)),
                    reference_units=_read_units(partition.reference_items(their_newest)),
                    milliseconds=milliseconds,
                )
            )
    return results


def _read(repository: Repository, partition: Partition, rows: int) -> Spread:
    milliseconds = []
    for _ in range(READS):
        began = time.perf_counter()
        found = partition.read(repository)
        milliseconds.append((time.perf_counter() - began) * 1000)
        if found != min(rows, PAGE.limit):
            raise SystemExit(f"{partition.pattern} shows {found} rows")
    return Spread.of(milliseconds)


def _read_units(evaluated: list[Item]) -> float:
    return math.ceil(sum(map(_bytes, evaluated)) / 4096) / 2


def _fill(running: Engine, items: list[Item]) -> None:
    writer = BatchWriter(running.client("dynamodb"), running.table_name)
    with ThreadPoolExecutor(2) as executor:
        list(executor.map(writer.put, batched(items, BATCH_ITEMS, strict=False)))


def _bytes(item: Mapping[str, Any]) -> int:
    """Return an item's size as DynamoDB counts it, of names and texts in UTF-8."""
    return sum(len(name.encode()) + len(str(value).encode()) for name, value in item.items())


def report(results: list[Grown]) -> str:
    """Return them as a table in Markdown."""
    rows = [
        [
            *(one.pattern, f"{one.rows:,}", f"{one.ours_units:g}", f"{one.reference_units:g}"),
            f"{one.milliseconds:.1f}" if one.milliseconds else "not measured",
        ]
        for one in results
    ]
    head = ["", "rows in the partition", "read units, computed", "the reference's", "ms of ours"]
    return table(head, rows)


if __name__ == "__main__":
    with engine() as measured:
        print(report(measure(measured)))
