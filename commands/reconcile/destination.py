"""The failure queue: records that Lambda has given up to deliver to E.

A message in it has no records. It names a range of the stream, by shard and sequence numbers. The
stream keeps records for a day; after that only a run of the whole table finds what they changed.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ParamValidationError

from messaging import keys

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_sqs import SQSClient

# A message is hidden from other runs so long. A run that ends shows the rest of them again.
HIDDEN_SECONDS = 900
# A shard may give empty answers before it has been read, and takes five calls a second.
_EMPTY_ANSWERS = 20
_PAUSE_SECONDS = 0.25


class RangeTrimmedError(Exception):
    """The stream no longer has all records of the range."""


class RangeUnreadableError(Exception):
    """A message in the queue names no range of a stream."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """A part of a stream's shard, both ends included; `start` is spelled as in the stream."""

    stream_arn: str
    shard_id: str
    start: str
    end: int

    @classmethod
    def from_body(cls, body: str) -> "Range":
        """Return the range that a message of Lambda names.

        Raises
        ------
        RangeUnreadableError
            `body` is another message.
        """
        try:
            info = json.loads(body)["DDBStreamBatchInfo"]
            int(info["startSequenceNumber"])
            return cls(
                stream_arn=str(info["streamArn"]),
                shard_id=str(info["shardId"]),
                start=str(info["startSequenceNumber"]),
                end=int(info["endSequenceNumber"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise RangeUnreadableError("no DDBStreamBatchInfo") from error

    def __str__(self) -> str:
        return f"{self.shard_id} {self.start}-{self.end}"


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A message of the queue; `name` is its id, `receipt` what the queue wants to delete it."""

    name: str
    receipt: str
    body: str


class Destination:
    """The queue, and the streams that its messages name."""

    def __init__(
        self,
        sqs: "SQSClient",
        streams: "DynamoDBStreamsClient",
        queue_url: str,
        *,
        wait_seconds: int = 1,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sqs = sqs
        self._streams = streams
        self._queue_url = queue_url
        self._wait_seconds = wait_seconds
        self._sleep = sleep

    def letters(self) -> Iterator[Letter]:
        """Yield every message of the queue once."""
        seen: set[str] = set()
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=self._wait_seconds,
                VisibilityTimeout=HIDDEN_SECONDS,
            )
            new = [m for m in answer.get("Messages", []) if m["MessageId"] not in seen]
            if not new:
                return
            for message in new:
                seen.add(message["MessageId"])
                yield Letter(
                    name=message["MessageId"],
                    receipt=message["ReceiptHandle"],
                    body=message["Body"],
                )

    def delete(self, letter: Letter) -> None:
        """Delete a message of the queue."""
        self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=letter.receipt)

    def hand_back(self, letter: Letter) -> None:
        """Show a message to the next run at once."""
        self._sqs.change_message_visibility(
            QueueUrl=self._queue_url, ReceiptHandle=letter.receipt, VisibilityTimeout=0
        )

    def groups(self, range_: Range) -> set[str]:
        """Return the groups that have a new message in a range.

        Raises
        ------
        RangeTrimmedError
            Some of its records are gone.
        RangeUnreadableError
            It is no part of a stream.
        """
        groups = set()
        for record in self._records(range_):
            pk = str(record["dynamodb"]["Keys"]["pk"].get("S"))
            if record["eventName"] == "INSERT" and pk.startswith(keys.MESSAGE_PREFIX):
                groups.add(pk)
        return {group for pk in groups if (group := _group(pk))}

    def _records(self, range_: Range) -> Iterator[Any]:
        gone = (
            self._streams.exceptions.TrimmedDataAccessException,
            self._streams.exceptions.ResourceNotFoundException,
        )
        try:
            iterator: str | None = self._streams.get_shard_iterator(
                StreamArn=range_.stream_arn,
                ShardId=range_.shard_id,
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                SequenceNumber=range_.start,
            )["ShardIterator"]
            empty = 0
            while iterator and empty < _EMPTY_ANSWERS:
                answer = self._streams.get_records(ShardIterator=iterator)
                if answer["Records"]:
                    empty = 0
                else:
                    empty += 1
                    self._sleep(_PAUSE_SECONDS)
                for record in answer["Records"]:
                    number = int(record["dynamodb"]["SequenceNumber"])
                    if number > range_.end:
                        return
                    yield record
                    if number == range_.end:
                        return
                iterator = answer.get("NextShardIterator")
        except gone as error:
            raise RangeTrimmedError(str(range_)) from error
        except ParamValidationError as error:
            raise RangeUnreadableError(f"{range_} is not spelled as a stream spells it") from error
        # The shard does not have the end of the range.
        raise RangeTrimmedError(str(range_))


def _group(pk: str) -> str | None:
    try:
        return keys.uuid_in(pk, keys.MESSAGE_PREFIX)
    except ValueError:
        return None
