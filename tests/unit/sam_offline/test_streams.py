"""From the stream to the function: filter, checkpoint, event records, failure messages."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sam_offline.batches import Batch, Record
from sam_offline.errors import TemplateError
from sam_offline.functions import Result
from sam_offline.stack import StreamMapping
from sam_offline.streams import Shard, event_record, failure_message, matcher

STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/1"
MAPPING = StreamMapping(
    name="M",
    function="F",
    stream_arn=STREAM,
    starting_position="TRIM_HORIZON",
    batch_size=10,
    reports_failures=True,
)
_FILTER = '{"eventName":["INSERT"],"dynamodb":{"Keys":{"pk":{"S":[{"prefix":"MSG#"}]}}}}'


def _record(number: int, pk: str = "MSG#1", name: str = "INSERT") -> Record:
    created = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return event_record(
        {
            "eventID": str(number),
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": {
                "ApproximateCreationDateTime": created,
                "Keys": {"pk": {"S": pk}, "sk": {"S": str(number)}},
                "NewImage": {"pk": {"S": pk}, "sk": {"S": str(number)}, "raw": {"B": b"\x00\x01"}},
                "SequenceNumber": str(number),
                "SizeBytes": 20,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        },
        STREAM,
    )


class _Function:
    """Fails as often as it is told to at a record; everything it was given is remembered."""

    def __init__(self, failures: dict[str, int]) -> None:
        self.failures = failures
        self.batches: list[list[str]] = []

    def __call__(self, batch: Batch) -> Result:
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch.records]
        self.batches.append(numbers)
        for number in numbers:
            if self.failures.get(number, 0) > 0:
                self.failures[number] -= 1
                return Result(payload={"batchItemFailures": [{"itemIdentifier": number}]})
        return Result(payload={"batchItemFailures": []})


def _deliver(records: list[Record], function: _Function, mapping: StreamMapping) -> list[Any]:
    given_up: list[Any] = []

    def give_up(batch: Batch, condition: str, _result: Result | None) -> None:
        given_up.append((condition, [r["dynamodb"]["SequenceNumber"] for r in batch.records]))

    pages = [records]
    shard = Shard(
        lambda: pages.pop() if pages else [], invoke=function, give_up=give_up, mapping=mapping
    )
    for _ in range(1000):
        if not shard.step(draining=True):
            break
        shard._due = 0.0  # no waiting between repeats
    assert shard.empty
    return given_up


def test_only_inserts_of_messages_pass_the_filter() -> None:
    passes = matcher((_FILTER,))
    assert passes(_record(1))
    assert not passes(_record(1, pk="GRP#1"))
    assert not passes(_record(1, pk="xMSG#1"))
    assert not passes(_record(1, name="MODIFY"))
    assert matcher(())(_record(1, pk="GRP#1"))
    assert matcher(('{"eventName":["REMOVE"]}', _FILTER))(_record(1))


def test_a_broken_filter_is_an_error_of_the_template() -> None:
    with pytest.raises(TemplateError, match="filter"):
        matcher(("{",))


def test_a_failed_record_goes_back_and_blocks_only_what_follows() -> None:
    function = _Function({"2": 2})
    assert not _deliver([_record(n) for n in (1, 2, 3)], function, MAPPING)
    assert function.batches == [["1", "2", "3"], ["2", "3"], ["2", "3"]]


def test_batches_keep_the_order_and_the_size() -> None:
    function = _Function({"3": 1})
    _deliver([_record(n) for n in range(1, 6)], function, replace(MAPPING, batch_size=2))
    assert function.batches == [["1", "2"], ["3", "4"], ["3", "4"], ["5"]]


def test_what_is_given_up_lets_the_rest_pass() -> None:
    function = _Function({"1": 99})
    mapping = replace(MAPPING, batch_size=1, retries=2)
    given_up = _deliver([_record(1), _record(2)], function, mapping)
    assert given_up == [("RetryAttemptsExhausted", ["1"])]
    assert function.batches == [["1"], ["1"], ["1"], ["2"]]


def test_expired_records_are_given_up_without_a_call() -> None:
    function = _Function({})
    given_up = _deliver([_record(1)], function, replace(MAPPING, record_age_seconds=60))
    assert given_up == [("RecordAgeExceeded", ["1"])]
    assert function.batches == []


def test_an_event_record_is_json_with_the_time_in_seconds() -> None:
    record = _record(7)
    assert record["eventSourceARN"] == STREAM
    assert record["dynamodb"]["ApproximateCreationDateTime"] == 1767323045
    assert record["dynamodb"]["NewImage"]["raw"] == {"B": "AAE="}


def test_the_failure_message_says_where_the_records_are() -> None:
    message = failure_message(
        Batch(records=(_record(3), _record(5)), repeats=1, calls=2),
        "RetryAttemptsExhausted",
        Result(payload={"errorMessage": "x"}, failed=True, request_id="r"),
        mapping=MAPPING,
        shard_id="shard-1",
        now=datetime(2026, 1, 2, 4, 0, tzinfo=UTC),
    )
    assert message == {
        "requestContext": {
            "requestId": "r",
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:F",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 2,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2026-01-02T04:00:00.000Z",
        "DDBStreamBatchInfo": {
            "shardId": "shard-1",
            "startSequenceNumber": "3",
            "endSequenceNumber": "5",
            "approximateArrivalOfFirstRecord": "2026-01-02T03:04:05.000Z",
            "approximateArrivalOfLastRecord": "2026-01-02T03:04:05.000Z",
            "batchSize": 2,
            "streamArn": STREAM,
        },
    }
