"""A and B while a conversation and a list grow.

    bin/python -m bench.growth

The engine reports the same read units for every page, so that they are computed here: half a unit
for each 4 KB of what a query evaluates. Its time is the client's. Beyond `LARGEST` rows the engine
takes minutes to fill; nothing that a query evaluates depends on what lies behind its page.
"""

import math
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from bench.engine import Engine, engine
from bench.figures import Spread, table
from bench.write_units import user
from messaging import keys
from messaging.entities import Item, Message, MessageGroupRow
from messaging.repository import PageRequest, Repository, to_dynamodb

SIZES = (10, 100, 1_000, 10_000)
LARGEST = SIZES[-1]
READS = 30
PAGE = PageRequest(limit=20)


@dataclass(frozen=True, kw_only=True)
class Grown:
    """A page of 20 from a partition with so many rows."""

    pattern: str
    rows: int
    milliseconds: Spread
    read_units: float


def measure(running: Engine) -> list[Grown]:
    """Fill partitions and read their newest page."""
    repository, _ = running.repository()
    results = []
    for rows in SIZES:
        for pattern in ("A", "B"):
            reader, other, group = user("reader"), user("other"), str(uuid4())
            items = []
            for number in range(rows):
                moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
                message = Message.from_sender(
                    other,
                    message_group_uuid=group if pattern == "A" else str(uuid4()),
                    sk=keys.message_sk(keys.Position(moment, str(uuid4()))),
                    message="x" * 100,
                )
                row = MessageGroupRow.for_owner(reader.uuid, other=other, last=message)
                items.append(message.to_item() if pattern == "A" else row.to_item())
            _fill(repository, running.table_name, items)
            milliseconds = []
            for _ in range(READS):
                began = time.perf_counter()
                if pattern == "A":
                    found = len(repository.list_messages(group, PAGE).rows)
                else:
                    found = len(repository.list_message_groups(reader.uuid, PAGE).rows)
                milliseconds.append((time.perf_counter() - began) * 1000)
                if found != min(rows, PAGE.limit):
                    raise SystemExit(f"{pattern} shows {found} rows")
            evaluated = sum(map(_bytes, items[-(PAGE.limit + 1) :]))
            results.append(
                Grown(
                    pattern=pattern,
                    rows=rows,
                    milliseconds=Spread.of(milliseconds),
                    read_units=math.ceil(evaluated / 4096) / 2,
                )
            )
    return results


def _fill(repository: Repository, table_name: str, items: list[Item]) -> None:
    def write(first: int) -> None:
        puts: Any = [{"PutRequest": {"Item": to_dynamodb(i)}} for i in items[first : first + 25]]
        answer = repository._client.batch_write_item(RequestItems={table_name: puts})
        if answer["UnprocessedItems"]:
            raise SystemExit("the engine did not take every row")

    with ThreadPoolExecutor(2) as executor:
        list(executor.map(write, range(0, len(items), 25)))


def _bytes(item: Mapping[str, Any]) -> int:
    """Return an item's size as DynamoDB counts it, of names and texts in UTF-8."""
    return sum(len(name.encode()) + len(str(value).encode()) for name, value in item.items())


def report(results: list[Grown]) -> str:
    """Return them as a table in Markdown."""
    rows = [
        [one.pattern, f"{one.rows:,}", f"{one.milliseconds:.1f}", f"{one.read_units:g}"]
        for one in results
    ]
    return table(["", "rows in the partition", "ms", "read units, computed"], rows)


if __name__ == "__main__":
    with engine() as measured:
        print(report(measure(measured)))
