"""reconcile on a table: adoption, repair beside live traffic, crashes, what was parked or given up.

Queue and stream are moto's, too; only a trimmed stream is a stub, for moto trims nothing.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import boto3
import pytest

from commands.reconcile import run
from commands.reconcile.destination import Destination
from commands.reconcile.digest import Rules
from commands.reconcile.group import Reconciler, Result
from commands.reconcile.plan import Kind, Write
from commands.reconcile.survey import Survey
from commands.reconcile.table import TRANSACTION_ITEMS, Table
from messaging import keys, message_groups
from messaging.attributes import from_dynamodb, to_dynamodb
from messaging.entities import PARKED_FOR, Advance, Failed, Item, Message, MessageGroupRow, advances
from messaging.errors import UnreadableItemError
from messaging.message_groups import SendRequest
from messaging.repository import PageRequest
from messaging.stream import Report, StreamProcessor
from runtime.deadline import Deadline
from runtime.errors import TryAgainError
from runtime.user import User
from tests.fakes.adopted import message_item, row_item
from tests.fakes.people import BAYKO, GRAHAMS, REEF, minute
from tests.fakes.records import inserted

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

GROUP = str(UUID(int=1))
OTHER_GROUP = str(UUID(int=2))
RULES = Rules()


@pytest.fixture
def table(dynamodb: "DynamoDBClient", table_name: str) -> Table:
    return Table(dynamodb, table_name, deadline=Deadline(), sleep=lambda _: None)


def reconciler_of(
    table: Table,
    *,
    rules: Rules = RULES,
    dry_run: bool = False,
    now: Callable[[], datetime] = lambda: minute(1000),
) -> Reconciler:
    return Reconciler(table, rules=rules, dry_run=dry_run, now=now, sleep=lambda _: None)


def everything(reconciler: Reconciler) -> list[Result]:
    # One worker: moto is right in one thread.
    return list(run.whole_table(reconciler, workers=1))


def repaired(results: Sequence[Result]) -> list[Kind]:
    return sorted(finding.kind for result in results for finding in result.repaired)


def left(results: Sequence[Result]) -> list[Kind]:
    return sorted(finding.kind for result in results for finding in result.left)


def put(table: Table, *items: Item) -> None:
    for item in items:
        table._client.put_item(TableName=table._table_name, Item=to_dynamodb(item))


def delete(table: Table, *items: Item) -> None:
    for item in items:
        key = to_dynamodb({"pk": item["pk"], "sk": item["sk"]})
        table._client.delete_item(TableName=table._table_name, Key=key)


def contents(table: Table) -> dict[tuple[str, str], Item]:
    return {(item["pk"], item["sk"]): item for page in table.scan() for item in page}


def inbox(table: Table, owner: User) -> list[tuple[str, str]]:
    """The handles and previews of a person's list, newest first."""
    rows = table.list_message_groups(owner.uuid, PageRequest(limit=100)).rows
    return [(row.user_handle, row.message) for row in rows]


def begin(table: Table, one: User = GRAHAMS, other: User = REEF, *, at: int = 0) -> str:
    request = SendRequest(message=f"at {at}")
    return message_groups.create_message_group(
        table, one, other, request, now=lambda: minute(at)
    ).message.message_group_uuid


def write(table: Table, group: str, at: int, sender: User = GRAHAMS) -> Message:
    request = SendRequest(message=f"at {at}")
    return message_groups.create_message(
        table, sender, group, request, now=lambda: minute(at)
    ).message


def move(table: Table, *messages: Message) -> Report:
    """Deliver the records of messages to E."""
    processor = StreamProcessor(table, clock=lambda: minute(1000), concurrency=1)
    return processor.process(inserted(*messages))


def conversation_of(table: Table, group: str) -> list[str]:
    """The texts as A shows them, newest first."""
    rows = table.list_messages(group, PageRequest(limit=100)).rows
    return [row.message for row in rows]


def rows_of(table: Table, group: str) -> list[Item]:
    return [item for item in contents(table).values() if item.get("message_group_uuid") == group]


def test_a_table_of_this_application_is_equal_and_is_only_read(table: Table) -> None:
    group = begin(table)
    move(table, write(table, group, 1, REEF))
    begin(table, BAYKO, REEF, at=2)
    before = contents(table)
    results = everything(reconciler_of(table))
    assert [(result.repaired, result.left, result.notes) for result in results] == [
        ([], [], [])
    ] * 2
    assert contents(table) == before


@pytest.mark.parametrize("whole", [True, False])
def test_what_the_stream_missed_is_made_up_for(table: Table, whole: bool) -> None:
    group = begin(table)
    write(table, group, 1, REEF)
    run_ = everything if whole else lambda r: list(run.one_group(r, group))
    assert repaired(run_(reconciler_of(table))) == [Kind.ROW_BEHIND] * 2
    assert inbox(table, GRAHAMS) == [("reef", "at 1")]
    assert inbox(table, REEF) == [("grahams", "at 1")]
    assert repaired(run_(reconciler_of(table))) == []


def test_a_dry_run_finds_the_same_and_writes_nothing(table: Table) -> None:
    group = begin(table)
    write(table, group, 1)
    before = contents(table)
    results = everything(reconciler_of(table, dry_run=True))
    assert left(results) == [Kind.ROW_BEHIND] * 2
    assert repaired(results) == []
    assert contents(table) == before


def test_a_group_that_does_not_exist_is_said_to(table: Table) -> None:
    assert left(list(run.one_group(reconciler_of(table), GROUP))) == [Kind.NO_SUCH_GROUP]


# Adoption of a table of the bootcamp's application.

BARE = "2026-12-31T23:50:00.000000+00:00"
LATER = "2026-12-31T23:55:00+00:00"
LATER_IN_UTC = "2026-12-31T23:55:00.000000+00:00"
IN_INDIA = "2027-01-01T05:24:00.123456+05:30"
NAIVE = "2026-12-31T18:53:00.000000"


def messages_of(table: Table) -> dict[str, Item]:
    """All messages without their keys, by uuid."""
    return {
        item["message_uuid"]: {n: v for n, v in item.items() if n != "sk"}
        for (pk, _), item in contents(table).items()
        if pk.startswith(keys.MESSAGE_PREFIX)
    }


def assert_canonical(table: Table) -> None:
    """Every message and row is where string order is time order."""
    for (pk, sk), item in contents(table).items():
        if pk.startswith(keys.MESSAGE_PREFIX):
            assert sk == Message.from_item(item).place
            assert sk.endswith(f"#{item['message_uuid']}")
        if pk.startswith(keys.MESSAGE_GROUP_PREFIX):
            assert sk == item["message_group_uuid"]
            assert item["last_sk"] == keys.message_sk(MessageGroupRow.from_item(item).position)


def adopt(table: Table, *, rules: Rules = RULES) -> list[Result]:
    """Adopt the table; a second run finds nothing to repair, and of messages only keys changed."""
    messages = messages_of(table)
    results = everything(reconciler_of(table, rules=rules))
    again = everything(reconciler_of(table, rules=rules))
    assert repaired(again) == []
    assert left(again) == left(results)
    assert messages_of(table) == messages
    if not left(results):
        assert_canonical(table)
    return results


def conversation(
    *sks: str, group: str = GROUP, one: User = GRAHAMS, other: User = REEF
) -> list[Item]:
    return [
        message_item(group, sk, sender, number=number, text=f"number {number}")
        for number, (sk, sender) in enumerate(zip(sks, [one, other] * 9, strict=False))
    ]


def test_rows_and_messages_get_their_keys(table: Table) -> None:
    muted = {"muted": True}
    rows = [
        row_item(GROUP, LATER, GRAHAMS, REEF, text="number 1") | muted,
        row_item(GROUP, LATER, REEF, GRAHAMS, text="number 1"),
    ]
    put(table, *conversation(BARE, LATER), *rows)
    dry = everything(reconciler_of(table, dry_run=True))
    kinds = [Kind.MEMBERS_MISSING, Kind.MESSAGES_MISPLACED, Kind.PAIR_MISSING]
    kinds += [Kind.ROW_MISSING] * 2 + [Kind.ROW_SURPLUS] * 2
    assert left(dry) == kinds
    assert repaired(adopt(table)) == kinds
    places = [f"{time}#00000000-0000-4000-9000-{n:012}" for n, time in enumerate(
        [BARE, LATER_IN_UTC]
    )]  # fmt: skip
    # All that was there before the marks is read.
    registers = {"sk": GROUP, "last_sk": places[1], "read_sk": places[1]}
    assert in_order(rows_of(table, GROUP)) == [
        rows[0] | registers | {"their_sk": places[1]},
        rows[1] | registers | {"their_sk": places[0]},
    ]
    assert conversation_of(table, GROUP) == ["number 1", "number 0"]


@pytest.mark.parametrize("surviving", [0, 1, 2])
def test_missing_rows_are_written(table: Table, surviving: int) -> None:
    rows = [
        row_item(GROUP, BARE, GRAHAMS, REEF, text="number 0"),
        row_item(GROUP, BARE, REEF, GRAHAMS, text="number 0"),
    ]
    put(table, *conversation(BARE, LATER), *rows[:surviving])
    assert left(adopt(table)) == []
    assert inbox(table, GRAHAMS) == [("reef", "number 1")]
    assert inbox(table, REEF) == [("grahams", "number 1")]


def test_mixed_offsets_are_compared_as_instants_and_lists_are_in_their_order(table: Table) -> None:
    # As strings: IN_INDIA is the latest. As instants it is the earliest of the two last ones.
    put(
        table,
        *conversation(BARE, IN_INDIA),
        row_item(GROUP, IN_INDIA, GRAHAMS, REEF, text="number 1"),
        row_item(GROUP, IN_INDIA, REEF, GRAHAMS, text="number 1"),
        *conversation(IN_INDIA, LATER, group=OTHER_GROUP, other=BAYKO),
    )
    assert left(adopt(table)) == []
    assert inbox(table, GRAHAMS) == [("bayko", "number 1"), ("reef", "number 1")]
    # D and E go on from there.
    request = SendRequest(message="new")
    move(
        table,
        message_groups.create_message(table, REEF, GROUP, request, now=lambda: minute(0)).message,
    )
    assert inbox(table, GRAHAMS) == [("reef", "new"), ("bayko", "number 1")]
    assert conversation_of(table, GROUP) == ["new", "number 1", "number 0"]
    assert repaired(everything(reconciler_of(table))) == []


def test_keys_without_offset_are_read_in_their_zone(table: Table) -> None:
    # 18:53 in New York is 23:53 in UTC: before LATER, after BARE.
    put(
        table,
        *conversation(BARE, NAIVE),
        *conversation(BARE, LATER, group=OTHER_GROUP, other=BAYKO),
    )
    assert left(adopt(table, rules=Rules(naive_zone=ZoneInfo("America/New_York")))) == []
    assert inbox(table, GRAHAMS) == [("bayko", "number 1"), ("reef", "number 1")]


@pytest.mark.parametrize("by", ["their messages", "a row"])
def test_two_conversations_that_collided_on_one_key_are_both_there(table: Table, by: str) -> None:
    # Both began at one instant: the second row of grahams overwrote the first, and neither
    # reef nor bayko has answered in their conversation.
    put(
        table,
        *conversation(BARE, group=GROUP),
        row_item(GROUP, BARE, REEF, GRAHAMS, text="number 0"),
        *conversation(BARE, group=OTHER_GROUP, other=BAYKO),
        row_item(OTHER_GROUP, BARE, BAYKO, GRAHAMS, text="number 0"),
        row_item(OTHER_GROUP, BARE, GRAHAMS, BAYKO, text="number 0"),
    )
    results = everything(reconciler_of(table))
    # The messages of the one wait for its rows.
    assert left(results) == [Kind.MESSAGES_MISPLACED, Kind.NAME_UNKNOWN]
    assert inbox(table, GRAHAMS) == [("bayko", "number 0")]
    # Somewhere reef is named: that is how they are called.
    if by == "a row":
        begin(table, BAYKO, REEF)
    else:
        put(table, *conversation(BARE, LATER, group=str(UUID(int=3)), one=BAYKO))
    assert left(everything(reconciler_of(table))) == []
    assert_canonical(table)
    assert sorted(inbox(table, GRAHAMS)) == [("bayko", "number 0"), ("reef", "number 0")]


def test_a_message_whose_place_another_has_is_reported_and_left_alone(table: Table) -> None:
    mine, other = conversation(BARE, LATER)
    place = f"{BARE}#{mine['message_uuid']}"
    put(table, mine, other, mine | {"sk": place, "message": "another text"})
    (result,) = everything(reconciler_of(table))
    assert left([result]) == [Kind.MESSAGES_MISPLACED]
    assert BARE in result.left[0].detail
    # All else is in its place.
    assert sorted(conversation_of(table, GROUP)) == ["another text", "number 0", "number 1"]
    assert inbox(table, GRAHAMS) == [("reef", "number 1")]


def test_several_groups_of_a_pair_are_said_and_pair_names_the_newest(table: Table) -> None:
    put(table, *conversation(BARE, LATER), *conversation(BARE, IN_INDIA, group=OTHER_GROUP))
    results = adopt(table)
    assert left(results) == []
    kinds = [note.kind for result in results for note in result.notes]
    assert kinds == [Kind.SEVERAL_GROUPS_OF_PAIR] * 2
    request = SendRequest(message="new")
    sent = message_groups.create_message_group(table, REEF, GRAHAMS, request, now=lambda: minute(0))
    assert sent.message.message_group_uuid == GROUP
    # A group by itself finds the other one by its members' rows.
    write(table, OTHER_GROUP, 5)
    assert repaired(list(run.one_group(reconciler_of(table), GROUP))) == [
        Kind.PAIR_DIFFERS,
        Kind.ROW_BEHIND,
        Kind.ROW_BEHIND,
    ]
    assert repaired(adopt(table)) == [Kind.ROW_BEHIND] * 2


def ghost(row: Item, sk: str) -> Item:
    """A row as this project, too, once had them: its place is its key."""
    return {n: v for n, v in row.items() if n not in ("last_sk", "their_sk")} | {"sk": sk}


def test_rows_of_other_forms_beside_the_right_ones_go(table: Table) -> None:
    group = begin(table)
    before = rows_of(table, group)
    put(table, *(ghost(row, BARE) for row in before))
    put(table, *(ghost(row, f"{BARE}#{UUID(int=9)}") for row in before))
    assert repaired(everything(reconciler_of(table))) == [Kind.ROW_SURPLUS] * 4
    assert in_order(rows_of(table, group)) == in_order(before)


def test_more_of_them_than_a_transaction_takes_go_too(table: Table) -> None:
    group = begin(table)
    (row, other) = in_order(rows_of(table, group))
    delete(table, row)
    for number in range(TRANSACTION_ITEMS + 5):
        put(table, ghost(row, keys.format_time(minute(-number - 1))) | {"muted": number == 0})
    kinds = set(repaired(everything(reconciler_of(table))))
    assert kinds == {Kind.ROW_MISSING, Kind.ROW_SURPLUS}
    # What the last of them had beside is still there.
    assert in_order(rows_of(table, group)) == [row | {"muted": True}, other]


def test_what_nobody_knows_is_reported_and_left_alone(table: Table) -> None:
    put(table, *conversation(BARE))
    before = contents(table)
    assert left(adopt(table)) == [Kind.MESSAGES_MISPLACED, Kind.OTHER_MEMBER_UNKNOWN]
    assert contents(table) == before


def test_a_group_without_messages_is_reported_and_left_alone(table: Table) -> None:
    group = begin(table)
    delete(table, *[i for k, i in contents(table).items() if k[0] == keys.message_pk(group)])
    before = contents(table)
    assert left(adopt(table)) == [Kind.NO_MESSAGES]
    assert contents(table) == before


def test_a_pair_without_a_group_is_reported(table: Table) -> None:
    pair = {"pk": keys.pair_pk(GRAHAMS.uuid, REEF.uuid), "sk": keys.PAIR_SK, "group": GROUP}
    put(table, pair)
    assert left(everything(reconciler_of(table))) == [Kind.PAIR_OF_NOTHING]
    # It cannot pass for the group of these two by naming one of others.
    group = begin(table, BAYKO, REEF)
    put(table, pair | {"group": group})
    assert left(everything(reconciler_of(table))) == [Kind.PAIR_OF_NOTHING]
    put(table, *conversation(BARE, LATER))
    assert repaired(adopt(table)) == [
        Kind.MEMBERS_MISSING, Kind.MESSAGES_MISPLACED, Kind.PAIR_DIFFERS,
        Kind.ROW_MISSING, Kind.ROW_MISSING,
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["by its members", "by its senders"])
def test_a_group_of_others_is_no_rival(table: Table, how: str) -> None:
    put(table, *conversation(BARE, LATER))
    foreign = OTHER_GROUP
    if how == "by its members":  # only reef has written in it
        foreign = begin(table, REEF, BAYKO)
    else:
        put(table, *conversation(BARE, keys.format_time(minute(0)), group=foreign, one=BAYKO))
    pair = {"pk": keys.pair_pk(GRAHAMS.uuid, REEF.uuid), "sk": keys.PAIR_SK}
    put(table, pair | {"group": foreign})
    list(run.one_group(reconciler_of(table), GROUP))
    assert contents(table)[pair["pk"], pair["sk"]]["group"] == GROUP


def test_a_pair_that_was_made_during_the_scan_is_no_finding(table: Table) -> None:
    begin(table)
    survey = Survey(rules=RULES)
    for key, item in contents(table).items():
        if key[0].startswith(keys.PAIR_PREFIX):
            survey.add(item, now=minute(0))
    assert list(survey.pairs_of_nothing(table)) == []


def test_strays_are_reported(table: Table) -> None:
    put(table, {"pk": keys.MESSAGE_PREFIX + "x", "sk": BARE}, {"pk": "SENT#x", "sk": "x"})
    put(table, {"pk": keys.message_group_pk(REEF.uuid), "sk": BARE, "message": "of no group"})
    assert left(everything(reconciler_of(table))) == [Kind.MESSAGE_UNREADABLE, Kind.ROW_OF_NOBODY]


def test_members_in_another_spelling_of_their_key_do_not_count(table: Table) -> None:
    group = begin(table)
    members = contents(table)[keys.members_pk(group), keys.MEMBERS_SK]
    delete(table, members)
    put(table, members | {"pk": keys.MEMBERS_PREFIX + group.upper()})
    results = everything(reconciler_of(table))
    assert (repaired(results), left(results)) == ([Kind.MEMBERS_MISSING], [Kind.MESSAGE_UNREADABLE])
    assert table.get_members(group)


def test_a_row_in_another_spelling_of_its_keys_is_put_right(table: Table) -> None:
    put(
        table,
        *conversation(BARE, LATER),
        row_item(GROUP, BARE, GRAHAMS, REEF)
        | {
            "pk": keys.MESSAGE_GROUP_PREFIX + GRAHAMS.uuid.upper(),
            "message_group_uuid": UUID(GROUP).hex,
        },
    )
    assert left(adopt(table)) == []
    assert len(rows_of(table, GROUP)) == 2
    assert len(contents(table)) == 6


def test_pages_and_partitions_are_read_to_their_end(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = [begin(table, at=0), begin(table, BAYKO, REEF, at=1)]
    for group in groups:
        for number in range(7):
            write(table, group, 10 + number, REEF)

    def three(params: dict[str, Any], **_: Any) -> None:
        params["Limit"] = 3

    for call in ("Query", "Scan"):
        table._client.meta.events.register(f"provide-client-params.dynamodb.{call}", three)
    assert repaired(everything(reconciler_of(table))) == [Kind.ROW_BEHIND] * 4
    assert inbox(table, REEF)[0][1] == "at 16"


# Damage of every kind, at random.


def damaged(table: Table, random: Random) -> None:
    """Some conversations, some of them damaged."""
    people = [GRAHAMS, REEF, BAYKO]
    for one, other in ((0, 1), (1, 2), (2, 0)):
        group = begin(table, people[one], people[other], at=random.randint(0, 9))
        write(table, group, 10, people[other])
        for _ in range(random.randint(0, 3)):
            message = write(
                table, group, random.randint(11, 30), people[random.choice([one, other])]
            )
            if random.random() < 0.5:
                move(table, message)
    for key, item in contents(table).items():
        if key[0].startswith(keys.MESSAGE_PREFIX) or random.random() < 0.6:
            continue
        if key[0].startswith(keys.MESSAGE_GROUP_PREFIX) and random.random() < 0.8:
            place = keys.message_sk(keys.Position(minute(random.randint(-50, 50)), "x"))
            match random.randint(0, 2):
                case 0:
                    put(table, item | {"last_sk": place, "message": random.choice(["x", "at 10"])})
                case 1:
                    put(table, item | {"their_sk": place, "user_handle": "somebody"})
                case 2:
                    put(table, ghost(item, place))
                    if random.random() < 0.5:
                        delete(table, item)
        else:
            delete(table, item)


def expected_rows(table: Table) -> list[Item]:
    """What the messages say."""
    users = {user.uuid: user for user in (GRAHAMS, REEF, BAYKO)}
    messages: dict[str, list[Message]] = {}
    for (pk, _), item in contents(table).items():
        if pk.startswith(keys.MESSAGE_PREFIX):
            messages.setdefault(pk, []).append(Message.from_item(item))
    rows = []
    for group in messages.values():
        last = max(group, key=lambda message: message.place)
        one, other = {message.user_uuid for message in group}
        for owner, to in ((one, other), (other, one)):
            row = MessageGroupRow.for_owner(owner, other=users[to], last=last).to_item()
            for step in advances(group, owner):
                row |= step.attributes
            del row["read_sk"]  # follows from no message
            rows.append(row)
    return rows


def in_order(items: Sequence[Item]) -> list[Item]:
    return sorted(items, key=lambda item: (str(item["pk"]), str(item["sk"])))


def found_rows(table: Table, *, without: str = "") -> list[Item]:
    """What rows say of their messages; each of them also has a mark."""
    items = contents(table).items()
    rows = [item for (pk, _), item in items if pk.startswith(keys.MESSAGE_GROUP_PREFIX)]
    assert all("read_sk" in row for row in rows)
    left_out = {"read_sk", without}
    return in_order([{n: v for n, v in row.items() if n not in left_out} for row in rows])


def test_any_damage_is_repaired_to_what_the_messages_say(table: Table) -> None:
    for seed in range(4):
        delete(table, *contents(table).values())
        damaged(table, Random(seed))
        assert left(everything(reconciler_of(table))) == []
        assert found_rows(table) == in_order(expected_rows(table))
        counts = [
            sum(pk.startswith(prefix) for pk, _ in contents(table))
            for prefix in (keys.MEMBERS_PREFIX, keys.PAIR_PREFIX)
        ]
        assert counts == [3, 3]
        assert repaired(everything(reconciler_of(table))) == []


# Crashes and live traffic.


class CrashError(Exception):
    """The process is gone."""


class Meddled(Table):
    """A table in which `before` happens before each write, `after` after it."""

    before: Callable[[int], None] = staticmethod(lambda _: None)
    after: Callable[[int], None] = staticmethod(lambda _: None)
    writes = 0

    def write(self, writes: Sequence[Write]) -> bool:
        return self._meddle(lambda: super(Meddled, self).write(writes))

    def advance_row(
        self, owner_uuid: str, message_group_uuid: str, steps: Sequence[Advance]
    ) -> Item | None:
        return self._meddle(
            lambda: super(Meddled, self).advance_row(owner_uuid, message_group_uuid, steps)
        )

    def _meddle[Done](self, write: Callable[[], Done]) -> Done:
        number, self.writes = self.writes, self.writes + 1
        self.before(number)
        done = write()
        self.after(number)
        return done


@pytest.fixture
def meddled(table: Table) -> Meddled:
    return Meddled(table._client, table._table_name, deadline=Deadline(), sleep=lambda _: None)


def plain(table: Table) -> Table:
    """The same table without meddling."""
    return Table(table._client, table._table_name, deadline=Deadline())


def crash_at(number: int) -> Callable[[int], None]:
    def crash(at: int) -> None:
        if at == number:
            raise CrashError

    return crash


def old_table(table: Table) -> None:
    """Two conversations as the bootcamp's application has them, in two zones."""
    delete(table, *contents(table).values())
    put(
        table,
        *conversation(BARE, IN_INDIA),
        row_item(GROUP, IN_INDIA, GRAHAMS, REEF, text="number 1") | {"muted": True},
        row_item(GROUP, BARE, REEF, GRAHAMS, text="number 0"),
        *conversation(IN_INDIA, LATER, group=OTHER_GROUP, other=BAYKO),
    )


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [0, 2])
@pytest.mark.parametrize("prepare", [lambda table: damaged(table, Random(4)), old_table])
def test_a_run_that_crashes_anywhere_is_ended_by_the_next(
    table: Table, meddled: Meddled, prepare: Callable[[Table], None], number: int, when: str
) -> None:
    prepare(table)
    messages = messages_of(table)
    setattr(meddled, when, crash_at(number))
    with pytest.raises(CrashError):
        everything(reconciler_of(meddled))
    assert left(everything(reconciler_of(table))) == []
    assert_canonical(table)
    assert messages_of(table) == messages
    assert found_rows(table, without="muted") == in_order(expected_rows(table))


@pytest.mark.parametrize("number", [0, 1, 2, 5])
def test_a_message_that_lands_at_any_write_of_an_adoption_moves_both_rows(
    table: Table, meddled: Meddled, number: int
) -> None:
    # A client that opened the conversation before the adoption writes on.
    sender = REEF if number % 2 else GRAHAMS
    sk = keys.message_sk(keys.Position(minute(1), str(UUID(int=7))))
    message = Message.from_sender(sender, message_group_uuid=GROUP, sk=sk, message="live")

    def land(at: int) -> None:
        if at == number:
            table.put_message(message)
            assert move(table, message).failed == []

    old_table(table)
    meddled.before = land
    assert left(everything(reconciler_of(meddled, now=lambda: minute(1)))) == []
    land(number if meddled.writes <= number else -1)  # or after the last
    assert_canonical(table)
    assert conversation_of(table, GROUP) == ["live", "number 1", "number 0"]
    assert inbox(table, GRAHAMS) == [("reef", "live"), ("bayko", "number 1")]
    assert inbox(table, REEF) == [("grahams", "live")]
    assert found_rows(table, without="muted") == in_order(expected_rows(table))
    # E parked it where there was no row yet; nothing of that is left to do.
    failed = list(run.parked(reconciler_of(table, rules=run.without_lag(RULES))))
    assert (repaired(failed), left(failed)) == ([], [])
    assert list(table.failed()) == []


def test_a_run_goes_on_where_it_is_told_to(table: Table) -> None:
    groups = sorted(begin(table, one, other) for one, other in ((GRAHAMS, REEF), (REEF, BAYKO)))
    results = list(run.whole_table(reconciler_of(table), resume_from=groups[1], workers=1))
    assert [result.message_group_uuid for result in results] == groups[1:]


def differing(table: Table, **changes: object) -> str:
    """A group whose rows show something else than its last message."""
    group = begin(table)
    move(plain(table), write(table, group, 1, REEF))
    put(table, *(row | changes for row in rows_of(table, group)))
    return group


def test_a_move_between_reading_and_writing_is_not_overwritten(meddled: Meddled) -> None:
    group = differing(meddled, message="else")

    def move_first(number: int) -> None:
        if number == 0:
            move(plain(meddled), write(meddled, group, 10, REEF))

    meddled.before = move_first
    results = list(run.one_group(reconciler_of(meddled), group))
    assert left(results) == []
    assert inbox(meddled, GRAHAMS) == [("reef", "at 10")]
    assert found_rows(meddled) == in_order(expected_rows(meddled))
    # The one write failed, for the rows had moved; nothing was left to write then.
    assert meddled.writes == 1


def test_what_an_owner_sets_between_reading_and_writing_is_not_undone(meddled: Meddled) -> None:
    group = differing(meddled, last_sk=keys.message_sk(keys.Position(minute(500), "x")))

    def set_first(number: int) -> None:
        if number == 0:
            put(meddled, *(row | {"muted": True} for row in rows_of(meddled, group)))

    meddled.before = set_first
    results = list(run.one_group(reconciler_of(meddled), group))
    assert repaired(results) == [Kind.ROW_AHEAD] * 2
    assert found_rows(meddled) == [
        row | {"muted": True} for row in in_order(expected_rows(meddled))
    ]
    assert meddled.writes == 1


def test_a_message_that_a_row_ahead_of_it_did_not_show_is_shown(meddled: Meddled) -> None:
    group = differing(meddled, last_sk=keys.message_sk(keys.Position(minute(500), "x")))

    def land(number: int) -> None:
        if number == 0:  # E finds the rows ahead of it, and is done
            move(plain(meddled), write(meddled, group, 20))

    meddled.before = land
    results = list(run.one_group(reconciler_of(meddled, now=lambda: minute(20)), group))
    assert left(results) == []
    assert inbox(meddled, REEF) == [("grahams", "at 20")]
    assert found_rows(meddled) == in_order(expected_rows(meddled))


def test_what_came_into_being_between_reading_and_writing_is_not_overwritten(
    meddled: Meddled,
) -> None:
    put(meddled, *conversation(BARE, LATER))
    begun: list[str] = []

    def live(number: int) -> None:
        if number == 0:  # PAIR, which was not there
            begun.append(begin(meddled, REEF, GRAHAMS))

    meddled.before = live
    results = list(run.one_group(reconciler_of(meddled), GROUP))
    assert left(results) == []
    pair = contents(meddled)[keys.pair_pk(GRAHAMS.uuid, REEF.uuid), keys.PAIR_SK]
    assert pair["group"] == begun[0]
    assert [row["message"] for row in rows_of(meddled, GROUP)] == ["number 1"] * 2


def test_a_move_after_the_write_is_found_right(meddled: Meddled) -> None:
    group = differing(meddled, message="else")

    def move_then(number: int) -> None:
        if number == 0:
            move(plain(meddled), write(meddled, group, 20, REEF))

    meddled.after = move_then
    results = list(run.one_group(reconciler_of(meddled), group))
    assert repaired(results) == [Kind.ROW_DIFFERS] * 2
    assert left(results) == []
    assert found_rows(meddled) == in_order(expected_rows(meddled))


def test_a_group_in_conflict_to_the_end_is_left_and_said(meddled: Meddled) -> None:
    group = differing(meddled, message="else")
    texts = iter(range(1000))

    def change(_: int) -> None:
        put(meddled, *(row | {"message": f"{next(texts)}"} for row in rows_of(meddled, group)))

    meddled.before = change
    results = list(run.one_group(reconciler_of(meddled), group))
    assert left(results) == [Kind.ROW_DIFFERS] * 2
    assert repaired(results) == []


def test_a_table_that_does_not_answer_leaves_the_group_and_the_run_goes_on(
    meddled: Meddled,
) -> None:
    for one, other in ((GRAHAMS, REEF), (REEF, BAYKO)):
        write(meddled, begin(meddled, one, other), 1, one)

    def not_now(number: int) -> None:
        if number == 0:
            raise TryAgainError

    meddled.before = not_now
    results = everything(reconciler_of(meddled))
    assert left(results) == [Kind.NO_ANSWER]
    assert repaired(results) == [Kind.ROW_BEHIND] * 2


def test_a_write_that_dynamodb_never_takes_leaves_the_group_and_the_run_goes_on(
    meddled: Meddled,
) -> None:
    groups = [begin(meddled, one, other) for one, other in ((GRAHAMS, REEF), (REEF, BAYKO))]
    for group in groups:
        put(meddled, *(row | {"message": "else"} for row in rows_of(meddled, group)))

    def refuse(number: int) -> None:
        if number == 0:
            raise UnreadableItemError("an item that DynamoDB cannot write")

    meddled.before = refuse
    results = everything(reconciler_of(meddled))
    assert {result.message_group_uuid for result in results} == set(groups)
    assert left(results) == [Kind.ROW_DIFFERS, Kind.ROW_DIFFERS, Kind.WRITE_REFUSED]
    assert repaired(results) == [Kind.ROW_DIFFERS] * 2


# DynamoDB takes it, and spells it with all its zeros; boto3 refuses to read it.
LONG_NUMBER = {"N": "1" + "0" * 125}
STRANGE: dict[str, Any] = {
    "n": LONG_NUMBER,
    "ns": {"NS": [LONG_NUMBER["N"], "1"]},
    "m": {"M": {"l": {"L": [LONG_NUMBER, {"NULL": True}]}}},
}


def test_whatever_somebody_else_adds_to_an_item_is_read_and_kept(table: Table) -> None:
    group = begin(table)
    last = write(table, group, 1, REEF)
    pair = {"pk": keys.pair_pk(GRAHAMS.uuid, REEF.uuid), "sk": keys.PAIR_SK, "group": OTHER_GROUP}
    put(table, pair)
    for item in contents(table).values():
        if keys.owner_in(item["pk"]) is None:  # moto's indexes cannot read such numbers either
            table._client.put_item(TableName=table._table_name, Item=to_dynamodb(item) | STRANGE)
    results = everything(reconciler_of(table))
    assert left(results) == []
    assert repaired(results) == [Kind.PAIR_DIFFERS, Kind.ROW_BEHIND, Kind.ROW_BEHIND]
    assert conversation_of(table, group) == ["at 1", "at 0"]
    assert inbox(table, GRAHAMS) == [("reef", "at 1")]
    items = table._client.scan(TableName=table._table_name)["Items"]
    kept = [{name: item[name] for name in STRANGE} for item in items if "n" in item]
    assert kept == [STRANGE] * 4
    (record,) = inserted(last)
    record["dynamodb"]["NewImage"] |= STRANGE
    report = StreamProcessor(table, clock=lambda: minute(1000)).process([record])
    assert (report.parked, report.failed) == (0, [])


def test_lag_below_a_minute_is_no_difference(table: Table) -> None:
    group = begin(table)
    write(table, group, 1)
    now = minute(1) + timedelta(seconds=59)
    results = everything(reconciler_of(table, now=lambda: now))
    assert (repaired(results), left(results)) == ([], [])
    assert {note.kind for result in results for note in result.notes} == {Kind.YOUNG}
    now = minute(2)
    assert repaired(everything(reconciler_of(table, now=lambda: now))) == [Kind.ROW_BEHIND] * 2


def test_an_index_that_shows_nothing_does_not_matter(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = begin(table)
    write(table, group, 1)
    monkeypatch.setattr(Table, "row_keys", lambda *_: [])
    assert repaired(list(run.one_group(reconciler_of(table), group))) == [Kind.ROW_BEHIND] * 2
    assert in_order(rows_of(table, group))[0]["message"] == "at 1"
    assert len(rows_of(table, group)) == 2


# What was parked.


def park(table: Table, pk: str, *, at: int = 0) -> None:
    table.put_failed(
        Failed(
            time=minute(at),
            message_group_uuid=pk.removeprefix(keys.MESSAGE_PREFIX),
            reason="neither rows nor members",
            record_keys={"pk": pk, "sk": BARE},
            expires_at=minute(0) + PARKED_FOR,
        )
    )


def parked(table: Table, *, dry_run: bool = False) -> list[Result]:
    # Nothing is young here, not even a message of this instant.
    reconciler = reconciler_of(
        table, rules=run.without_lag(RULES), dry_run=dry_run, now=lambda: minute(0)
    )
    return list(run.parked(reconciler))


def test_parked_groups_are_repaired_and_leave_the_park(table: Table) -> None:
    put(table, *conversation(BARE, keys.format_time(minute(0))))
    park(table, keys.message_pk(GROUP))
    park(table, keys.message_pk(GROUP), at=1)
    assert left(parked(table, dry_run=True)) != []
    assert len(list(table.failed())) == 2
    (result,) = parked(table)
    assert result.is_equal
    assert list(table.failed()) == []
    assert inbox(table, REEF) == [("grahams", "number 1")]
    assert parked(table) == []


def test_what_e_parked_for_a_missing_row_is_repaired_and_leaves_the_park(table: Table) -> None:
    group = begin(table)
    (row, _) = in_order(rows_of(table, group))
    delete(table, row)
    message = write(table, group, 1, REEF)
    move(table, message)
    (failed,) = table.failed()
    assert failed["reason"] == f"no row of {GRAHAMS.uuid}"
    assert repaired(parked(table)) == [Kind.ROW_MISSING]
    assert list(table.failed()) == []
    assert inbox(table, GRAHAMS) == [("reef", "at 1")]
    # E goes on with it.
    assert move(table, write(table, group, 2, REEF)).parked == 0
    assert inbox(table, GRAHAMS) == [("reef", "at 2")]


def test_what_cannot_be_repaired_stays_parked(table: Table) -> None:
    put(table, *conversation(BARE))
    park(table, keys.message_pk(GROUP))
    park(table, "MSG#x")
    assert left(parked(table)) == [
        Kind.MESSAGES_MISPLACED, Kind.OTHER_MEMBER_UNKNOWN, Kind.PARKED_WITHOUT_GROUP
    ]  # fmt: skip
    assert len(list(table.failed())) == 2


def test_a_parked_record_of_a_group_that_is_gone_leaves_the_park(table: Table) -> None:
    park(table, keys.message_pk(GROUP))
    assert left(parked(table)) == []
    assert list(table.failed()) == []


# What the stream's function gave up.


class Given:
    """The failure queue, and what Lambda writes into it."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.sqs = boto3.client("sqs")
        # moto does not know the account's own endpoint, which boto3 would take.
        url = f"https://streams.dynamodb.{self.sqs.meta.region_name}.amazonaws.com"
        self.streams = boto3.client("dynamodbstreams", endpoint_url=url)
        self.queue_url = self.sqs.create_queue(QueueName="failures")["QueueUrl"]
        client = table._client
        self.arn = client.describe_table(TableName=table._table_name)["Table"]["LatestStreamArn"]
        description = self.streams.describe_stream(StreamArn=self.arn)["StreamDescription"]
        self.shard = description["Shards"][0]["ShardId"]

    def numbers_of(self, message: Message) -> list[str]:
        iterator = self.streams.get_shard_iterator(
            StreamArn=self.arn, ShardId=self.shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        return [
            record["dynamodb"]["SequenceNumber"]
            for record in self.streams.get_records(ShardIterator=iterator)["Records"]
            if from_dynamodb(record["dynamodb"]["Keys"])["sk"] == message.sk
            and record["dynamodb"]["Keys"]["pk"]["S"].startswith(keys.MESSAGE_PREFIX)
        ]

    def give_up(self, first: str, last: str) -> None:
        self.send(
            {
                "requestContext": {"condition": "RetryAttemptsExhausted"},
                "version": "1.0",
                "DDBStreamBatchInfo": {
                    "shardId": self.shard,
                    "startSequenceNumber": first,
                    "endSequenceNumber": last,
                    "batchSize": 1,
                    "streamArn": self.arn,
                },
            }
        )

    def send(self, body: object) -> None:
        self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=json.dumps(body))

    def destination(self, *, streams: Any = None) -> Destination:
        return Destination(
            self.sqs, streams or self.streams, self.queue_url, wait_seconds=0, sleep=lambda _: None
        )

    def waiting(self) -> int:
        answer = self.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return len(answer.get("Messages", []))

    def reconcile(self, *, dry_run: bool = False, streams: Any = None) -> list[Result]:
        reconciler = reconciler_of(self.table, rules=run.without_lag(RULES), dry_run=dry_run)
        return list(run.failure_queue(reconciler, self.destination(streams=streams)))


@pytest.fixture
def given(table: Table) -> Given:
    return Given(table)


def test_ranges_are_read_from_the_stream_and_leave_the_queue(table: Table, given: Given) -> None:
    groups = [begin(table), begin(table, REEF, BAYKO), begin(table, BAYKO, GRAHAMS)]
    senders = [GRAHAMS, REEF, BAYKO]
    messages = [
        write(table, g, n + 1, s) for n, (g, s) in enumerate(zip(groups, senders, strict=True))
    ]
    numbers = [given.numbers_of(message)[0] for message in messages]
    given.give_up(numbers[0], numbers[1])
    assert left(given.reconcile(dry_run=True)) == [Kind.ROW_BEHIND] * 4
    assert given.waiting() == 1
    results = given.reconcile()
    assert {result.message_group_uuid for result in results} == set(groups[:2])
    assert repaired(results) == [Kind.ROW_BEHIND] * 4
    assert given.waiting() == 0
    # The third group lies behind the range.
    assert repaired(everything(reconciler_of(table))) == [Kind.ROW_BEHIND] * 2


def test_what_is_no_range_is_reported_and_stays(table: Table, given: Given) -> None:
    given.send({"hello": "world"})
    given.send([1])
    given.give_up("1", "2")
    group = begin(table)
    (number,) = given.numbers_of(write(table, group, 1))
    given.give_up(number, number)
    results = given.reconcile()
    assert left(results) == [Kind.RANGE_UNREADABLE] * 3
    assert repaired(results) == [Kind.ROW_BEHIND] * 2
    assert given.waiting() == 3


@pytest.mark.parametrize("code", ["TrimmedDataAccessException", "ResourceNotFoundException"])
def test_what_the_stream_has_dropped_is_for_the_whole_table(
    table: Table, given: Given, code: str
) -> None:
    class Trimmed:
        exceptions = given.streams.exceptions

        def get_shard_iterator(self, **_: Any) -> Any:
            raise getattr(self.exceptions, code)({"Error": {"Code": code}}, "GetShardIterator")

    given.give_up("1", "2")
    results = given.reconcile(streams=Trimmed())
    assert left(results) == [Kind.RANGE_TRIMMED]
    assert "run the whole table" in results[0].left[0].detail
    assert given.waiting() == 1


def test_a_range_whose_end_never_comes_is_trimmed_too(table: Table, given: Given) -> None:
    group = begin(table)
    (number,) = given.numbers_of(write(table, group, 1))
    given.give_up(number, number + "0")
    assert left(given.reconcile()) == [Kind.RANGE_TRIMMED]
    assert given.waiting() == 1
