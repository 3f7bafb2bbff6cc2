"""What is unequal in a group, and the transaction that ends it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from commands.reconcile.digest import Digest, Rules
from commands.reconcile.plan import Kind, Plan, make_plan
from commands.reconcile.snapshot import Snapshot
from messaging import keys
from messaging.entities import (
    PREVIEW_BYTES,
    Item,
    Members,
    Message,
    MessageGroupRow,
    Pair,
    advances,
)
from messaging.moves import move_row
from runtime.user import User
from tests.fakes.adopted import message_item, row_item
from tests.fakes.memory_table import MemoryTable
from tests.fakes.people import BAYKO, GRAHAMS, REEF, minute

GROUP = str(UUID(int=1))
RIVAL = str(UUID(int=2))
RULES = Rules()
NOW = minute(1000)
BARE = "2027-01-01T00:05:00.000000+00:00"
INDIA = "2027-01-01T05:35:00.000000+05:30"


def message(at: int, sender: User = GRAHAMS, *, text: str | None = None) -> Message:
    sk = keys.message_sk(keys.Position(minute(at), str(UUID(int=abs(at) + 100))))
    return Message.from_sender(sender, message_group_uuid=GROUP, sk=sk, message=text or f"at {at}")


def digest(*messages: Message | Item, now: datetime = NOW, rules: Rules = RULES) -> Digest:
    result = Digest()
    for item in messages:
        result.add(item.to_item() if isinstance(item, Message) else item, rules=rules, now=now)
    return result


def rows_at(last: Message, *before: Message) -> list[Item]:
    """Both rows as they are after messages; the one of GRAHAMS first."""
    rows = []
    for owner, other in ((GRAHAMS, REEF), (REEF, GRAHAMS)):
        row = MessageGroupRow.for_owner(owner.uuid, other=other, last=last).to_item()
        for step in advances([*before, last], owner.uuid):
            row |= step.attributes
        rows.append(row)
    return rows


MEMBERS = Members(
    message_group_uuid=GROUP,
    member_uuids=frozenset({GRAHAMS.uuid, REEF.uuid}),
    created_at=minute(0),
).to_item()
PAIR = Pair(user_uuids=(GRAHAMS.uuid, REEF.uuid), message_group_uuid=GROUP).to_item()

EQUAL = Snapshot(
    message_group_uuid=GROUP,
    digest=digest(message(0), message(1, REEF)),
    rows=rows_at(message(1, REEF), message(0)),
    members=MEMBERS,
    pair=PAIR,
)


def plan_of(snapshot: Snapshot, *, rules: Rules = RULES, now: datetime = NOW) -> Plan:
    return make_plan(snapshot, rules=rules, now=now)


def kinds(plan: Plan) -> list[Kind]:
    return sorted(finding.kind for finding in plan.differences)


def problems(plan: Plan) -> list[Kind]:
    return [finding.kind for finding in plan.problems]


def carried_out(snapshot: Snapshot, plan: Plan) -> Snapshot:
    """The group after what the plan says, with nobody else about."""
    assert len({write.key for write in plan.writes}) == len(plan.writes), "a key is taken once"
    table = MemoryTable()
    table.put(*snapshot.rows, *filter(None, (snapshot.members, snapshot.pair)))
    for owner, steps in plan.moves.items():
        assert move_row(table, owner, snapshot.message_group_uuid, steps)
    assert table.write(plan.writes)
    of = {
        prefix: [item for (pk, _), item in table.items.items() if pk.startswith(prefix)]
        for prefix in (keys.MESSAGE_GROUP_PREFIX, keys.MEMBERS_PREFIX, keys.PAIR_PREFIX)
    }
    return replace(
        snapshot,
        rows=of[keys.MESSAGE_GROUP_PREFIX],
        members=next(iter(of[keys.MEMBERS_PREFIX]), None),
        pair=next(iter(of[keys.PAIR_PREFIX]), None),
    )


def repaired(snapshot: Snapshot, *, rules: Rules = RULES, now: datetime = NOW) -> Snapshot:
    after = carried_out(snapshot, plan_of(snapshot, rules=rules, now=now))
    plan = plan_of(after, rules=rules, now=now)
    assert (plan.writes, plan.moves) == ([], {})
    return after


def by_owner(rows: Iterable[Item]) -> list[Item]:
    """What rows say of their messages, without what their owners have read of them."""
    return sorted(unmarked(rows), key=lambda row: str(row["pk"]))


def adopted_rows(sk: str) -> list[Item]:
    return [row_item(GROUP, sk, GRAHAMS, REEF), row_item(GROUP, sk, REEF, GRAHAMS)]


def test_a_group_that_is_as_its_messages_say_needs_nothing() -> None:
    plan = plan_of(EQUAL)
    assert plan == Plan()
    assert plan.is_equal


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rows": []}, [Kind.ROW_MISSING] * 2),
        ({"rows": EQUAL.rows[:1]}, [Kind.ROW_MISSING]),
        ({"rows": rows_at(message(0))}, [Kind.ROW_BEHIND] * 2),
        ({"rows": rows_at(message(5))}, [Kind.ROW_AHEAD] * 2),
        ({"rows": rows_at(message(1, REEF, text="other"))}, [Kind.ROW_DIFFERS] * 2),
        (
            {"rows": [*EQUAL.rows, *adopted_rows(BARE)]},
            [Kind.ROW_SURPLUS] * 2,
        ),
        ({"rows": adopted_rows(BARE)}, [Kind.ROW_MISSING] * 2 + [Kind.ROW_SURPLUS] * 2),
        ({"rows": [*rows_at(message(0)), *adopted_rows(BARE)]},
         [Kind.ROW_BEHIND] * 2 + [Kind.ROW_SURPLUS] * 2),
        ({"members": None}, [Kind.MEMBERS_MISSING]),
        ({"members": {k: v for k, v in MEMBERS.items() if k != "member_uuids"}},
         [Kind.MEMBERS_DIFFER]),
        ({"pair": None}, [Kind.PAIR_MISSING]),
        ({"pair": PAIR | {"group": RIVAL}}, [Kind.PAIR_DIFFERS]),
        ({"rows": [], "members": MEMBERS, "pair": None},
         [Kind.PAIR_MISSING] + [Kind.ROW_MISSING] * 2),
    ],
)  # fmt: skip
def test_every_difference_is_found_and_repaired_at_once(
    changes: dict[str, object], expected: list[Kind]
) -> None:
    snapshot = replace(EQUAL, **changes)  # type: ignore[arg-type]  # any field
    plan = plan_of(snapshot)
    assert kinds(plan) == expected
    assert plan.problems == []
    after = repaired(snapshot)
    assert by_owner(after.rows) == by_owner(EQUAL.rows)
    assert after.members == MEMBERS
    assert after.pair == PAIR


def unmarked(rows: Iterable[Item]) -> list[Item]:
    """Rows that are older than the marks."""
    return [{name: value for name, value in row.items() if name != "read_sk"} for row in rows]


def marks(snapshot: Snapshot) -> list[str]:
    return [row["read_sk"] for row in snapshot.rows]


def test_a_row_that_is_older_than_the_marks_is_read_as_far_as_it_shows() -> None:
    older = replace(EQUAL, rows=unmarked(EQUAL.rows))
    assert kinds(plan_of(older)) == [Kind.READ_MARK_MISSING] * 2
    assert marks(repaired(older)) == [message(1).sk] * 2
    # What it does not show yet is unread.
    behind = replace(EQUAL, rows=unmarked(rows_at(message(0))))
    assert kinds(plan_of(behind)) == [Kind.READ_MARK_MISSING] * 2 + [Kind.ROW_BEHIND] * 2
    assert marks(repaired(behind)) == [message(0).sk] * 2


@pytest.mark.parametrize("mark", ["", "x", "#", 7, INDIA, BARE])
@pytest.mark.parametrize("last", [message(1), message(9)], ids=["in place", "ahead"])
def test_a_mark_that_is_no_place_is_replaced(mark: object, last: Message) -> None:
    """Its owner would get no list at all, or one that compares it wrongly."""
    rows = [row | {"read_sk": mark} for row in rows_at(last)]
    assert marks(repaired(replace(EQUAL, rows=rows))) == [message(1).sk] * 2


@pytest.mark.parametrize("rows", [[], rows_at(message(5)), adopted_rows(BARE)], ids=str)
def test_a_row_that_is_written_anew_is_read_as_far_as_it_shows(rows: list[Item]) -> None:
    assert marks(repaired(replace(EQUAL, rows=unmarked(rows)))) == [message(1).sk] * 2


def test_an_owner_who_reads_while_the_mark_is_filled_in_has_the_last_word() -> None:
    plan = plan_of(replace(EQUAL, rows=unmarked(EQUAL.rows)))
    table = MemoryTable()
    table.put(*(row | {"read_sk": message(0).sk} for row in EQUAL.rows))
    assert not table.write(plan.writes)
    assert all(row["read_sk"] == message(0).sk for row in table.items.values())


@pytest.mark.parametrize(
    "rows", [rows_at(message(0)), rows_at(message(9)), adopted_rows(BARE)], ids=str
)
def test_what_a_row_has_beside_survives(rows: list[Item]) -> None:
    own = {"muted": True, "read_sk": message(0).sk}
    rows = [row | own for row in rows]
    after = repaired(replace(EQUAL, rows=rows))
    assert all(row == row | own for row in after.rows)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"last_sk": message(9).sk}, Kind.ROW_AHEAD),
        ({"their_sk": message(9).sk}, Kind.ROW_DIFFERS),
        ({"their_sk": None}, Kind.ROW_BEHIND),
        ({"their_sk": message(-9).sk, "user_handle": "earlier"}, Kind.ROW_BEHIND),
        ({"last_sk": message(0).sk, "their_sk": message(9).sk}, Kind.ROW_DIFFERS),
        ({"last_sk": None}, Kind.ROW_DIFFERS),
        ({"last_sk": "no time"}, Kind.ROW_DIFFERS),
        ({"last_sk": BARE.replace(".000000", "")}, Kind.ROW_AHEAD),
        ({"last_sk": "2026-01-01T00:00:00Z"}, Kind.ROW_DIFFERS),
        ({"message": None}, Kind.ROW_DIFFERS),
        ({"user_handle": "somebody"}, Kind.ROW_DIFFERS),
        ({"message_group_uuid": UUID(GROUP).hex}, Kind.ROW_DIFFERS),
    ],
)
def test_a_row_that_e_would_not_mend_is_set_right(
    changes: dict[str, str | None], kind: Kind
) -> None:
    row = {n: v for n, v in (EQUAL.rows[0] | changes).items() if v is not None}
    snapshot = replace(EQUAL, rows=[row, EQUAL.rows[1]])
    assert kinds(plan_of(snapshot)) == [kind]
    assert by_owner(repaired(snapshot).rows) == by_owner(EQUAL.rows)


def test_what_the_silent_member_is_said_to_have_written_goes_away() -> None:
    messages = digest(message(0), message(1))
    rows = rows_at(message(1))
    assert "their_sk" not in rows[0]
    ahead = [rows[0] | {"their_sk": message(0).sk}, rows[1]]
    assert by_owner(repaired(replace(EQUAL, digest=messages, rows=ahead)).rows) == by_owner(rows)


def test_members_and_pair_follow_from_senders_alone() -> None:
    after = repaired(replace(EQUAL, rows=[], members=None, pair=None))
    assert by_owner(after.rows) == by_owner(EQUAL.rows)
    assert after.members == MEMBERS
    assert after.pair == PAIR


def test_the_silent_member_is_known_from_the_row_that_survived() -> None:
    # Reef never wrote: only grahams' row says how they are called.
    of_grahams = rows_at(message(1))[:1]
    snapshot = replace(EQUAL, digest=digest(message(1)), rows=of_grahams, members=None)
    assert by_owner(repaired(snapshot).rows) == by_owner(rows_at(message(1)))


def test_how_the_silent_member_is_called_may_be_unknown() -> None:
    # Reef's row says who they are, but not how they are called.
    of_reef = rows_at(message(1))[1:]
    snapshot = replace(EQUAL, digest=digest(message(1)), rows=of_reef, members=None)
    plan = plan_of(snapshot)
    assert problems(plan) == [Kind.NAME_UNKNOWN]
    assert kinds(plan) == [Kind.MEMBERS_MISSING]
    after = repaired(replace(snapshot, names={REEF.uuid: REEF}))
    assert by_owner(after.rows) == by_owner(rows_at(message(1)))


def test_a_one_sided_group_without_a_row_is_reported_and_left_alone() -> None:
    plan = plan_of(Snapshot(message_group_uuid=GROUP, digest=digest(message(0), message(1))))
    assert problems(plan) == [Kind.OTHER_MEMBER_UNKNOWN]
    assert plan.writes == []


@pytest.mark.parametrize("members", [None, MEMBERS])
def test_a_third_person_is_reported_and_nothing_is_widened(members: Item | None) -> None:
    third = digest(message(0), message(1, REEF), message(2, BAYKO))
    plan = plan_of(replace(EQUAL, digest=third, members=members, rows=[]))
    assert problems(plan) == [Kind.NOT_A_MEMBER if members else Kind.TOO_MANY_MEMBERS]
    assert plan.writes == []


def test_a_strangers_row_is_reported_and_kept() -> None:
    stranger = row_item(GROUP, message(1).sk, BAYKO, REEF)
    plan = plan_of(replace(EQUAL, rows=[*EQUAL.rows, stranger]))
    assert problems(plan) == [Kind.NOT_A_MEMBER]
    assert plan.writes == []


def test_a_row_that_names_a_wrong_other_member_is_corrected() -> None:
    rows = [EQUAL.rows[0] | {"user_uuid": BAYKO.uuid}, EQUAL.rows[1]]
    assert by_owner(repaired(replace(EQUAL, rows=rows)).rows) == by_owner(EQUAL.rows)


@pytest.mark.parametrize("sk", ["", "no time", "9999-12-31T23:59:59-14:00"])
def test_a_row_that_cannot_be_read_is_replaced(sk: str) -> None:
    rows = [{"pk": EQUAL.rows[0]["pk"], "sk": sk, "message_group_uuid": GROUP}, EQUAL.rows[1]]
    assert by_owner(repaired(replace(EQUAL, rows=rows)).rows) == by_owner(EQUAL.rows)


def test_a_row_of_nobody_is_reported() -> None:
    row = EQUAL.rows[0] | {"pk": keys.MESSAGE_GROUP_PREFIX + "x"}
    plan = plan_of(replace(EQUAL, rows=[*EQUAL.rows, row]))
    assert problems(plan) == [Kind.ROW_OF_NOBODY]
    assert plan.writes == []


def test_a_group_without_messages_is_reported_and_left_alone() -> None:
    plan = plan_of(replace(EQUAL, digest=Digest()))
    assert problems(plan) == [Kind.NO_MESSAGES]
    assert plan.writes == []
    plan = plan_of(Snapshot(message_group_uuid=GROUP, digest=Digest()))
    assert problems(plan) == [Kind.NO_SUCH_GROUP]


def test_an_unreadable_message_is_reported_and_the_rest_is_repaired() -> None:
    poison = message(5).to_item()
    del poison["message"]
    snapshot = replace(EQUAL, digest=digest(message(0), message(1, REEF), poison), pair=None)
    plan = plan_of(snapshot)
    assert problems(plan) == [Kind.MESSAGE_UNREADABLE]
    assert kinds(plan) == [Kind.PAIR_MISSING]


def test_messages_under_another_spelling_of_the_group_are_reported() -> None:
    item = message(1).to_item()
    item["pk"] = keys.MESSAGE_PREFIX + UUID(GROUP).hex
    assert digest(item).unreadable == [(item["pk"], item["sk"])]


def test_names_are_those_of_the_newest_message_their_owner_sent() -> None:
    renamed = User(uuid=REEF.uuid, handle="reef2", display_name="Reef the Second")
    messages = digest(message(0, REEF), message(1, renamed), message(2))
    rows = rows_at(message(2), message(0, REEF))
    after = repaired(replace(EQUAL, digest=messages, rows=rows))
    of_grahams, of_reef = by_owner(after.rows)
    assert (of_grahams["user_handle"], of_grahams["user_display_name"]) == (
        "reef2",
        "Reef the Second",
    )
    assert of_reef == by_owner(rows)[1]


def test_a_long_message_is_cut_as_elsewhere() -> None:
    long = message(1, text="é" * PREVIEW_BYTES)
    after = repaired(replace(EQUAL, digest=digest(long, message(0, REEF)), rows=[]))
    assert by_owner(after.rows) == by_owner(rows_at(long, message(0, REEF)))


# Keys that others wrote.


def adopted(*sks: str, rules: Rules = RULES) -> Digest:
    return digest(
        *(
            message_item(GROUP, sk, sender, number=number)
            for number, (sk, sender) in enumerate(zip(sks, [GRAHAMS, REEF] * 9, strict=False))
        ),
        rules=rules,
    )


@pytest.mark.parametrize(
    ("sk", "zone"),
    [
        (BARE, "UTC"),
        (INDIA, "UTC"),
        ("2027-01-01T05:35:00+05:30", "UTC"),
        ("2027-01-01T00:05:00+00:00", "UTC"),
        ("2027-01-01T00:05:00.000000Z", "UTC"),
        ("2027-01-01T00:05:00", "UTC"),
        ("2027-01-01T05:35:00.000000", "Asia/Kolkata"),
        ("2027-01-01T05:35:00+05:30#00000000-0000-4000-9000-000000000001", "UTC"),
    ],
)
def test_rows_and_messages_of_other_forms_get_their_place_in_utc(sk: str, zone: str) -> None:
    rules = Rules(naive_zone=ZoneInfo(zone))
    messages = adopted(minute(0).isoformat(), sk, rules=rules)
    snapshot = replace(EQUAL, digest=messages, rows=adopted_rows(sk))
    plan = plan_of(snapshot, rules=rules)
    assert (
        kinds(plan) == [Kind.MESSAGES_MISPLACED] + [Kind.ROW_MISSING] * 2 + [Kind.ROW_SURPLUS] * 2
    )
    # First the rows, so that each message that gets its key finds them past it.
    assert not plan.replaces_messages
    after = repaired(snapshot, rules=rules)
    for row, their_sk in zip(
        by_owner(after.rows),
        [f"{BARE}#00000000-0000-4000-9000-000000000001",
         f"{minute(0).isoformat(timespec="microseconds")}#00000000-0000-4000-9000-000000000000"],
        strict=True,
    ):  # fmt: skip
        assert row["sk"] == GROUP
        assert row["last_sk"] == f"{BARE}#00000000-0000-4000-9000-000000000001"
        assert row["their_sk"] == their_sk
    plan = plan_of(after, rules=rules)
    assert kinds(plan) == [Kind.MESSAGES_MISPLACED]
    assert plan.replaces_messages


def test_messages_wait_for_rows_that_nobody_can_write() -> None:
    # Nobody knows how reef is called; E would park the record of each message.
    rows = adopted_rows(BARE)[1:]
    snapshot = replace(EQUAL, digest=digest(message_item(GROUP, BARE, GRAHAMS)), rows=rows)
    assert problems(plan_of(snapshot)) == [Kind.NAME_UNKNOWN]
    assert not plan_of(snapshot).replaces_messages


def test_the_newest_is_the_latest_instant_not_the_greatest_string() -> None:
    later = "2027-01-01T00:06:00.000000+00:00"
    assert later < INDIA
    newest = adopted(later, INDIA).newest
    assert newest
    assert newest.user_uuid == GRAHAMS.uuid
    newest = adopted(INDIA, "2027-01-01T00:04:00.000000").newest
    assert newest
    assert newest.user_uuid == GRAHAMS.uuid


def test_a_time_without_offset_is_taken_for_the_zone_it_was_written_in() -> None:
    rules = Rules(naive_zone=ZoneInfo("America/New_York"))
    newest = adopted("2026-12-31T19:05:00", rules=rules).newest
    assert newest
    assert newest.sk == f"{BARE}#00000000-0000-4000-9000-000000000000"


def test_a_time_in_the_future_is_noted_and_no_youth() -> None:
    snapshot = replace(EQUAL, rows=[])
    now = minute(0) - timedelta(hours=5)
    plan = plan_of(replace(snapshot, digest=digest(message(0), message(1, REEF), now=now)), now=now)
    assert [note.kind for note in plan.notes] == [Kind.MESSAGE_IN_FUTURE]
    assert kinds(plan) == [Kind.ROW_MISSING] * 2


# Beside live traffic: the stream's function may be on its way.


YOUNG = minute(2) + timedelta(seconds=59)
SETTLED = minute(2) + timedelta(seconds=60)


def live(rows: list[Item], *, now: datetime = YOUNG) -> Snapshot:
    """Messages at 0, 1 and 2, the last one young until SETTLED."""
    messages = digest(message(0), message(1, REEF), message(2), now=now)
    return replace(EQUAL, digest=messages, rows=rows)


BEFORE = rows_at(message(1, REEF), message(0))
AFTER = rows_at(message(2), message(1, REEF))


@pytest.mark.parametrize(
    ("rows", "behind"),
    [
        (BEFORE, {GRAHAMS.uuid, REEF.uuid}),
        ([BEFORE[0], AFTER[1]], {GRAHAMS.uuid}),
        (AFTER, set()),
        # E sets the preview with its move.
        ([row | {"message": "other"} for row in BEFORE], {GRAHAMS.uuid, REEF.uuid}),
    ],
)
def test_a_row_that_lags_behind_a_young_message_is_no_difference(
    rows: list[Item], behind: set[str]
) -> None:
    plan = plan_of(live(rows), now=YOUNG)
    assert plan.is_equal
    assert {note.user_uuid for note in plan.notes} == behind
    # Whoever has written to the rows moves them to the newest message, however young.
    assert plan.moves.keys() == behind
    assert by_owner(carried_out(live(rows), plan).rows) == by_owner(AFTER)


def test_after_a_minute_it_is_one() -> None:
    rows = BEFORE
    assert kinds(plan_of(live(rows, now=SETTLED), now=SETTLED)) == [Kind.ROW_BEHIND] * 2
    # Read while it was young, judged later.
    assert kinds(plan_of(live(rows), now=SETTLED)) == [Kind.ROW_BEHIND] * 2


def test_what_the_stream_gave_up_has_no_minute() -> None:
    rules = Rules(lag=timedelta(0))
    messages = digest(message(0), message(1, REEF), message(2), now=YOUNG, rules=rules)
    snapshot = replace(EQUAL, digest=messages, rows=BEFORE)
    assert kinds(plan_of(snapshot, now=YOUNG, rules=rules)) == [Kind.ROW_BEHIND] * 2


@pytest.mark.parametrize(
    "rows",
    [
        rows_at(message(0)),
        [rows_at(message(0))[0], BEFORE[1]],
        BEFORE[:1],
        [*BEFORE, *adopted_rows(BARE)],
        [row | {"message": "other"} for row in AFTER],
        [row | {"user_uuid": BAYKO.uuid} for row in BEFORE],
        [row | {"user_handle": "someone"} for row in BEFORE],
        [row | {"their_sk": message(-9).sk} for row in BEFORE],
        [],
    ],
    ids=["behind", "one behind", "missing", "ghosts", "young preview", "other", "name",
         "name behind", "none"],
)  # fmt: skip
def test_a_young_message_hides_no_older_difference(rows: list[Item]) -> None:
    plan = plan_of(live(rows), now=YOUNG)
    assert kinds(plan)
    after = carried_out(live(rows), plan)
    assert plan_of(after, now=YOUNG).is_equal


def test_a_row_between_two_young_messages_lags() -> None:
    now = minute(2) + timedelta(seconds=30)
    sooner = replace(
        message(2), sk=keys.message_sk(keys.Position(minute(2) - timedelta(seconds=20), "x"))
    )
    messages = digest(message(0, REEF), message(1), sooner, message(2), now=now)
    snapshot = replace(EQUAL, digest=messages, rows=rows_at(sooner, message(0, REEF), message(1)))
    assert plan_of(snapshot, now=now).is_equal


def test_a_group_of_young_messages_only_is_looked_at_later() -> None:
    now = minute(0) + timedelta(seconds=59)
    snapshot = Snapshot(message_group_uuid=GROUP, digest=digest(message(0), now=now))
    plan = plan_of(snapshot, now=now)
    assert plan.is_equal
    assert [note.kind for note in plan.notes] == [Kind.YOUNG]


# Several groups of one pair.


def rival_at(at: int) -> dict[str, str]:
    return {RIVAL: keys.message_sk(keys.Position(minute(at), "x"))}


@pytest.mark.parametrize("named", [None, GROUP, RIVAL, "x"])
@pytest.mark.parametrize(("at", "expected"), [(0, GROUP), (9, RIVAL)])
def test_pair_names_the_group_with_the_newest_message(
    named: str | None, at: int, expected: str
) -> None:
    pair = PAIR | {"group": named} if named else None
    snapshot = replace(EQUAL, pair=pair, rivals=rival_at(at))
    plan = plan_of(snapshot)
    assert [note.kind for note in plan.notes] == [Kind.SEVERAL_GROUPS_OF_PAIR]
    assert plan.is_equal == (named == expected)
    assert repaired(snapshot).pair == PAIR | {"group": expected}


@pytest.mark.parametrize("named", [GROUP, RIVAL])
def test_a_tie_leaves_pair_as_it_is(named: str) -> None:
    newest = EQUAL.digest.newest
    assert newest
    snapshot = replace(EQUAL, pair=PAIR | {"group": named}, rivals={RIVAL: newest.sk})
    assert plan_of(snapshot).is_equal
