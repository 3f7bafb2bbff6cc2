"""Event source mappings: each delivers a table's stream to a function, at least once.

A thread for each mapping reads the stream, which has one shard in this engine, and calls the
function with one batch at a time. sam_offline.batches decides what follows a call. The position
is kept in memory, so that a new run begins at the mapping's starting position.
"""

import base64
import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError
from moto.events.models import EventPattern

from sam_offline.batches import (
    AGE,
    RETRIES,
    Batch,
    Record,
    Step,
    after,
    created_at,
    cut,
    sequence_number,
    split_expired,
)
from sam_offline.console import say
from sam_offline.errors import TemplateError
from sam_offline.functions import Result
from sam_offline.stack import StreamMapping

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_sqs import SQSClient

__all__ = ["Shard", "StreamReader", "event_record", "failure_message", "matcher"]

_POLL_SECONDS = 0.25
_BACKOFF_SECONDS = (0.2, 10.0)


class _StoppedError(Exception):
    pass


class StreamReader:
    """Delivers the stream of one mapping between `start` and `stop`.

    `invoke` calls a function by name with an event.
    """

    def __init__(
        self,
        mapping: StreamMapping,
        *,
        invoke: Callable[[str, Any], Result],
        streams: "DynamoDBStreamsClient",
        sqs: "SQSClient",
    ) -> None:
        self._mapping = mapping
        self._call = invoke
        self._streams = streams
        self._sqs = sqs
        self._matches = matcher(mapping.filters)
        self._shard = Shard(self._read, invoke=self._invoke, give_up=self._give_up, mapping=mapping)
        self._shard_id = ""
        self._iterator: str | None = None
        self._last: str | None = None
        self._draining = threading.Event()
        self._stopped = threading.Event()
        # How many times everything that was in the stream had been delivered.
        self._rests = 0
        self._rested = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def drain(self, seconds: float) -> bool:
        """Deliver what is in the stream now without waiting for a window; return whether it was."""
        self._draining.set()
        try:
            with self._rested:
                # The present round may have read the stream before this call.
                enough = self._rests + 2
                return self._rested.wait_for(lambda: self._rests >= enough, seconds)
        finally:
            self._draining.clear()

    def stop(self) -> None:
        """Read no more, and do not wait for a call that is under way."""
        self._stopped.set()
        self._thread.join(_POLL_SECONDS * 2)

    def _run(self) -> None:
        trouble = 0
        while not self._stopped.is_set():
            draining = self._draining.is_set()
            try:
                busy = self._shard.step(draining=draining)
                trouble = 0
            except _StoppedError:
                return
            except (BotoCoreError, ClientError) as error:
                trouble += 1
                if trouble == 3 and not draining:  # noqa: PLR2004 - a short trouble is no news
                    say(f"local: {self._mapping.name} cannot read the stream: {error}")
                self._stopped.wait(_backoff(trouble))
                continue
            if busy:
                continue
            if self._shard.empty:
                with self._rested:
                    self._rests += 1
                    self._rested.notify_all()
            self._stopped.wait(_POLL_SECONDS / 5 if draining else _POLL_SECONDS)

    def _read(self) -> list[Record]:
        """Return the next records that match; none when there are no new ones."""
        while True:
            iterator = self._iterator or self._open()
            # An iterator is valid for fifteen minutes. If the call fails because this machine slept
            # longer, the next one opens another.
            self._iterator = None
            answer = self._streams.get_records(ShardIterator=iterator, Limit=1000)
            self._iterator = answer.get("NextShardIterator")
            arn = self._mapping.stream_arn
            records = [event_record(dict(record), arn) for record in answer["Records"]]
            if records:
                self._last = sequence_number(records[-1])
            matching = [record for record in records if self._matches(record)]
            if matching or not records:
                return matching

    def _open(self) -> str:
        arn = self._mapping.stream_arn
        place: Any = {"ShardIteratorType": self._mapping.starting_position}
        if self._last:
            place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._last}
        (shard,) = self._streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        self._shard_id = shard["ShardId"]
        made = self._streams.get_shard_iterator(StreamArn=arn, ShardId=self._shard_id, **place)
        return made["ShardIterator"]

    def _invoke(self, batch: Batch) -> Result:
        event = {"Records": list(batch.records)}
        result = self._call(self._mapping.function, event)
        if self._stopped.is_set():
            raise _StoppedError  # the worker may have been ended, so its failure says nothing
        return result

    def _give_up(self, batch: Batch, condition: str, result: Result | None) -> None:
        first = sequence_number(batch.records[0])
        say(f"local: {self._mapping.name} gives up {len(batch.records)} records from {first} on")
        arn = self._mapping.on_failure_arn
        if arn is None:
            return
        message = failure_message(
            batch,
            condition,
            result,
            mapping=self._mapping,
            shard_id=self._shard_id,
            now=datetime.now(UTC),
        )
        queue = self._sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"]
        self._sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(message))


class Shard:
    """The state of one shard: records that wait for a batch, and batches that wait for a call.

    `read` returns the next records, none when there are no new ones.
    """

    def __init__(
        self,
        read: Callable[[], list[Record]],
        *,
        invoke: Callable[[Batch], Result],
        give_up: Callable[[Batch, str, Result | None], None],
        mapping: StreamMapping,
    ) -> None:
        self._read = read
        self._invoke = invoke
        self._give_up = give_up
        self._mapping = mapping
        self._waiting: list[Record] = []
        self._waiting_since = 0.0
        self._todo: deque[Batch] = deque()
        self._due = 0.0

    @property
    def empty(self) -> bool:
        """Whether everything that was read is done."""
        return not self._waiting and not self._todo

    def step(self, *, draining: bool) -> bool:
        """Take the next step; return whether another one may follow at once."""
        if not self._todo:
            self._collect(draining=draining)
        if not self._todo or time.monotonic() < self._due:
            return False
        self._process(self._todo[0])
        return True

    def _collect(self, *, draining: bool) -> None:
        if len(self._waiting) < self._mapping.batch_size:
            records = self._read()
            if records and not self._waiting:
                self._waiting_since = time.monotonic()
            self._waiting += records
        waited = float("inf") if draining else time.monotonic() - self._waiting_since
        batch, self._waiting = cut(self._waiting, waited=waited, mapping=self._mapping)
        if batch:
            self._todo.append(batch)
            self._waiting_since = time.monotonic()

    def _process(self, batch: Batch) -> None:
        """Send a batch. It stays in the queue until what follows from the call has replaced it."""
        expired, live = split_expired(batch, now=time.time(), mapping=self._mapping)
        if expired:
            self._give_up(expired, AGE, None)
            step = Step(todo=(live,) if live else ())
        else:
            result = self._invoke(batch)
            step = after(batch, result.payload, failed=result.failed, mapping=self._mapping)
            if step.given_up:
                self._give_up(step.given_up, RETRIES, result)
        self._todo.popleft()
        self._todo.extendleft(reversed(step.todo))
        self._due = time.monotonic() + (_backoff(step.todo[0].calls) if step.todo else 0.0)


def matcher(filters: tuple[str, ...]) -> Callable[[Record], bool]:
    """Return the test that a record has to pass: any of the filters, if there are some."""
    try:
        patterns = [EventPattern.load(text) for text in filters]
    except Exception as error:
        raise TemplateError(
            f"The template's filter {filters} is no event pattern: {error}"
        ) from error
    return lambda record: (
        not patterns or any(p.matches_event(cast("Any", record)) for p in patterns)
    )


def event_record(record: dict[str, Any], stream_arn: str) -> Record:
    """Return a record of the streams API, as boto3 has it, in the form that a function gets."""
    created = record["dynamodb"]["ApproximateCreationDateTime"]
    # As in the cloud: the time in whole seconds, binary values in base64.
    change = {**record["dynamodb"], "ApproximateCreationDateTime": int(created.timestamp())}
    text = json.dumps(change, default=lambda binary: base64.b64encode(binary).decode())
    event = {**record, "dynamodb": json.loads(text), "eventSourceARN": stream_arn}
    if "userIdentity" in event:
        identity = event["userIdentity"]
        event["userIdentity"] = {"principalId": identity["PrincipalId"], "type": identity["Type"]}
    return event


def failure_message(
    batch: Batch,
    condition: str,
    result: Result | None,
    *,
    mapping: StreamMapping,
    shard_id: str,
    now: datetime,
) -> dict[str, Any]:
    """Return what Lambda sends to the on-failure destination: positions of records, no contents."""

    def arrived(record: Record) -> datetime:
        return datetime.fromtimestamp(created_at(record), UTC)

    first, last = batch.records[0], batch.records[-1]
    message: dict[str, Any] = {}
    if result:
        message["responseContext"] = {"statusCode": 200, "executedVersion": "$LATEST"}
        if result.failed:
            message["responseContext"]["functionError"] = "Unhandled"
    return {
        **message,
        "requestContext": {
            "requestId": result.request_id if result else str(uuid.uuid4()),
            "functionArn": mapping.function_arn,
            "condition": condition,
            "approximateInvokeCount": batch.calls,
        },
        "version": "1.0",
        "timestamp": _timestamp(now),
        "DDBStreamBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": sequence_number(first),
            "endSequenceNumber": sequence_number(last),
            "approximateArrivalOfFirstRecord": _timestamp(arrived(first)),
            "approximateArrivalOfLastRecord": _timestamp(arrived(last)),
            "batchSize": len(batch.records),
            "streamArn": mapping.stream_arn,
        },
    }


def _timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _backoff(failures: int) -> float:
    """Return how long to wait after so many failures in a row, in seconds."""
    shortest, longest = _BACKOFF_SECONDS
    return min(longest, shortest * 2.0 ** min(failures - 1, 10)) if failures else 0.0
