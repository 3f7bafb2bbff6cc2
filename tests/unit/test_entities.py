from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging import entities, keys
from messaging.entities import Failed, Members, Message, MessageGroup, Pair, Sent, User
from messaging.errors import UnreadableItemError
from messaging.repository import to_dynamodb
from tests.fakes.people import GRAHAMS, REEF, minute

GROUP = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"
MESSAGE = Message.from_sender(
    GRAHAMS,
    message_group_uuid=GROUP,
    sk=keys.message_sk(keys.Position(minute(0), "00000000-0000-4000-8000-000000000001")),
    message="hello",
)
ROW = MessageGroup.for_owner(REEF.uuid, other=GRAHAMS, last=MESSAGE)
MEMBERS = Members(
    message_group_uuid=GROUP,
    member_uuids=frozenset({GRAHAMS.uuid, REEF.uuid}),
    created_at=minute(0),
)
PAIR = Pair(user_uuids=(GRAHAMS.uuid, REEF.uuid), message_group_uuid=GROUP)
SENT = Sent(
    user_uuid=GRAHAMS.uuid,
    message_uuid=MESSAGE.message_uuid,
    message_sk=MESSAGE.sk,
    group=GROUP,
    digest=Sent.digest_of("group", "hello"),
    expires_at=minute(0) + timedelta(days=7),
)
FAILED = Failed(
    time=minute(0),
    message_group_uuid=GROUP,
    reason="unreadable",
    record_keys={"pk": "MSG#", "sk": "x"},
    expires_at=minute(0),
)


@pytest.mark.parametrize("entity", [MESSAGE, ROW, MEMBERS, SENT])
def test_an_entity_comes_back_from_its_item(entity: Any) -> None:
    assert type(entity).from_item(entity.to_item()) == entity


def test_only_group_rows_are_in_the_index() -> None:
    everything: list[Any] = [MESSAGE, ROW, MEMBERS, PAIR, SENT, FAILED]
    indexed = [type(e) for e in everything if "message_group_uuid" in e.to_item()]
    assert indexed == [MessageGroup]
    # A new kind of item has to be added to this test.
    kinds = {kind for kind in vars(entities).values() if hasattr(kind, "to_item")}
    assert kinds == {type(entity) for entity in everything}


def test_a_moved_row_keeps_what_this_code_does_not_know() -> None:
    last = Message.from_sender(
        User(uuid=GRAHAMS.uuid, handle="grahams", display_name="New Name"),
        message_group_uuid=GROUP,
        sk=keys.message_sk(keys.Position(minute(1), "x")),
        message="later",
    )
    moved = entities.moved_row(ROW.to_item() | {"colour": "blue"}, last, last)
    assert moved == ROW.to_item() | {
        "colour": "blue",
        "sk": last.sk,
        "message": "later",
        "user_display_name": "New Name",
    }


def test_a_row_keeps_the_names_of_a_member_who_wrote_nothing_new() -> None:
    own = MessageGroup.for_owner(GRAHAMS.uuid, other=REEF, last=MESSAGE).to_item()
    assert entities.moved_row(own, MESSAGE, None)["user_handle"] == "reef"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=1024))
def test_a_preview_is_the_longest_beginning_that_fits(text: str) -> None:
    shown = entities.preview(text)
    assert text.startswith(shown)
    assert len(shown.encode()) <= entities.PREVIEW_BYTES
    if shown != text:
        assert len(text[: len(shown) + 1].encode()) > entities.PREVIEW_BYTES


def test_the_largest_group_row_is_below_one_kilobyte() -> None:
    widest = User(uuid=GRAHAMS.uuid, handle="h" * 30, display_name="\U0001f433" * 50)
    last = Message.from_sender(
        widest, message_group_uuid=GROUP, sk=MESSAGE.sk, message="\U0001f433" * 1024
    )
    item = MessageGroup.for_owner(REEF.uuid, other=widest, last=last).to_item()
    assert sum(len(name) + len(value.encode()) for name, value in item.items()) < 1024


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


def test_a_message_of_the_bootcamps_table_is_read() -> None:
    item = MESSAGE.to_item() | {"sk": "2023-04-15T15:30:00+05:30", "message_uuid": "m"}
    message = Message.from_item(item)
    assert message.sk == "2023-04-15T15:30:00+05:30"
    assert keys.format_time(message.position.created_at) == "2023-04-15T10:00:00.000000+00:00"


@pytest.mark.parametrize("entity", [MESSAGE, ROW, MEMBERS, PAIR, SENT, FAILED])
def test_every_item_has_types_that_dynamodb_knows(entity: Any) -> None:
    assert to_dynamodb(entity.to_item())
