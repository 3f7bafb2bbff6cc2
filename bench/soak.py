"""What the stream processor carries: 10,000 messages in 200 groups, through the stream.

    bin/python -m bench.soak [--messages 10000] [--groups 200] [--writers 4]

Writers write as fast as they can while the event source mapping of the template, played by the
local cloud, delivers the stream to the function's code in this process. At the end every list is
compared with the messages.
"""

import argparse
import statistics
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any

from bench.engine import Engine, Meter, engine
from bench.write_units import user
from messaging import message_groups
from messaging.message_groups import SendRequest
from messaging.repository import PageRequest, Repository
from messaging.stream import Report, StreamProcessor
from runtime.user import User
from sam_offline.functions import Result
from sam_offline.streams import StreamReader

DRAIN_SECONDS = 120.0


@dataclass(kw_only=True)
class Worker:
    """E in this process, where the local cloud would have its workers."""

    processor: StreamProcessor
    reports: list[Report] = field(default_factory=list)
    records: int = 0

    def invoke(self, _: str, event: dict[str, Any]) -> Result:
        """Process a batch as functions/update_message_groups does."""
        report = self.processor.process(event["Records"])
        self.reports.append(report)
        self.records += len(event["Records"])
        failures = [{"itemIdentifier": number} for number in report.failed]
        return Result(payload={"batchItemFailures": failures})


@dataclass(frozen=True, kw_only=True)
class Group:
    """A conversation of two people."""

    uuid: str
    members: tuple[User, User]


def begin(repository: Repository, number: int) -> Group:
    """Make a conversation."""
    members = user(f"one{number}"), user(f"other{number}")
    sent = message_groups.create_message_group(
        repository, *members, SendRequest(message="first"), now=lambda: datetime.now(UTC)
    )
    return Group(uuid=sent.message.message_group_uuid, members=members)


def soak(running: Engine, *, messages: int, groups: int, writers: int) -> None:
    """Run and print the figures."""
    plain, meter_of_writers = running.repository(connections=writers)
    mover, meter = running.repository()
    worker = Worker(processor=StreamProcessor(mover))
    reader = StreamReader(
        running.mapping,
        invoke=worker.invoke,
        streams=running.client("dynamodbstreams"),
        sqs=running.client("sqs"),
    )
    made = [begin(plain, number) for number in range(groups)]
    random = Random(1)
    order = [random.choice(made) for _ in range(messages)]

    def write(number: int, group: Group) -> None:
        request = SendRequest(message=f"message {number} " + "x" * 100)
        sender = group.members[number % 2]
        message_groups.create_message(
            plain, sender, group.uuid, request, now=lambda: datetime.now(UTC)
        )

    reader.start()
    began = time.monotonic()
    with ThreadPoolExecutor(writers) as executor:
        for number, _ in enumerate(executor.map(write, range(messages), order)):
            if number % 1000 == 0:
                print(f"  {number} written, {worker.records} records processed")
    written = time.monotonic() - began
    drained = reader.drain(DRAIN_SECONDS)
    finished = time.monotonic() - began
    reader.stop()
    print(f"messages             {messages}, written in {written:.1f} s")
    print(f"through the stream   {messages / finished:.0f} messages/s")
    print_figures(worker, meter, messages)
    units = meter_of_writers.write_units.total()
    print(f"write units of C, D  {units / messages:.2f} a message")
    wrong = verify(plain, made)
    print(f"lists verified       {2 * len(made) - len(wrong)} of {2 * len(made)} exact")
    if wrong or not drained:
        raise SystemExit(f"not exact, or not drained: {wrong[:5]}")


def print_figures(worker: Worker, meter: Meter, messages: int) -> None:
    """Print what was measured of E."""
    reports = worker.reports
    lags = sorted(lag for report in reports for lag in report.lags_ms)
    counts: Counter[str] = Counter()
    for report in reports:
        counts.update(report.counts())
    units = meter.write_units.total()
    print(f"invocations          {len(reports)} ({len(reports) / messages:.4f} a message)")
    print(f"records a batch      {worker.records / len(reports):.1f}")
    print(f"moves                {counts['Moves']}, coalesced {counts['RecordsCoalesced']}")
    print(f"write units of E     {units:g} ({units / messages:.2f} a message)")
    calls = ", ".join(f"{count} {name}" for name, count in meter.calls.items())
    print(f"calls of E           {calls}")
    print(f"parked, failed       {counts['RecordsParked']}, {counts['GroupsFailed']}")
    median, p99 = statistics.median(lags), lags[int(len(lags) * 0.99)]
    print(f"lag of a move        median {median:.0f} ms, 99th percentile {p99:.0f} ms")


def verify(repository: Repository, groups: list[Group]) -> list[str]:
    """Return which lists do not show the last message, once."""
    wrong = []
    lock = threading.Lock()

    def check(group: Group) -> None:
        newest = repository.list_messages(group.uuid, PageRequest(limit=1)).rows[0]
        for member in group.members:
            rows = repository.list_message_groups(member.uuid, PageRequest(limit=10)).rows
            if [row.last_sk for row in rows] != [newest.place]:
                with lock:
                    wrong.append(f"{member.handle} in {group.uuid}")

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(check, groups))
    return wrong


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    number = partial(parser.add_argument, type=int)
    number("--messages", default=10_000)
    number("--groups", default=200)
    number("--writers", default=4)
    arguments = parser.parse_args()
    with engine() as running:
        soak(running, **vars(arguments))


if __name__ == "__main__":
    main()
