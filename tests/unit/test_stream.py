import threading
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

import pytest

from messaging import keys, message_groups
from messaging.entities import Item, Message, MessageGroup, User
from messaging.errors import TryAgainError
from messaging.message_groups import NewMessage
from messaging.moves import Outcome
from messaging.repository import PageRequest
from messaging.stream import Report, update_message_groups
from tests.fakes.memory_repository import MemoryRepository
from tests.fakes.people import BAYKO, GRAHAMS, REEF, minute
from tests.fakes.records import inserted, record, sequence_number

ALL = PageRequest(limit=100)


def update(
    repository: MemoryRepository,
    records: Iterable[dict[str, Any]],
    *,
    seconds_left: Callable[[], float] = lambda: 60,
) -> Report:
    return update_message_groups(
        records,
        repository,
        sleep=lambda _: None,
        seconds_left=seconds_left,
        now=lambda: minute(1000),
    )


def begin(repository: MemoryRepository, one: User = GRAHAMS, other: User = REEF) -> Message:
    new = NewMessage(message="first")
    sent = message_groups.create_message_group(repository, one, other, new, now=minute(0))
    return sent.message


def write(repository: MemoryRepository, group: str, at: int, sender: User = GRAHAMS) -> Message:
    new = NewMessage(message=f"at {at}")
    return message_groups.create_message(repository, sender, group, new, now=minute(at)).message


def inbox(repository: MemoryRepository, owner: User) -> list[MessageGroup]:
    return repository.list_message_groups(owner.uuid, ALL).rows


def test_both_lists_show_the_last_message(repository: MemoryRepository) -> None:
    group = begin(repository).message_group_uuid
    message = write(repository, group, 1)
    report = update(repository, inserted(message))
    assert report.failed == []
    for owner, other in ((GRAHAMS, REEF), (REEF, GRAHAMS)):
        assert inbox(repository, owner) == [
            MessageGroup.for_owner(owner.uuid, other=other, last=message)
        ]


def test_any_order_any_repeats_same_inbox(repository: MemoryRepository) -> None:
    group = begin(repository).message_group_uuid
    records = inserted(*(write(repository, group, number) for number in range(1, 6)))
    random = Random(5)
    for _ in range(20):
        update(repository, random.choices(records, k=3))
    update(repository, records)
    for owner in (GRAHAMS, REEF):
        assert [row.message for row in inbox(repository, owner)] == ["at 5"]


def test_rows_show_the_names_that_members_last_wrote_under(repository: MemoryRepository) -> None:
    group = begin(repository).message_group_uuid
    renamed = User(uuid=GRAHAMS.uuid, handle="graham", display_name="Graham S.")
    late = write(repository, group, 1)
    update(repository, inserted(write(repository, group, 2, renamed)))
    # A batch with another's newest message brings the name, a late message does not undo it.
    update(repository, inserted(late, write(repository, group, 3, REEF)))
    (row,) = inbox(repository, REEF)
    assert (row.message, row.user_handle) == ("at 3", "graham")
    batch = [write(repository, group, 4, GRAHAMS), write(repository, group, 5, REEF)]
    update(repository, inserted(*batch))
    (row,) = inbox(repository, REEF)
    assert (row.message, row.user_handle) == ("at 5", "grahams")


@pytest.mark.parametrize("pk", ["GRP#x", "GRP#"])
def test_an_unreadable_row_parks_its_group_and_holds_nothing(
    repository: MemoryRepository, pk: str
) -> None:
    first = begin(repository)
    other = begin(repository, BAYKO, REEF).message_group_uuid
    broken = {"pk": pk, "sk": first.sk, "message_group_uuid": first.message_group_uuid}
    repository.replace_group_rows([], [broken])
    records = inserted(
        write(repository, first.message_group_uuid, 1), write(repository, other, 1, BAYKO)
    )
    report = update(repository, records)
    assert (report.failed, report.parked) == ([], 1)
    assert inbox(repository, BAYKO)[0].message == "at 1"


def test_messages_of_one_group_share_one_move(repository: MemoryRepository) -> None:
    group = begin(repository).message_group_uuid
    report = update(repository, inserted(*(write(repository, group, n) for n in range(1, 4))))
    assert [move.outcome for move in report.moves] == [Outcome.MOVED]
    assert report.coalesced == 2


def test_a_repeat_costs_one_view_and_no_write(repository: MemoryRepository) -> None:
    group = begin(repository).message_group_uuid
    records = inserted(write(repository, group, 1))
    update(repository, records)
    (move,) = update(repository, records).moves
    assert (move.outcome, move.views) == (Outcome.ALREADY_THERE, 1)


def test_a_first_message_needs_no_move(repository: MemoryRepository) -> None:
    (move,) = update(repository, inserted(begin(repository))).moves
    assert move.outcome == Outcome.ALREADY_THERE


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
    assert inbox(repository, GRAHAMS)[0].sk == first.sk


class LaggingRepository(MemoryRepository):
    """An index that shows `views` one after the other, then the truth."""

    def __init__(self, views: list[Callable[[list[Item]], list[Item]]]) -> None:
        super().__init__()
        self.views = views

    def query_group_rows(self, message_group_uuid: str) -> list[Item]:
        rows = super().query_group_rows(message_group_uuid)
        return self.views.pop(0)(rows) if self.views else rows


@pytest.mark.parametrize(
    "view",
    [lambda rows: [], lambda rows: rows[:1], lambda rows: rows[1:]],
    ids=["no row", "one member's", "the other's"],
)
def test_a_view_without_every_members_row_is_not_acted_on(
    view: Callable[[list[Item]], list[Item]],
) -> None:
    repository = LaggingRepository([])
    group = begin(repository).message_group_uuid
    message = write(repository, group, 1)
    repository.views = [view, view]
    (move,) = update(repository, inserted(message)).moves
    assert (move.outcome, move.views) == (Outcome.MOVED, 3)
    for owner in (GRAHAMS, REEF):
        assert [row.sk for row in inbox(repository, owner)] == [message.sk]


def test_a_stale_view_leads_to_no_second_row() -> None:
    repository = LaggingRepository([])
    group = begin(repository).message_group_uuid
    stale = repository.query_group_rows(group)
    update(repository, inserted(write(repository, group, 1)))
    repository.views = [lambda _: stale]
    (move,) = update(repository, inserted(write(repository, group, 2))).moves
    assert (move.outcome, move.conflicts) == (Outcome.MOVED, 1)
    for owner in (GRAHAMS, REEF):
        assert [row.message for row in inbox(repository, owner)] == ["at 2"]


def test_a_group_whose_index_stays_behind_is_reported_by_its_first_record() -> None:
    class OneGroupBehind(MemoryRepository):
        behind = ""

        def query_group_rows(self, message_group_uuid: str) -> list[Item]:
            rows = super().query_group_rows(message_group_uuid)
            return [] if message_group_uuid == self.behind else rows

    repository = OneGroupBehind()
    group = begin(repository).message_group_uuid
    other = begin(repository, BAYKO, REEF).message_group_uuid
    repository.behind = group
    records = inserted(
        write(repository, other, 1, BAYKO), write(repository, group, 1), write(repository, group, 2)
    )
    report = update(repository, records)
    assert report.failed == [sequence_number(records[1])]
    assert inbox(repository, BAYKO)[0].message == "at 1"


def test_what_nobody_expected_is_not_swallowed() -> None:
    class Broken(MemoryRepository):
        def query_group_rows(self, message_group_uuid: str) -> list[Item]:
            raise LookupError(message_group_uuid)

    repository = Broken()
    records = inserted(
        write(repository, begin(repository).message_group_uuid, 1),
        write(repository, begin(repository, BAYKO, REEF).message_group_uuid, 1, BAYKO),
    )
    with pytest.raises(LookupError):
        update(repository, records)


def test_groups_move_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=10)

    class Meeting(MemoryRepository):
        def query_group_rows(self, message_group_uuid: str) -> list[Item]:
            meeting.wait()  # breaks unless two are here at a time
            return super().query_group_rows(message_group_uuid)

    repository = Meeting()
    records = inserted(
        write(repository, begin(repository).message_group_uuid, 1),
        write(repository, begin(repository, BAYKO, REEF).message_group_uuid, 1, BAYKO),
    )
    assert len(update(repository, records).moves) == 2


def test_out_of_time_is_reported_not_slept_through() -> None:
    repository = LaggingRepository([])
    group = begin(repository).message_group_uuid
    records = inserted(write(repository, group, 1))
    repository.views = [lambda rows: []]
    report = update(repository, records, seconds_left=lambda: 0)
    assert report.failed == [sequence_number(records[0])]


def test_a_table_that_does_not_answer_is_reported() -> None:
    class Throttled(MemoryRepository):
        def replace_group_rows(self, old: Sequence[Item], new: Sequence[Item]) -> bool:
            raise TryAgainError

    repository = Throttled()
    records = inserted(write(repository, begin(repository).message_group_uuid, 1))
    assert update(repository, records).failed == [sequence_number(records[0])]


@pytest.mark.parametrize("missing", ["message_uuid", "message", "user_uuid", "user_handle"])
def test_what_is_not_readable_is_parked_and_does_not_hold_the_rest(
    repository: MemoryRepository, missing: str
) -> None:
    message = write(repository, begin(repository).message_group_uuid, 1)
    poison = message.to_item() | {"sk": "2027-01-01T00:00:00+00:00#poison"}
    del poison[missing]
    records = [record(poison), *inserted(message)]
    for _ in range(2):
        report = update(repository, records)
        assert report.failed == []
        assert report.parked == 1
    parked = [item for (pk, _), item in repository.items.items() if pk == keys.FAILED_PK]
    assert [item["record_keys"] for item in parked] == [{"pk": poison["pk"], "sk": poison["sk"]}]
    assert inbox(repository, GRAHAMS)[0].message == "at 1"


def test_a_group_with_neither_rows_nor_members_is_parked(repository: MemoryRepository) -> None:
    message = write(repository, begin(repository).message_group_uuid, 1)
    repository.items.clear()
    report = update(repository, inserted(message))
    assert report.failed == []
    ((pk, sk),) = repository.items
    assert pk == keys.FAILED_PK
    assert sk.endswith(f"#{message.message_group_uuid}")


def test_rows_with_bare_and_local_timestamps_move_by_instant(repository: MemoryRepository) -> None:
    first = begin(repository)
    rows = repository.query_group_rows(first.message_group_uuid)
    # 05:30 on New Year's Day in India is midnight in UTC: before minute 1, though its string is
    # behind it.
    local = [row | {"sk": "2027-01-01T05:30:00+05:30"} for row in rows]
    repository.replace_group_rows(rows, local)
    update(repository, inserted(write(repository, first.message_group_uuid, 1)))
    for owner in (GRAHAMS, REEF):
        assert [row.message for row in inbox(repository, owner)] == ["at 1"]


def test_a_row_that_stands_twice_stands_once_after_a_move(repository: MemoryRepository) -> None:
    first = begin(repository)
    ghost = repository.query_group_rows(first.message_group_uuid)[0]
    ghost["sk"] = keys.message_sk(keys.Position(minute(-5), "ghost"))
    repository.replace_group_rows([], [ghost])
    update(repository, inserted(write(repository, first.message_group_uuid, 1)))
    for owner in (GRAHAMS, REEF):
        assert [row.message for row in inbox(repository, owner)] == ["at 1"]


def test_what_else_is_in_the_index_is_left_alone(repository: MemoryRepository) -> None:
    first = begin(repository)
    foreign = {"pk": "X#1", "sk": first.sk, "message_group_uuid": first.message_group_uuid}
    repository.replace_group_rows([], [foreign])
    update(repository, inserted(write(repository, first.message_group_uuid, 1)))
    assert repository.items["X#1", first.sk] == foreign
    assert inbox(repository, REEF)[0].message == "at 1"
