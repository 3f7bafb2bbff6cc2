from dataclasses import MISSING, fields, replace
from datetime import timedelta
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import example, given
from hypothesis import strategies as st

from messaging import entities, keys
from messaging.attributes import from_dynamodb, to_dynamodb
from messaging.entities import (
    Connection,
    Failed,
    Marks,
    Members,
    Message,
    MessageGroupRow,
    NamedSend,
    Pair,
    Settings,
    Ticket,
)
from messaging.errors import UnreadableItemError
from runtime.user import User
from tests.fakes.people import GRAHAMS, REEF, minute

GROUP = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"
MESSAGE = Message.from_sender(
    GRAHAMS,
    message_group_uuid=GROUP,
    sk=keys.message_sk(keys.Position(minute(0), "00000000-0000-4000-8000-000000000001")),
    message="hello",
)
ROW = MessageGroupRow.for_owner(REEF.uuid, other=GRAHAMS, last=MESSAGE)
MEMBERS = Members(
    message_group_uuid=GROUP,
    member_uuids=frozenset({GRAHAMS.uuid, REEF.uuid}),
    created_at=minute(0),
)
PAIR = Pair(user_uuids=(GRAHAMS.uuid, REEF.uuid), message_group_uuid=GROUP)
SENT = NamedSend(
    user_uuid=GRAHAMS.uuid,
    message_uuid=MESSAGE.message_uuid,
    group=GROUP,
    created=True,
    message_sk=MESSAGE.sk,
    digest=NamedSend.digest_of("group", "hello"),
    expires_at=minute(0) + timedelta(days=7),
)
FAILED = Failed(
    time=minute(0),
    message_group_uuid=GROUP,
    reason="unreadable",
    record_keys={"pk": "MSG#", "sk": "x"},
    expires_at=minute(0),
)


FIRST = Message.from_sender(
    GRAHAMS, message_group_uuid=GROUP, sk=MESSAGE.sk, message="hello", first=True
)
OWN_ROW = MessageGroupRow.for_owner(GRAHAMS.uuid, other=REEF, last=MESSAGE)
MARKED_ROW = replace(OWN_ROW, marks=Marks(read_sk=MESSAGE.sk, marked_unread=True, muted=True))
SETTINGS = Settings(user_uuid=GRAHAMS.uuid, read_receipts=False)
TICKET = Ticket(
    digest=Ticket.digest_of("secret"),
    user_uuid=GRAHAMS.uuid,
    expires_at=minute(1),
    token_expires_at=minute(30),
)
CONNECTION = Connection(
    user_uuid=GRAHAMS.uuid,
    slot=3,
    connection_id="L0SM9cOFvHcCIhw=",
    connected_at=minute(0),
    expires_at=minute(30),
)


COME_BACK: list[Any] = [MESSAGE, FIRST, ROW, OWN_ROW, MARKED_ROW, MEMBERS, SENT, SETTINGS]
COME_BACK += [TICKET, CONNECTION]


@pytest.mark.parametrize("entity", COME_BACK)
def test_an_entity_comes_back_from_its_item(entity: Any) -> None:
    assert type(entity).from_item(entity.to_item()) == entity


def test_every_optional_field_has_another_value_in_an_entity_that_comes_back() -> None:
    """One that to_item or from_item forgets would come back with its default, unnoticed."""
    for kind in {type(entity) for entity in COME_BACK}:
        for optional in (field for field in fields(kind) if field.default is not MISSING):
            values = [
                getattr(entity, optional.name) for entity in COME_BACK if type(entity) is kind
            ]
            assert any(value != optional.default for value in values), (kind, optional.name)


def test_both_items_of_a_connection_hold_all_of_it() -> None:
    assert Connection.from_item(CONNECTION.to_item_by_id()) == CONNECTION
    places = [
        (item["pk"], item["sk"]) for item in (CONNECTION.to_item(), CONNECTION.to_item_by_id())
    ]
    assert places == [
        (f"CONNECTIONS#{GRAHAMS.uuid}", "3"),
        ("CONNECTION#L0SM9cOFvHcCIhw=", "CONNECTION"),
    ]


def test_of_a_ticket_only_its_digest_is_stored() -> None:
    assert "secret" not in str(TICKET.to_item())
    assert TICKET.digest != Ticket.digest_of("another")


@pytest.mark.parametrize("attribute", ["message_group_uuid", "last_sk"])
def test_only_group_rows_are_in_the_indexes(attribute: str) -> None:
    everything: list[Any] = [FIRST, ROW, MEMBERS, PAIR, SENT, SETTINGS, FAILED]
    everything += [TICKET, CONNECTION]
    indexed = [type(e) for e in everything if attribute in e.to_item()]
    assert indexed == [MessageGroupRow]
    # A new kind of item has to be added to this test.
    kinds = {kind for kind in vars(entities).values() if hasattr(kind, "to_item")}
    assert kinds == {type(entity) for entity in everything}


def test_a_row_shows_who_wrote_last() -> None:
    assert ROW.their_sk == ROW.last_sk == MESSAGE.sk
    assert OWN_ROW.their_sk is None


def test_who_wrote_last_has_read_it_and_the_other_has_it_to_read() -> None:
    assert (OWN_ROW.has_news, OWN_ROW.is_unread) == (False, False)
    assert OWN_ROW.marks.read_up_to == MESSAGE.position
    assert (ROW.has_news, ROW.is_unread) == (True, True)
    assert ROW.marks.read_up_to is None
    # The row says so itself: it is told from one that is older than the marks.
    assert "read_sk" in ROW.to_item()


@pytest.mark.parametrize(
    ("their_sk", "marks", "expected"),
    [
        ("2", Marks(), (True, True)),
        ("2", Marks(read_sk="1"), (True, True)),
        ("2", Marks(read_sk="2"), (False, False)),
        ("2", Marks(read_sk="3"), (False, False)),
        ("2", Marks(read_sk="2", marked_unread=True), (False, True)),
        ("2", Marks(read_sk="1", marked_unread=True, muted=True), (True, True)),
        (None, Marks(), (False, False)),
        (None, Marks(muted=True), (False, False)),
        (None, Marks(marked_unread=True), (False, True)),
    ],
)
def test_what_the_other_wrote_behind_the_mark_is_unread_and_what_is_flagged(
    their_sk: str | None, marks: Marks, expected: tuple[bool, bool]
) -> None:
    marks = replace(marks, read_sk=marks.read_sk and f"2027-01-0{marks.read_sk}#x")
    their_sk = their_sk and f"2027-01-0{their_sk}#x"
    row = replace(ROW, their_sk=their_sk, marks=marks)
    assert (row.has_news, row.is_unread) == expected


def at(number: int, sender: User, *, text: str = "") -> Message:
    sk = keys.message_sk(keys.Position(minute(number), f"{number}"))
    return Message.from_sender(sender, message_group_uuid=GROUP, sk=sk, message=text or str(number))


def test_a_batch_leads_to_its_newest_message_and_the_others_newest_names() -> None:
    renamed = User(uuid=REEF.uuid, handle="coral", display_name="Coral")
    batch = [at(2, renamed), at(4, GRAHAMS, text="x" * 300), at(1, REEF), at(3, GRAHAMS)]
    last, theirs = entities.advances(batch, GRAHAMS.uuid)
    assert (last.register, last.to) == ("last_sk", batch[1].sk)
    assert last.with_it == {"message": "x" * entities.PREVIEW_BYTES}
    assert (theirs.register, theirs.to) == ("their_sk", batch[0].sk)
    assert theirs.with_it == {"user_display_name": "Coral", "user_handle": "coral"}


def test_a_batch_of_ones_own_says_nothing_of_the_other() -> None:
    (last,) = entities.advances([at(1, GRAHAMS)], GRAHAMS.uuid)
    assert last.register == "last_sk"


def test_the_newest_message_is_the_newest_by_the_clock_whatever_its_offset() -> None:
    # In the string order of these keys it is the other way round.
    earlier = MESSAGE.to_item() | {"sk": "2027-01-01T09:00:00+05:30", "message_uuid": "e"}
    later = MESSAGE.to_item() | {"sk": "2027-01-01T04:00:00", "message_uuid": "l"}
    batch = [Message.from_item(earlier), Message.from_item(later)]
    (last, _) = entities.advances(batch, REEF.uuid)
    assert last.to == "2027-01-01T04:00:00.000000+00:00#l"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=1024))
@example("x" + "\U0001f433" * 60)  # the limit lies within a character
def test_a_preview_is_the_longest_beginning_that_fits(text: str) -> None:
    shown = entities.preview(text)
    assert text.startswith(shown)
    assert len(shown.encode()) <= entities.PREVIEW_BYTES
    if shown != text:
        assert len(text[: len(shown) + 1].encode()) > entities.PREVIEW_BYTES


def test_the_largest_group_row_is_below_one_kilobyte() -> None:
    """Its write then costs the least that DynamoDB charges, also with all that its owner sets."""
    widest = User(uuid=GRAHAMS.uuid, handle="h" * 30, display_name="\U0001f433" * 50)
    last = Message.from_sender(
        widest, message_group_uuid=GROUP, sk=MESSAGE.sk, message="\U0001f433" * 1024
    )
    row = replace(
        MessageGroupRow.for_owner(REEF.uuid, other=widest, last=last), marks=MARKED_ROW.marks
    )
    item = row.to_item()
    assert {"their_sk"}.union(field.name for field in fields(Marks)) <= item.keys()
    size = sum(
        len(name) + (1 if isinstance(value, bool) else len(value.encode()))
        for name, value in item.items()
    )
    assert size <= 1024


@pytest.mark.parametrize("missing", list(MESSAGE.to_item()))
def test_an_item_that_lacks_an_attribute_is_no_message(missing: str) -> None:
    item = MESSAGE.to_item()
    del item[missing]
    with pytest.raises(UnreadableItemError):
        Message.from_item(item)


@pytest.mark.parametrize(
    ("name", "value"),
    [("pk", "MSG#x"), ("pk", "GRP#" + GROUP), ("sk", "now"), ("user_uuid", "x"), ("message", 1)],
)
def test_an_item_with_a_wrong_value_is_no_message(name: str, value: object) -> None:
    with pytest.raises(UnreadableItemError):
        Message.from_item(MESSAGE.to_item() | {name: value})


@pytest.mark.parametrize(
    "damage",
    [
        {"pk": "GRP#x"},
        {"last_sk": "now"},
        {"last_sk": 7},
        {"their_sk": 7},
        {"read_sk": 7},
        {"read_sk": "now"},
        {"message": None},
        {"user_uuid": "x"},
        {"message_group_uuid": "x"},
    ],
)
def test_an_item_with_a_wrong_value_is_no_group_row(damage: dict[str, object]) -> None:
    with pytest.raises(UnreadableItemError):
        MessageGroupRow.from_item(ROW.to_item() | damage)


def test_a_group_row_lies_at_the_time_of_its_last_message() -> None:
    assert ROW.position == MESSAGE.position


def test_a_message_of_the_bootcamps_table_is_read() -> None:
    item = MESSAGE.to_item() | {"sk": "2023-04-15T15:30:00+05:30", "message_uuid": "m"}
    message = Message.from_item(item)
    assert message.sk == "2023-04-15T15:30:00+05:30"
    assert message.place == "2023-04-15T10:00:00.000000+00:00#m"


@pytest.mark.parametrize(
    ("name", "value"),
    [("member_uuids", None), ("member_uuids", "x"), ("member_uuids", [1]), ("created_at", "then")],
)
def test_members_that_cannot_be_read_are_nobody(name: str, value: object) -> None:
    with pytest.raises(UnreadableItemError):
        Members.from_item(MEMBERS.to_item() | {name: value})
    lacking = MEMBERS.to_item()
    del lacking[name]
    with pytest.raises(UnreadableItemError):
        Members.from_item(lacking)


def test_members_and_pairs_stand_where_those_of_earlier_versions_do() -> None:
    members, pair = MEMBERS.to_item(), PAIR.to_item()
    assert (members["pk"], members["sk"]) == (f"MEMBERS#{GROUP}", "MEMBERS")
    lower, higher = sorted((GRAHAMS.uuid, REEF.uuid))
    assert (pair["pk"], pair["sk"]) == (f"PAIR#{lower}#{higher}", "PAIR")


def test_a_parked_record_stands_where_the_operator_looks_for_it() -> None:
    item = FAILED.to_item()
    assert (item["pk"], item["sk"]) == ("FAILED", f"2027-01-01T00:00:00.000000+00:00#{GROUP}")


def test_a_digest_knows_where_the_receiver_ends_and_the_text_begins() -> None:
    assert NamedSend.digest_of("group 1", "2") != NamedSend.digest_of("group 12", "")
    assert NamedSend.digest_of("group 1", "2") != NamedSend.digest_of("group ", "12")


@pytest.mark.parametrize(
    "entity", [MESSAGE, ROW, MARKED_ROW, MEMBERS, PAIR, SENT, SETTINGS, FAILED]
)
def test_every_item_has_types_that_dynamodb_knows(entity: Any) -> None:
    assert to_dynamodb(entity.to_item())


ATTRIBUTES = st.recursive(
    st.one_of(
        *(st.text(), st.booleans(), st.integers(-(10**37), 10**37), st.none()),
        st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-1, max_value=1),
        *(st.binary(), st.sets(st.text(min_size=1), min_size=1)),
    ),
    lambda values: st.one_of(st.lists(values), st.dictionaries(st.text(), values)),
    max_leaves=10,
)


@given(item=st.dictionaries(st.text(), ATTRIBUTES))
def test_items_have_the_types_that_boto3_gives_them(item: Any) -> None:
    serializer, deserializer = TypeSerializer(), TypeDeserializer()
    stored = {name: serializer.serialize(value) for name, value in item.items()}
    assert to_dynamodb(item) == stored
    assert from_dynamodb(stored) == {n: deserializer.deserialize(v) for n, v in stored.items()}


def test_binary_values_are_read_from_a_table_and_from_the_event_of_its_stream() -> None:
    from_table, from_stream = {"b": {"B": b"\x00"}}, {"b": {"B": "AA=="}}
    assert from_dynamodb(from_table) == from_dynamodb(from_stream) == {"b": b"\x00"}


@pytest.mark.parametrize("value", [None, 1, "true", "false", 0])
def test_receipts_that_are_set_to_neither_yes_nor_no_are_off(value: object) -> None:
    item = SETTINGS.to_item()
    assert not Settings.from_item(item | {"read_receipts": value}).read_receipts
    del item["read_receipts"]
    assert Settings.from_item(item).read_receipts
