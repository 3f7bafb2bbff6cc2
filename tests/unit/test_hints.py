"""Who is told what when a message group row has changed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from messaging import keys, live
from messaging.attributes import to_dynamodb
from messaging.entities import Marks, Message, MessageGroupRow, Settings, advances
from messaging.hints import Notifier
from runtime.errors import TryAgainError
from runtime.user import User
from tests.fakes.channel import MemoryChannel, Sent
from tests.fakes.memory_repository import MemoryRepository
from tests.fakes.people import BAYKO, GRAHAMS, REEF, minute
from tests.fakes.records import changed

GROUP = str(UUID(int=1))
TEXT = "Nobody else may read this."


def message(number: int, sender: User, group: str = GROUP) -> Message:
    sk = keys.message_sk(keys.Position(minute(number), str(UUID(int=number))))
    return Message.from_sender(sender, message_group_uuid=group, sk=sk, message=TEXT)


def row(owner: User, other: User, last: Message, **marks: Any) -> MessageGroupRow:
    new = MessageGroupRow.for_owner(owner.uuid, other=other, last=last)
    return replace(new, marks=replace(new.marks, **marks))


def moved(old: MessageGroupRow, *messages: Message) -> MessageGroupRow:
    item = old.to_item()
    for step in advances(messages, old.owner_uuid):
        item |= step.attributes
    return MessageGroupRow.from_item(item)


class Room:
    """A table, clients that are connected, and the notifier."""

    def __init__(self) -> None:
        self.table = MemoryRepository()
        self.channel = MemoryChannel()
        self.now = minute(100)
        self.notifier = Notifier(self.table, self.channel, clock=lambda: self.now)

    def connect(self, name: str, user: User, *, now: datetime | None = None) -> None:
        at = now or self.now
        ends = at + timedelta(minutes=30)
        live.issue_ticket(self.table, user, name, token_expires_at=ends, now=at)
        live.open_connection(self.table, name, name, now=at)
        self.channel.open.add(name)

    def tell(self, *records: Mapping[str, Any]) -> Sent:
        self.notifier.process(records)
        return sorted(self.channel.take(), key=str)


@pytest.fixture
def room() -> Room:
    made = Room()
    for name, user in {"g1": GRAHAMS, "g2": GRAHAMS, "r1": REEF, "b1": BAYKO}.items():
        made.connect(name, user)
    return made


def hint(number: int, kind: str = "message_group") -> dict[str, str]:
    position = {
        "created_at": keys.format_time(minute(number)),
        "message_uuid": str(UUID(int=number)),
    }
    return {"type": kind, "uuid": GROUP, **position}


MARKS = {"type": "marks", "uuid": GROUP}
FIRST = message(1, GRAHAMS)
OWN, THEIRS = row(GRAHAMS, REEF, FIRST), row(REEF, GRAHAMS, FIRST)


def test_a_new_group_is_told_to_both_members_on_all_their_devices(room: Room) -> None:
    told = room.tell(changed(None, OWN), changed(None, THEIRS))
    assert told == [(name, hint(1)) for name in ("g1", "g2", "r1")]


def test_a_moved_row_is_told_to_its_owner_alone(room: Room) -> None:
    second = message(2, REEF)
    assert room.tell(changed(OWN, moved(OWN, second))) == [("g1", hint(2)), ("g2", hint(2))]
    assert room.tell(changed(THEIRS, moved(THEIRS, second))) == [("r1", hint(2))]


def test_a_message_that_comes_late_is_told_though_the_row_stays_where_it_is(room: Room) -> None:
    ahead = moved(OWN, message(3, GRAHAMS))
    item = ahead.to_item() | {"their_sk": message(2, REEF).place}
    late = MessageGroupRow.from_item(item)
    assert room.tell(changed(ahead, late)) == [("g1", hint(3)), ("g2", hint(3))]


@pytest.mark.parametrize("flag", [{"muted": True}, {"marked_unread": True}])
def test_a_flag_is_told_to_its_owner_alone(room: Room, flag: dict[str, bool]) -> None:
    flagged = row(GRAHAMS, REEF, FIRST, **flag)
    assert room.tell(changed(OWN, flagged)) == [("g1", MARKS), ("g2", MARKS)]
    assert room.tell(changed(flagged, OWN)) == [("g1", MARKS), ("g2", MARKS)]


def test_what_was_read_is_told_to_the_other_too(room: Room) -> None:
    read = row(REEF, GRAHAMS, FIRST, read_sk=FIRST.place)
    told = room.tell(changed(THEIRS, read))
    assert told == [("g1", hint(1, "receipt")), ("g2", hint(1, "receipt")), ("r1", MARKS)]


@pytest.mark.parametrize("who", [GRAHAMS, REEF])
def test_nobody_is_told_what_was_read_if_one_of_the_two_does_not_share_it(
    room: Room, who: User
) -> None:
    room.table.put_settings(Settings(user_uuid=who.uuid, read_receipts=False))
    read = row(REEF, GRAHAMS, FIRST, read_sk=FIRST.place)
    assert room.tell(changed(THEIRS, read)) == [("r1", MARKS)]


def test_a_change_that_nobody_would_see_is_told_to_nobody(room: Room) -> None:
    renamed = replace(OWN, user_display_name="Reef the second")
    assert room.tell(changed(OWN, OWN), changed(OWN, renamed)) == []


def test_of_many_changes_in_a_batch_the_last_is_told(room: Room) -> None:
    rows = [OWN]
    for number in range(2, 6):
        rows.append(moved(rows[-1], message(number, REEF)))
    records = [changed(old, new) for old, new in pairwise(rows)]
    assert room.tell(*records) == [("g1", hint(5)), ("g2", hint(5))]


def test_a_hint_holds_no_text_and_no_name(room: Room) -> None:
    read = row(REEF, GRAHAMS, FIRST, read_sk=FIRST.place, muted=True)
    told = room.tell(changed(None, OWN), changed(None, THEIRS), changed(THEIRS, read))
    assert told
    for _, body in told:
        assert set(body) <= {"type", "uuid", "created_at", "message_uuid"}
        assert not {TEXT, "Grahams", "Reef"} & set(body.values())


def test_nothing_of_a_row_is_logged(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.channel.broken.add("g1")
    room.tell(changed(None, OWN))
    assert TEXT not in caplog.text


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"dynamodb": {}},
        {"eventName": "REMOVE", "dynamodb": {"OldImage": to_dynamodb(OWN.to_item())}},
        {"dynamodb": {"NewImage": {"pk": {"S": "GRP#not a uuid"}}}},
        {"dynamodb": {"NewImage": to_dynamodb(FIRST.to_item())}},
    ],
)
def test_other_records_are_passed_over(room: Room, record: dict[str, Any]) -> None:
    assert room.tell(record, changed(None, OWN)) == [("g1", hint(1)), ("g2", hint(1))]


def test_a_connection_that_is_gone_is_forgotten_and_the_others_are_told(room: Room) -> None:
    room.channel.open.remove("g1")
    room.now += timedelta(minutes=1)
    assert room.tell(changed(None, OWN)) == [("g2", hint(1))]
    (left,) = room.table.list_connections(GRAHAMS.uuid)
    assert left.connection_id == "g2"
    assert room.table.get_connection("g1") is None


def test_a_connection_that_is_being_opened_is_not_forgotten(room: Room) -> None:
    """The gateway says that it is gone until the function of $connect has answered."""
    room.channel.open.remove("g1")
    room.now += timedelta(seconds=29)
    assert room.tell(changed(None, OWN)) == [("g2", hint(1))]
    room.channel.open.add("g1")
    assert len(room.tell(changed(None, OWN))) == 2


def test_a_connection_that_does_not_answer_keeps_nobody_from_being_told(room: Room) -> None:
    room.channel.broken.add("g1")
    report = room.notifier.process([changed(None, OWN), changed(None, THEIRS)])
    assert {name for name, _ in room.channel.take()} == {"g2", "r1"}
    assert report.counts() == {"HintsSent": 2, "HintsFailed": 1}
    assert len(room.table.list_connections(GRAHAMS.uuid)) == 2
    assert report.lags_ms == [99 * 60_000.0] * 2


def test_a_connection_ends_with_its_token(room: Room) -> None:
    room.now += timedelta(minutes=30)
    room.connect("r2", REEF)
    assert room.tell(changed(None, OWN), changed(None, THEIRS)) == [
        *((name, {"type": "closing", "reason": "expired"}) for name in ("g1", "g2", "r1")),
        ("r2", hint(1)),
    ]
    assert room.channel.open == {"r2", "b1"}
    assert room.table.list_connections(GRAHAMS.uuid) == []


def test_a_table_that_does_not_answer_has_the_batch_delivered_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise TryAgainError

    monkeypatch.setattr(room.table, "list_connections", refuse)
    with pytest.raises(TryAgainError):
        room.tell(changed(None, OWN))


def test_settings_are_read_only_for_who_is_connected(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    read = room.table.get_settings_of

    def noted(users: list[str]) -> list[Settings]:
        asked.append(users)
        return read(users)

    monkeypatch.setattr(room.table, "get_settings_of", noted)
    room.channel.open.remove("b1")
    room.now += timedelta(minutes=1)
    room.tell(changed(None, row(BAYKO, REEF, FIRST)))  # nobody of bayko's is left
    read_by = [
        row(user, other, FIRST, read_sk=None) for user, other in ((REEF, BAYKO), (BAYKO, REEF))
    ]
    for before in read_by:
        room.tell(changed(before, replace(before, marks=Marks(read_sk=FIRST.place))))
    assert asked == [[BAYKO.uuid, REEF.uuid]]
