"""How Lambda forms batches of stream records, and what follows a call with one.

No clock and no network here. A record is in the form that a function gets. The rules:
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html,
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from dataclasses import dataclass, replace
from typing import Any

from sam_offline.stack import StreamMapping

Record = dict[str, Any]

# Why records were given up, in Lambda's words.
RETRIES = "RetryAttemptsExhausted"
AGE = "RecordAgeExceeded"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Records that go to the function together; never empty.

    `repeats` counts against the retry limit; `calls` counts every call that had these records.
    """

    records: tuple[Record, ...]
    repeats: int = 0
    calls: int = 0


@dataclass(frozen=True, kw_only=True)
class Step:
    """What follows a call: the batches to send next, in order, and a batch that is given up."""

    todo: tuple[Batch, ...] = ()
    given_up: Batch | None = None


def cut(
    waiting: list[Record], *, waited: float, mapping: StreamMapping
) -> tuple[Batch | None, list[Record]]:
    """Return a batch if one is due, and the records that go on waiting.

    A full batch is due. So is any other, once its first record has waited as long as the window.
    """
    full = len(waiting) >= mapping.batch_size
    if not waiting or not (full or waited >= mapping.window_seconds):
        return None, waiting
    return Batch(records=tuple(waiting[: mapping.batch_size])), waiting[mapping.batch_size :]


def split_expired(
    batch: Batch, *, now: float, mapping: StreamMapping
) -> tuple[Batch | None, Batch | None]:
    """Split a batch into records that are too old to send at `now` (epoch seconds) and the rest."""
    if mapping.record_age_seconds < 0:
        return None, batch
    oldest = now - mapping.record_age_seconds
    records = batch.records
    count = next((i for i, r in enumerate(records) if created_at(r) >= oldest), len(records))
    old = replace(batch, records=records[:count]) if count else None
    rest = replace(batch, records=records[count:]) if count < len(records) else None
    return old, rest


def first_failed(payload: Any, records: tuple[Record, ...]) -> int:
    """Return the index of the first record to repeat after a report of partial failures.

    It is the number of records if none has to be repeated: after an empty list, null or an empty
    answer. Lambda goes back to the lowest sequence number in the report. A report with any other
    number than those of the batch fails all of it.
    """
    failures = payload.get("batchItemFailures") if isinstance(payload, dict) else payload
    if failures is None or failures == []:
        return len(records)
    places = {sequence_number(record): i for i, record in enumerate(records)}
    try:
        return min(places[failure["itemIdentifier"]] for failure in failures)
    except (KeyError, TypeError):
        return 0


def after(batch: Batch, payload: Any, *, failed: bool, mapping: StreamMapping) -> Step:
    """Return what follows a call, which either failed or answered with `payload`."""
    tried = replace(batch, calls=batch.calls + 1)
    size = len(batch.records)
    if failed:
        if mapping.bisect and size > 1:  # splitting costs no retry
            half = size // 2
            parts = batch.records[:half], batch.records[half:]
            return Step(todo=tuple(replace(tried, records=part) for part in parts))
        return _repeat(tried, mapping)
    start = first_failed(payload, batch.records) if mapping.reports_failures else size
    if start == size:
        return Step()
    rest = replace(tried, records=batch.records[start:])
    if mapping.bisect and start > 0:  # split at the failed record, as far as it goes
        return Step(todo=(rest,))
    return _repeat(rest, mapping)


def _repeat(batch: Batch, mapping: StreamMapping) -> Step:
    if 0 <= mapping.retries <= batch.repeats:
        return Step(given_up=batch)
    return Step(todo=(replace(batch, repeats=batch.repeats + 1),))


def sequence_number(record: Record) -> str:
    """Return the record's position in its shard."""
    return str(record["dynamodb"]["SequenceNumber"])


def created_at(record: Record) -> float:
    """Return when the record was written, in epoch seconds."""
    return float(record["dynamodb"]["ApproximateCreationDateTime"])
