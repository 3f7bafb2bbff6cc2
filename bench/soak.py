"""How many messages a second go through the stream: 10,000 messages in 200 groups.

    bin/python -m bench.soak [--messages 10000] [--groups 200] [--writers 4]

Writers write as fast as they can. Meanwhile the template's event source mapping, as sam_offline has
it, delivers the stream to the function's code in this process. At the end every list is compared
with the messages.
"""

import argparse
import statistics
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from bench.conversations import Conversation, user
from bench.engine import Engine, Meter, engine
from messaging.repository import PageRequest, Repository
from messaging.stream import Report, StreamProcessor
from sam_offline.functions import Result
from sam_offline.streams import StreamReader

DRAIN_SECONDS = 120.0


@dataclass(kw_only=True)
class Worker:
    """E, called in this process instead of a worker process."""

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
    made = [
        Conversation(repository=plain, people=(user(f"one{number}"), user(f"other{number}")))
        for number in range(groups)
    ]
    for conversation in made:
        conversation.begin()
    random = Random(1)
    order = [random.choice(made) for _ in range(messages)]

    def write(number: int, conversation: Conversation) -> None:
        conversation.write(by=conversation.people[number % 2])

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


def verify(repository: Repository, conversations: list[Conversation]) -> list[str]:
    """Return the lists that do not show just the last message."""
    wrong = []
    lock = threading.Lock()

    def check(conversation: Conversation) -> None:
        newest = repository.list_messages(conversation.group, PageRequest(limit=1)).rows[0]
        for member in conversation.people:
            rows = repository.list_message_groups(member.uuid, PageRequest(limit=10)).rows
            if [row.last_sk for row in rows] != [newest.place]:
                with lock:
                    wrong.append(f"{member.handle} in {conversation.group}")

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(check, conversations))
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
