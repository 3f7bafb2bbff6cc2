"""E, the moves of rows: messages a second and write units by K, and the lag when little happens.

    bin/python -m bench.moves

K is the number of messages of one group in a batch. The reference's function is called for each
record, among them the four records that a move itself writes.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.conversations import TEXT, Conversation, record, user
from bench.engine import Engine, Meter, engine
from bench.figures import Spread, table
from bench.reference import Reference, create_table, move
from messaging.repository import Repository
from messaging.stream import StreamProcessor
from sam_offline.functions import Result
from sam_offline.streams import StreamReader

BATCHES = (1, 3, 10, 100)
ROUNDS = 5
BATCH_SIZE = 100
QUIET_MESSAGES = 25


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What one shard carries in batches of one kind, and what a message costs there."""

    design: str
    groups: int
    k: int
    per_second: Spread
    calls: float
    units: float


def throughput(running: Engine) -> list[Carried]:
    """Measure batches of one group by K, and full batches of many groups, in both designs."""
    shapes = [(1, k) for k in BATCHES] + [(BATCH_SIZE // k, k) for k in (1, 10)]
    return [
        carried
        for groups, k in shapes
        for carried in (_ours(running, groups, k), _reference(running, groups, k))
    ]


def _ours(running: Engine, groups: int, k: int) -> Carried:
    repository, meter = running.repository()
    processor = StreamProcessor(repository)
    made = [_begun(repository) for _ in range(groups)]

    def batch() -> list[Any]:
        return [
            record(conversation.write(by=conversation.people[0]).message)
            for conversation in made
            for _ in range(k)
        ]

    processor.process(batch())  # from here on the processor knows the members
    seconds: list[float] = []
    taken = Meter()
    for _ in range(ROUNDS):
        records = batch()
        meter.take()
        began = time.perf_counter()
        report = processor.process(records)
        seconds.append(time.perf_counter() - began)
        taken = meter.take()
        if report.failed or report.parked:
            raise SystemExit("a batch was not moved")
    return _carried("ours", groups, k, seconds, taken)


def _begun(repository: Repository) -> Conversation:
    conversation = Conversation(repository=repository, people=(user("one"), user("other")))
    conversation.begin()
    return conversation


def _reference(running: Engine, groups: int, k: int) -> Carried:
    name = f"reference-{groups}-{k}"
    reference = Reference(client=running.client("dynamodb"), table=name)
    create_table(reference.client, name)
    table, meter = running.resource(name)
    people = user("one"), user("other")
    made = [reference.begin(people, TEXT) for _ in range(groups)]
    seconds: list[float] = []
    taken = Meter()
    for _ in range(ROUNDS):
        messages = [reference.write(people[0], group, TEXT) for group in made for _ in range(k)]
        meter.take()
        began = time.perf_counter()
        for message in messages:
            move(table, message)
        seconds.append(time.perf_counter() - began)
        taken = meter.take()
    return _carried("reference", groups, k, seconds, taken)


def _carried(design: str, groups: int, k: int, seconds: Sequence[float], taken: Meter) -> Carried:
    messages = groups * k
    return Carried(
        design=design,
        groups=groups,
        k=k,
        per_second=Spread.of([messages / each for each in seconds]),
        calls=taken.calls.total() / messages,
        units=taken.write_units.total() / messages,
    )


@dataclass(frozen=True, kw_only=True)
class Lag:
    """Milliseconds from D's answer until both rows have moved, in a quiet conversation."""

    window: int
    milliseconds: Spread
    invocations: float


def quiet_lag(running: Engine, window: int) -> Lag:
    """Measure it, with the mapping's window set to so many seconds."""
    repository, _ = running.repository()
    processor = StreamProcessor(repository)
    moved = threading.Semaphore(0)
    invocations = 0

    def process(_: str, event: dict[str, Any]) -> Result:
        nonlocal invocations
        invocations += 1
        report = processor.process(event["Records"])
        for _lag in report.lags_ms:
            moved.release()
        return Result(payload={"batchItemFailures": []})

    reader = StreamReader(
        replace(running.mapping, window_seconds=window),
        invoke=process,
        streams=running.client("dynamodbstreams"),
        sqs=running.client("sqs"),
    )
    conversation = _begun(repository)
    reader.start()
    lags = []
    for number in range(QUIET_MESSAGES + 1):
        conversation.write(by=conversation.people[0])
        answered = time.perf_counter()
        if not moved.acquire(timeout=60):
            raise SystemExit("a row did not move")
        if number:  # before the first the reader has to find the shards
            lags.append((time.perf_counter() - answered) * 1000)
        time.sleep(0.017 * (number % 15))  # so that messages come at all moments between its polls
    reader.stop()
    return Lag(
        window=window,
        milliseconds=Spread.of(lags),
        invocations=invocations / (QUIET_MESSAGES + 1),
    )


def report(carried: Sequence[Carried], lags: Sequence[Lag]) -> str:
    """Return both as tables in Markdown."""
    head = ["groups in a batch", "K", "", "messages/s", "calls a message", "write units a message"]
    rows = [
        [
            *(str(one.groups), str(one.k), one.design, f"{one.per_second:.0f}"),
            *(f"{number:.2f}" for number in (one.calls, one.units)),
        ]
        for one in carried
    ]
    quiet = [[f"{lag.window} s", f"{lag.milliseconds:.0f}"] for lag in lags]
    return f"{table(head, rows)}\n\n{table(['window', 'lag of a quiet conversation, ms'], quiet)}"


if __name__ == "__main__":
    with engine() as measured:
        print(report(throughput(measured), [quiet_lag(measured, window) for window in (0, 1)]))
