"""Lambda's rules for a batch: partial failures, retries, bisect, age, window."""

from dataclasses import replace
from typing import Any

import pytest

from sam_offline.batches import Batch, Record, Step, after, cut, first_failed, split_expired
from sam_offline.stack import StreamMapping

MAPPING = StreamMapping(
    name="M",
    function="F",
    stream_arn="arn",
    starting_position="TRIM_HORIZON",
    batch_size=4,
    window_seconds=1,
    reports_failures=True,
)


def _record(number: int, created_at: float = 100.0) -> Record:
    change = {"SequenceNumber": str(number), "ApproximateCreationDateTime": created_at}
    return {"dynamodb": change}


def _batch(*numbers: int, **counts: int) -> Batch:
    return Batch(records=tuple(_record(number) for number in numbers), **counts)


def _report(*numbers: int) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": str(number)} for number in numbers]}


def _numbers(batch: Batch) -> list[int]:
    return [int(record["dynamodb"]["SequenceNumber"]) for record in batch.records]


@pytest.mark.parametrize(
    "payload", [None, {}, {"batchItemFailures": None}, {"batchItemFailures": []}, {"other": 1}]
)
def test_an_answer_without_failures_is_a_success(payload: Any) -> None:
    assert after(_batch(1, 2), payload, failed=False, mapping=MAPPING) == Step()


@pytest.mark.parametrize(
    "payload",
    [
        _report(9),
        _report(2, 9),
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"wrongKey": "2"}]},
        {"batchItemFailures": "2"},
        "text",
    ],
)
def test_an_answer_that_names_no_record_fails_the_whole_batch(payload: Any) -> None:
    assert first_failed(payload, _batch(1, 2, 3).records) == 0


def test_the_lowest_failed_record_and_everything_from_it_comes_again() -> None:
    step = after(_batch(1, 2, 3, 4), _report(3, 2), failed=False, mapping=MAPPING)
    assert [_numbers(batch) for batch in step.todo] == [[2, 3, 4]]
    assert step.todo[0].repeats == 1


def test_the_order_of_records_counts_not_the_text_of_their_numbers() -> None:
    step = after(_batch(9, 10, 11), _report(10, 11), failed=False, mapping=MAPPING)
    assert _numbers(step.todo[0]) == [10, 11]


def test_without_the_setting_an_answer_is_not_read() -> None:
    mapping = replace(MAPPING, reports_failures=False)
    assert after(_batch(1, 2), _report(1), failed=False, mapping=mapping) == Step()


def test_an_error_repeats_the_batch_for_ever_by_default() -> None:
    batch = _batch(1, 2)
    for count in range(1, 50):
        (batch,) = after(batch, None, failed=True, mapping=MAPPING).todo
        assert (batch.repeats, batch.calls, _numbers(batch)) == (count, count, [1, 2])


def test_after_the_last_retry_the_rest_of_the_batch_is_given_up() -> None:
    mapping = replace(MAPPING, retries=1)
    (again,) = after(_batch(1, 2), _report(2), failed=False, mapping=mapping).todo
    step = after(again, _report(2), failed=False, mapping=mapping)
    assert step.todo == ()
    assert step.given_up
    assert (_numbers(step.given_up), step.given_up.calls) == ([2], 2)


def test_no_retries_means_one_call() -> None:
    step = after(_batch(1), None, failed=True, mapping=replace(MAPPING, retries=0))
    assert step.given_up
    assert step.given_up.calls == 1


def test_bisecting_finds_the_one_poison_record_and_costs_no_retry() -> None:
    mapping = replace(MAPPING, bisect=True, retries=2)
    todo, given_up, done = [_batch(*range(1, 9))], [], []
    for _ in range(100):
        if not todo:
            break
        batch = todo.pop(0)
        poisoned = 6 in _numbers(batch)
        step = after(batch, None, failed=poisoned, mapping=mapping)
        todo = [*step.todo, *todo]
        given_up += [step.given_up] if step.given_up else []
        done += [] if poisoned else _numbers(batch)
    assert [_numbers(batch) for batch in given_up] == [[6]]
    assert given_up[0].calls == 3 + 3  # three splits led to it, then one call and two retries
    assert done == [1, 2, 3, 4, 5, 7, 8]


def test_a_partial_failure_with_bisect_splits_at_the_failed_record() -> None:
    mapping = replace(MAPPING, bisect=True, retries=5)
    step = after(_batch(1, 2, 3, 4), _report(3), failed=False, mapping=mapping)
    assert [(_numbers(batch), batch.repeats) for batch in step.todo] == [([3, 4], 0)]
    step = after(step.todo[0], _report(3), failed=False, mapping=mapping)
    assert [(_numbers(batch), batch.repeats) for batch in step.todo] == [([3, 4], 1)]


def test_records_past_the_age_are_parted_from_the_rest() -> None:
    mapping = replace(MAPPING, record_age_seconds=60)
    batch = Batch(records=(_record(1, 10.0), _record(2, 39.9), _record(3, 40.0)))
    old, rest = split_expired(batch, now=100.0, mapping=mapping)
    assert old
    assert rest
    assert (_numbers(old), _numbers(rest)) == ([1, 2], [3])
    assert split_expired(batch, now=1000.0, mapping=mapping)[1] is None
    assert split_expired(batch, now=1e9, mapping=MAPPING) == (None, batch)


def test_a_batch_is_due_when_it_is_full_or_the_window_is_over() -> None:
    few = [_record(number) for number in (1, 2)]
    assert cut(few, waited=0.9, mapping=MAPPING) == (None, few)
    batch, rest = cut(few, waited=1.0, mapping=MAPPING)
    assert batch
    assert (_numbers(batch), rest) == ([1, 2], [])
    batch, rest = cut([_record(number) for number in range(1, 7)], waited=0, mapping=MAPPING)
    assert batch
    assert (_numbers(batch), len(rest)) == ([1, 2, 3, 4], 2)
    assert cut([], waited=5, mapping=MAPPING) == (None, [])
