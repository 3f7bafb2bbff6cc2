import io
import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from messaging import keys, message_groups, stream
from messaging.entities import (
    Advance,
    Failed,
    Item,
    Members,
    Message,
    MessageGroupRow,
    advances,
)
from messaging.errors import UnreadableItemError
from messaging.message_groups import SendRequest
from messaging.repository import PageRequest
from messaging.stream import Report, StreamProcessor
from runtime.errors import TryAgainError
from runtime.user import User
from tests.fakes.memory_repository import MemoryRepository
from tests.fakes.people import BAYKO, GRAHAMS, REEF, minute
from tests.fakes.records import inserted, record, sequence_number

ALL = PageRequest(limit=100)


class CountingRepository(MemoryRepository):
    """Counts the calls that E makes."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def query_row_owners(self, message_group_uuid: str) -> frozenset[str]:
        self.calls.append("Query")
        return super().query_row_owners(message_group_uuid)

    def get_members(self, message_group_uuid: str) -> Members | None:
        self.calls.append("GetItem")
        return super().get_members(message_group_uuid)

    def advance_row(
        self, owner_uuid: str, message_group_uuid: str, steps: Sequence[Advance]
    ) -> Item | None:
        self.calls.append("UpdateItem")
        return super().advance_row(owner_uuid, message_group_uuid, steps)


def processor(repository: MemoryRepository, *, concurrency: int = 10) -> StreamProcessor:
    return StreamProcessor(repository, clock=lambda: minute(1000), concurrency=concurrency)


def update(repository: MemoryRepository, records: Iterable[dict[str, Any]]) -> Report:
    """Process records in an environment of their own."""
    return processor(repository).process(records)


def begin(repository: MemoryRepository, one: User = GRAHAMS, other: User = REEF) -> Message:
    request = SendRequest(message="first")
    sent = message_groups.create_message_group(
        repository, one, other, request, now=lambda: minute(0)
    )
    return sent.message


def write(repository: MemoryRepository, group: str, at: int, sender: User = GRAHAMS) -> Message:
    request = SendRequest(message=f"at {at}")
    return message_groups.create_message(
        repository, sender, group, request, now=lambda: minute(at)
    ).message


def inbox(repository: MemoryRepository, owner: User) -> list[MessageGroupRow]:
    return repository.list_message_groups(owner.uuid, ALL).rows


def row_key(owner: User, group: str) -> tuple[str, str]:
    return keys.message_group_pk(owner.uuid), keys.message_group_sk(group)


def parked(repository: MemoryRepository) -> list[Item]:
    return [item for (pk, _), item in repository.items.items() if pk == keys.FAILED_PK]


def test_both_lists_show_the_last_message(repository: MemoryRepository) -> None:
    first = begin(repository)
    group = first.message_group_uuid
    message = write(repository, group, 1)
    report = update(repository, inserted(message))
    assert report.failed == []
    for owner, other in ((GRAHAMS, REEF), (REEF, GRAHAMS)):
        (row,) = inbox(repository, owner)
        moved = MessageGroupRow.for_owner(owner.uuid, other=other, last=message)
        # What they have read is still what it was when the group began.
        begun = MessageGroupRow.for_owner(owner.uuid, other=other, last=first)
        assert row == replace(moved, marks=begun.marks)


def test_any_order_any_repeats_same_inbox(repository: MemoryRepository) -> None:
    group = begin(repository).message_group_uuid
    records = inserted(*(write(repository, group, number) for number in range(1, 6)))
    random = Random(5)
    for _ in range(20):
        update(repository, random.choices(records, k=3))
    update(repository, records)
    for owner in (GRAHAMS, REEF):
        assert [row.message for row in inbox(repository, owner)] == ["at 5"]


@pytest.mark.parametrize("order", [[1, 2, 3, 4], [4, 3, 2, 1], [3, 1, 4, 2]])
def test_names_and_the_others_last_message_do_not_depend_on_delivery(
    repository: MemoryRepository, order: list[int]
) -> None:
    group = begin(repository).message_group_uuid
    renamed = User(uuid=GRAHAMS.uuid, handle="graham", display_name="Graham S.")
    senders = {1: GRAHAMS, 2: REEF, 3: renamed, 4: REEF}
    messages = {number: write(repository, group, number, senders[number]) for number in senders}
    for number in order:
        update(repository, inserted(messages[number]))
    (row,) = inbox(repository, REEF)
    assert (row.message, row.user_handle, row.their_sk) == ("at 4", "graham", messages[3].sk)
    (row,) = inbox(repository, GRAHAMS)
    assert (row.message, row.user_handle, row.their_sk) == ("at 4", "reef", messages[4].sk)


def test_a_batch_behind_the_row_still_brings_what_the_other_wrote_in_it() -> None:
    repository = MemoryRepository()
    group = begin(repository).message_group_uuid
    older, own = write(repository, group, 1, REEF), write(repository, group, 2)
    update(repository, inserted(own))
    update(repository, inserted(older))
    (row,) = inbox(repository, GRAHAMS)
    assert (row.last_sk, row.their_sk) == (own.sk, older.sk)


def test_what_the_owner_has_set_in_a_row_stays(repository: MemoryRepository) -> None:
    group = begin(repository).message_group_uuid
    repository.items[row_key(GRAHAMS, group)] |= {"muted": True, "colour": "blue"}
    update(repository, inserted(write(repository, group, 1)))
    row = repository.items[row_key(GRAHAMS, group)]
    assert (row["message"], row["muted"], row["colour"]) == ("at 1", True, "blue")


def test_messages_of_one_group_share_one_move() -> None:
    repository = CountingRepository()
    group = begin(repository).message_group_uuid
    records = inserted(*(write(repository, group, n) for n in range(1, 4)))
    repository.calls.clear()
    report = update(repository, records)
    assert repository.calls == ["Query", "UpdateItem", "UpdateItem"]
    assert (report.coalesced, len(report.lags_ms)) == (2, 1)


def test_the_lag_of_a_group_is_that_of_its_newest_message(repository: MemoryRepository) -> None:
    group = begin(repository).message_group_uuid
    report = update(repository, inserted(*(write(repository, group, at) for at in (1, 3, 2))))
    assert report.lags_ms == [(minute(1000) - minute(3)).total_seconds() * 1000]


def test_a_warm_environment_reads_nothing_and_makes_one_call_a_member() -> None:
    repository = CountingRepository()
    group = begin(repository).message_group_uuid
    warm = processor(repository)
    warm.process(inserted(write(repository, group, 1)))
    records = inserted(write(repository, group, 2))
    repository.calls.clear()
    warm.process(records)
    assert repository.calls == ["UpdateItem", "UpdateItem"]
    # A repeat makes the same calls, which write nothing.
    before = dict(repository.items)
    assert warm.process(records).lags_ms == []
    assert repository.calls == ["UpdateItem"] * 4
    assert repository.items == before


def test_only_new_messages_move_anything(repository: MemoryRepository) -> None:
    first = begin(repository)
    message = write(repository, first.message_group_uuid, 1)
    row = inbox(repository, GRAHAMS)[0].to_item()
    report = update(
        repository,
        [
            record(message.to_item(), event_name="MODIFY"),
            record(message.to_item(), event_name="REMOVE"),
            record(row),
        ],
    )
    assert report == Report()
    assert inbox(repository, GRAHAMS)[0].last_sk == first.sk


@pytest.mark.parametrize(
    "shown", [[], [GRAHAMS], [REEF], [GRAHAMS, REEF, BAYKO]], ids=["none", "one", "other", "three"]
)
def test_where_the_index_does_not_show_both_members_they_are_asked_for(shown: list[User]) -> None:
    class OtherIndex(CountingRepository):
        def query_row_owners(self, message_group_uuid: str) -> frozenset[str]:
            super().query_row_owners(message_group_uuid)
            return frozenset(user.uuid for user in shown)

    repository = OtherIndex()
    message = write(repository, begin(repository).message_group_uuid, 1)
    repository.calls.clear()
    report = update(repository, inserted(message))
    assert repository.calls == ["Query", "GetItem", "UpdateItem", "UpdateItem"]
    assert (report.failed, report.parked) == ([], 0)
    for owner in (GRAHAMS, REEF):
        assert [row.last_sk for row in inbox(repository, owner)] == [message.sk]
    assert inbox(repository, BAYKO) == []


def test_rows_with_keys_of_another_application_are_not_touched(
    repository: MemoryRepository,
) -> None:
    first = begin(repository)
    group = first.message_group_uuid
    old = [
        {"pk": keys.message_group_pk(GRAHAMS.uuid), "sk": f"{at}", "message_group_uuid": group}
        for at in range(100)
    ]
    foreign = {"pk": "X#1", "sk": first.sk, "message_group_uuid": group}
    repository.put(foreign, *old)
    report = update(repository, inserted(write(repository, group, 1)))
    assert (report.failed, report.parked) == ([], 0)
    assert [repository.items[item["pk"], item["sk"]] for item in old] == old
    assert repository.items["X#1", first.sk] == foreign
    assert inbox(repository, REEF)[0].message == "at 1"


def no_row(row: Item) -> None:
    row.clear()


def no_place(row: Item) -> None:
    del row["last_sk"]


def a_place_that_is_none(row: Item) -> None:
    row["last_sk"] = "yesterday"


def a_place_of_another_type(row: Item) -> None:
    row["last_sk"] = 7


def a_place_with_an_offset(row: Item) -> None:
    # Behind the message as a time, ahead of it as a string.
    row["last_sk"] = "2027-01-01T05:30:00.000000+05:30#x"


@pytest.mark.parametrize(
    "broken",
    [
        no_row,
        no_place,
        a_place_that_is_none,
        a_place_of_another_type,
        a_place_with_an_offset,
    ],
)
def test_a_broken_row_parks_its_record_and_holds_neither_the_other_member_nor_other_groups(
    broken: Any,
) -> None:
    repository = MemoryRepository()
    group = begin(repository).message_group_uuid
    other = begin(repository, BAYKO, REEF).message_group_uuid
    message = write(repository, group, 1)
    records = inserted(message, write(repository, other, 1, BAYKO))
    broken(repository.items[row_key(REEF, group)])
    if not repository.items[row_key(REEF, group)]:
        del repository.items[row_key(REEF, group)]
    report = update(repository, records)
    assert (report.failed, report.parked) == ([], 1)
    (item,) = parked(repository)
    assert item["record_keys"] == {"pk": message.to_item()["pk"], "sk": message.sk}
    assert REEF.uuid in item["reason"]
    for owner in (GRAHAMS, BAYKO):
        assert [row.message for row in inbox(repository, owner)] == ["at 1"]


def test_a_group_without_rows_and_members_is_parked(repository: MemoryRepository) -> None:
    message = write(repository, begin(repository).message_group_uuid, 1)
    repository.items.clear()
    report = update(repository, inserted(message))
    assert report.failed == []
    ((pk, sk),) = repository.items
    assert pk == keys.FAILED_PK
    assert sk == keys.failed_sk(minute(1), message.message_group_uuid)


def test_members_that_cannot_be_read_park_their_group_only(repository: MemoryRepository) -> None:
    group = begin(repository).message_group_uuid
    other = begin(repository, BAYKO, REEF).message_group_uuid
    records = inserted(write(repository, group, 1), write(repository, other, 1, BAYKO))
    del repository.items[row_key(REEF, group)]
    repository.items[keys.members_pk(group), keys.MEMBERS_SK]["member_uuids"] = None
    report = update(repository, records)
    assert (report.failed, report.parked) == ([], 1)
    assert inbox(repository, BAYKO)[0].message == "at 1"


def test_the_log_says_which_record_was_parked_and_why(
    repository: MemoryRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    # Where Lambda's runtime reads: not the records of Python's logging, which have everything.
    monkeypatch.setattr(stream.logger.registered_handler, "stream", log)
    message = begin(repository)
    del repository.items[row_key(REEF, message.message_group_uuid)]
    update(repository, inserted(write(repository, message.message_group_uuid, 1)))
    line = json.loads(log.getvalue())
    assert line["message"] == "parked a record"
    assert REEF.uuid in line["reason"]
    assert line["record_keys"]["pk"] == keys.message_pk(message.message_group_uuid)


@pytest.mark.parametrize("known", [[], [GRAHAMS.uuid]], ids=["nobody", "one"])
def test_a_group_of_fewer_than_two_is_parked_and_not_taken_for_done(
    repository: MemoryRepository, known: list[str]
) -> None:
    group = begin(repository).message_group_uuid
    members = repository.items[keys.members_pk(group), keys.MEMBERS_SK]
    del repository.items[row_key(REEF, group)]
    environment = processor(repository)
    records = inserted(write(repository, group, 1))
    whole = members["member_uuids"]
    members["member_uuids"] = known
    report = environment.process(records)
    assert (report.failed, report.parked) == ([], 1)
    members["member_uuids"] = whole
    environment.process(records)
    assert inbox(repository, GRAHAMS)[0].message == "at 1"


def test_a_warm_environment_sees_that_a_strangers_row_was_taken_away() -> None:
    repository = MemoryRepository()
    group = begin(repository).message_group_uuid
    key = row_key(REEF, group)
    row = repository.items.pop(key)
    stranger = row_key(BAYKO, group)
    repository.put(row | {"pk": stranger[0]})
    environment = processor(repository)
    environment.process(inserted(write(repository, group, 1)))
    del repository.items[stranger]
    repository.put(row)
    assert environment.process(inserted(write(repository, group, 2))).parked == 1
    assert environment.process(inserted(write(repository, group, 3))).parked == 0
    assert inbox(repository, REEF)[0].message == "at 3"


def test_a_row_that_cannot_be_written_parks_its_record_and_holds_nobody() -> None:
    class Refusing(MemoryRepository):
        def advance_row(
            self, owner_uuid: str, message_group_uuid: str, steps: Sequence[Advance]
        ) -> Item | None:
            if owner_uuid == REEF.uuid:
                raise UnreadableItemError("refused")
            return super().advance_row(owner_uuid, message_group_uuid, steps)

    repository = Refusing()
    group = begin(repository).message_group_uuid
    report = update(repository, inserted(write(repository, group, 1)))
    assert (report.failed, report.parked) == ([], 1)
    assert inbox(repository, GRAHAMS)[0].message == "at 1"


def test_what_is_quoted_from_a_record_does_not_make_it_too_long_to_be_parked(
    repository: MemoryRepository,
) -> None:
    message = write(repository, begin(repository).message_group_uuid, 1)
    report = update(repository, [record(message.to_item() | {"user_uuid": "x" * 390_000})])
    assert (report.failed, report.parked) == ([], 1)
    (failed,) = parked(repository)
    assert failed["reason"].startswith("unreadable: not a message: not a uuid")
    assert len(str(failed)) < 1024


def test_a_message_whose_place_is_too_long_for_a_row_is_parked(
    repository: MemoryRepository,
) -> None:
    message = write(repository, begin(repository).message_group_uuid, 1)
    foreign = message.to_item() | {"sk": "2027-01-01T00:01:00", "message_uuid": "m" * 1000}
    report = update(repository, [record(foreign)])
    assert (report.failed, report.parked) == ([], 1)


def test_a_group_has_moved_when_one_of_its_rows_has() -> None:
    others = threading.Event()

    class OneIsThere(MemoryRepository):
        def advance_row(
            self, owner_uuid: str, message_group_uuid: str, steps: Sequence[Advance]
        ) -> Item | None:
            if owner_uuid == there.uuid:
                assert others.wait(60)
                return super().advance_row(owner_uuid, message_group_uuid, steps)
            try:
                return super().advance_row(owner_uuid, message_group_uuid, steps)
            finally:
                threading.Timer(0.05, others.set).start()

    for there in (GRAHAMS, REEF):
        others.clear()
        repository = OneIsThere()
        message = write(repository, begin(repository).message_group_uuid, 1)
        steps = advances([message], there.uuid)
        MemoryRepository.advance_row(repository, there.uuid, message.message_group_uuid, steps)
        assert len(update(repository, inserted(message)).lags_ms) == 1


def test_what_nobody_expected_is_not_swallowed() -> None:
    class Broken(MemoryRepository):
        def query_row_owners(self, message_group_uuid: str) -> frozenset[str]:
            raise LookupError(message_group_uuid)

    repository = Broken()
    records = inserted(
        write(repository, begin(repository).message_group_uuid, 1),
        write(repository, begin(repository, BAYKO, REEF).message_group_uuid, 1, BAYKO),
    )
    with pytest.raises(LookupError):
        update(repository, records)


def test_both_rows_of_a_group_move_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=60)

    class Meeting(MemoryRepository):
        def advance_row(
            self, owner_uuid: str, message_group_uuid: str, steps: Sequence[Advance]
        ) -> Item | None:
            meeting.wait()  # breaks unless two are here at a time
            return super().advance_row(owner_uuid, message_group_uuid, steps)

    repository = Meeting()
    message = write(repository, begin(repository).message_group_uuid, 1)
    assert update(repository, inserted(message)).failed == []


class Throttled(MemoryRepository):
    """A table that does not answer where it is asked not to."""

    silent: tuple[str, ...] = ()

    def query_row_owners(self, message_group_uuid: str) -> frozenset[str]:
        self._answer("query", message_group_uuid)
        return super().query_row_owners(message_group_uuid)

    def advance_row(
        self, owner_uuid: str, message_group_uuid: str, steps: Sequence[Advance]
    ) -> Item | None:
        self._answer("advance", message_group_uuid)
        return super().advance_row(owner_uuid, message_group_uuid, steps)

    def put_failed(self, failed: Failed) -> None:
        self._answer("park", failed.message_group_uuid)
        super().put_failed(failed)

    def _answer(self, call: str, message_group_uuid: str) -> None:
        if (call, message_group_uuid) == self.silent:
            raise TryAgainError


@pytest.mark.parametrize("call", ["query", "advance"])
def test_a_group_whose_calls_are_not_answered_is_reported_by_its_first_record(call: str) -> None:
    repository = Throttled()
    group = begin(repository).message_group_uuid
    other = begin(repository, BAYKO, REEF).message_group_uuid
    records = inserted(
        write(repository, other, 1, BAYKO), write(repository, group, 1), write(repository, group, 2)
    )
    repository.silent = (call, group)
    environment = processor(repository)
    report = environment.process(records)
    assert report.failed == [sequence_number(records[1])]
    assert inbox(repository, BAYKO)[0].message == "at 1"
    repository.silent = ()
    assert environment.process(records[1:]).failed == []
    assert inbox(repository, GRAHAMS)[0].message == "at 2"


def test_a_group_with_a_missing_row_comes_again_while_the_other_row_is_not_answered() -> None:
    class SilentForGrahams(MemoryRepository):
        def advance_row(
            self, owner_uuid: str, message_group_uuid: str, steps: Sequence[Advance]
        ) -> Item | None:
            if owner_uuid == GRAHAMS.uuid:
                raise TryAgainError
            return super().advance_row(owner_uuid, message_group_uuid, steps)

    repository = SilentForGrahams()
    group = begin(repository).message_group_uuid
    records = inserted(write(repository, group, 1))
    del repository.items[row_key(REEF, group)]
    report = update(repository, records)
    assert (report.failed, report.parked) == ([sequence_number(records[0])], 0)


def test_a_record_that_cannot_be_parked_for_now_comes_again() -> None:
    repository = Throttled()
    message = write(repository, begin(repository).message_group_uuid, 1)
    repository.items.clear()
    repository.silent = ("park", message.message_group_uuid)
    records = inserted(message)
    report = update(repository, records)
    assert (report.failed, report.parked) == ([sequence_number(records[0])], 0)


POISON = {
    "no image": lambda record: record["dynamodb"].pop("NewImage"),
    "no text": lambda record: record["dynamodb"]["NewImage"].pop("message"),
    "no sender": lambda record: record["dynamodb"]["NewImage"].pop("user_uuid"),
    "no uuid": lambda record: record["dynamodb"]["NewImage"].pop("message_uuid"),
    "an image that is a list": lambda record: record["dynamodb"].update(NewImage=[]),
    "a value without a type": lambda record: record["dynamodb"]["NewImage"].update(message="x"),
    "a number that is none": lambda record: record["dynamodb"]["NewImage"].update(n={"N": "x"}),
    "bytes that are none": lambda record: record["dynamodb"]["NewImage"].update(b={"B": "x"}),
    "a type that is none": lambda record: record["dynamodb"]["NewImage"].update(message={"Z": "x"}),
}


@pytest.mark.parametrize("poison", POISON)
def test_what_is_not_readable_is_parked_and_does_not_hold_the_rest(
    repository: MemoryRepository, poison: str
) -> None:
    message = write(repository, begin(repository).message_group_uuid, 1)
    item = message.to_item() | {"sk": "2027-01-01T00:00:00+00:00#poison"}
    broken = record(item)
    POISON[poison](broken)
    records = [broken, *inserted(message)]
    for _ in range(2):
        report = update(repository, records)
        assert report.failed == []
        assert report.parked == 1
    (failed,) = parked(repository)
    assert failed["record_keys"] == {"pk": item["pk"], "sk": item["sk"]}
    assert inbox(repository, GRAHAMS)[0].message == "at 1"


@pytest.mark.parametrize("unreadable", ["pk", "sk"])
def test_a_record_without_a_key_of_a_message_is_parked_by_its_number(
    repository: MemoryRepository, unreadable: str
) -> None:
    message = write(repository, begin(repository).message_group_uuid, 1)
    broken = record(message.to_item() | {unreadable: f"{keys.MESSAGE_PREFIX}x"})
    report = update(repository, [broken])
    assert (report.failed, report.parked) == ([], 1)
    (failed,) = parked(repository)
    assert failed["sk"] == keys.failed_sk(minute(1000), sequence_number(broken))


def test_a_parked_record_of_a_message_stands_at_its_time(repository: MemoryRepository) -> None:
    message = write(repository, begin(repository).message_group_uuid, 1)
    broken = record(message.to_item())
    del broken["dynamodb"]["NewImage"]
    update(repository, [broken])
    (failed,) = parked(repository)
    assert failed["sk"] == keys.failed_sk(minute(1), message.message_group_uuid)


def test_a_parked_record_is_kept_for_thirty_days(repository: MemoryRepository) -> None:
    message = write(repository, begin(repository).message_group_uuid, 1)
    repository.items.clear()
    update(repository, inserted(message))
    (failed,) = parked(repository)
    assert failed["expires_at"] == minute(1000).timestamp() + 30 * 24 * 3600


@pytest.mark.parametrize(
    "foreign",
    [
        {"eventName": "INSERT", "eventSourceARN": "x", "dynamodb": {"Keys": {"Id": {"N": "101"}}}},
        {"eventName": "INSERT", "dynamodb": {"Keys": {"pk": {"N": "1"}}}},
        {"eventSource": "aws:s3", "s3": {}},
    ],
)
def test_records_of_something_else_are_passed_over(
    repository: MemoryRepository, foreign: dict[str, Any]
) -> None:
    message = write(repository, begin(repository).message_group_uuid, 1)
    report = update(repository, [foreign, *inserted(message)])
    assert (report.failed, report.parked) == ([], 0)
    assert inbox(repository, GRAHAMS)[0].message == "at 1"
