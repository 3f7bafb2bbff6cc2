"""An item that somebody broke keeps nobody from what stands beside it, and is reported."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from messaging import keys
from messaging.attributes import to_dynamodb
from messaging.entities import Connection
from messaging.repository import Repository
from runtime import environment
from tests.fakes.gateway import Answer, Gateway
from tests.fakes.people import BAYKO, GRAHAMS, REEF, minute

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

GROUPS = "/api/message_groups"
MESSAGES = "/api/messages"


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The table as somebody else sees it, who writes what DynamoDB takes."""

    client: "DynamoDBClient"
    table_name: str

    def under(self, pk: str) -> list[dict[str, Any]]:
        """The items of a partition, as DynamoDB spells them, oldest first."""
        found: Any = self.client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
        )["Items"]
        return list(found)

    def put(self, item: dict[str, Any]) -> None:
        self.client.put_item(TableName=self.table_name, Item=item)


@pytest.fixture
def stored(dynamodb: "DynamoDBClient", table_name: str) -> Stored:
    return Stored(client=dynamodb, table_name=table_name)


@pytest.fixture
def group(gateway: Gateway) -> str:
    """A conversation of five messages, from m0 to m4."""
    body = gateway.post(GROUPS, {"handle": "reef", "message": "m0"}, by="grahams").body
    uuid = str(body["message_group_uuid"])
    for number in range(1, 5):
        gateway.post(MESSAGES, {"message_group_uuid": uuid, "message": f"m{number}"}, by="grahams")
    return uuid


def reported(caplog: pytest.LogCaptureFixture) -> set[tuple[str, str]]:
    """The keys of the items that the metric filter UnreadableItems counts."""
    lines = [vars(r) for r in caplog.records if r.getMessage() == "unreadable item"]
    assert all(line["levelname"] == "ERROR" for line in lines)
    return {(line["pk"], line["sk"]) for line in lines}


def walk(gateway: Gateway, target: str, relation: str, *, by: str) -> Iterator[Answer]:
    """Follow a link until there is none, or, to what is newer, until there is nothing."""
    following: str | None = target
    for _ in range(20):
        assert following
        answer = gateway.get(following, by=by)
        assert answer.status == 200
        yield answer
        following = answer.link(relation)
        if following is None:
            return
    pytest.fail("the list has no end")


def texts(answers: Iterator[Answer]) -> list[str]:
    return [row["message"] for answer in answers for row in answer.body]


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "no text": lambda item: item.pop("message"),
    "a text that is a number": lambda item: item.update(message={"N": "1"}),
    "no sender": lambda item: item.pop("user_uuid"),
    "a sender that is no uuid": lambda item: item.update(user_uuid={"S": "grahams"}),
    "no name": lambda item: item.pop("user_display_name"),
}


BROKEN_ROWS = BROKEN | {
    "a mark that is no place": lambda item: item.update(read_sk={"S": "x"}),
}


@pytest.mark.parametrize("at", range(5))
def test_a_conversation_is_read_and_paged_past_a_message_that_is_broken(
    gateway: Gateway,
    stored: Stored,
    group: str,
    caplog: pytest.LogCaptureFixture,
    at: int,
) -> None:
    (item,) = stored.under(keys.message_pk(group))[at : at + 1]
    list(BROKEN.values())[at](item)
    stored.put(item)
    left = [f"m{number}" for number in reversed(range(5)) if number != at]
    for limit in (1, 2, 5):
        target = f"{MESSAGES}/{group}?limit={limit}"
        down = list(walk(gateway, target, "next", by="reef"))
        assert texts(iter(down)) == left
        # From the oldest page up again; what is on that page is not behind it.
        up = list(walk(gateway, str(down[-1].link("prev")), "prev", by="reef"))
        assert sorted(texts(iter([down[-1], *up]))) == sorted(left)
    assert reported(caplog) == {(item["pk"]["S"], item["sk"]["S"])}
    assert not any(f"m{number}" in str(vars(r)) for r in caplog.records for number in range(5))


@pytest.mark.parametrize("sk", ["zzz", "\u00e9", "0"])
def test_a_message_whose_key_is_no_time_can_be_paged_past(
    gateway: Gateway, stored: Stored, group: str, sk: str
) -> None:
    stored.put(stored.under(keys.message_pk(group))[0] | {"sk": {"S": sk}})
    for limit in (1, 2, 6):
        down = list(walk(gateway, f"{MESSAGES}/{group}?limit={limit}", "next", by="reef"))
        assert texts(iter(down)) == ["m4", "m3", "m2", "m1", "m0"]
        list(walk(gateway, str(down[-1].link("prev")), "prev", by="reef"))


@pytest.mark.parametrize("broken", BROKEN_ROWS)
def test_a_list_is_read_and_paged_past_a_row_that_is_broken(
    gateway: Gateway,
    stored: Stored,
    caplog: pytest.LogCaptureFixture,
    broken: str,
) -> None:
    for handle in ("reef", "bayko"):
        gateway.post(GROUPS, {"handle": handle, "message": f"to {handle}"}, by="grahams")
    (item,) = [i for i in stored.under(keys.message_group_pk(GRAHAMS.uuid)) if "bayko" in str(i)]
    BROKEN_ROWS[broken](item)
    stored.put(item)
    for limit in (1, 2, 5):
        target = f"{GROUPS}?limit={limit}&counts=true"
        assert texts(walk(gateway, target, "next", by="grahams")) == ["to reef"]
    assert reported(caplog) == {(item["pk"]["S"], item["sk"]["S"])}


def test_whoever_marks_is_answered_though_the_others_row_is_broken(
    gateway: Gateway, stored: Stored, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    (row,) = stored.under(keys.message_group_pk(GRAHAMS.uuid))
    stored.put({name: value for name, value in row.items() if name != "user_handle"})
    for answer in (
        gateway.patch(f"{GROUPS}/{group}", {"muted": True}, by="reef"),
        gateway.get(f"{GROUPS}/{group}", by="reef"),
    ):
        assert (answer.status, answer.body["muted"], answer.body["seen_up_to"]) == (200, True, None)
    assert reported(caplog) == {(row["pk"]["S"], row["sk"]["S"])}


def test_messages_of_any_size_are_all_there(gateway: Gateway, stored: Stored, group: str) -> None:
    """DynamoDB cuts an answer at one megabyte, whatever page was asked for."""
    for item in stored.under(keys.message_pk(group)):
        stored.put(item | {"more": {"S": "x" * 300_000}})
    down = list(walk(gateway, f"{MESSAGES}/{group}?limit=100", "next", by="reef"))
    assert len(down) > 1
    assert texts(iter(down)) == ["m4", "m3", "m2", "m1", "m0"]
    up = list(walk(gateway, str(down[-1].link("prev")), "prev", by="reef"))
    assert sorted(texts(iter([down[-1], *up]))) == ["m0", "m1", "m2", "m3", "m4"]


def test_a_connection_that_is_broken_keeps_no_hint_from_the_others(
    repository: Repository, stored: Stored, caplog: pytest.LogCaptureFixture
) -> None:
    slots = count()
    one, other = (
        Connection(
            user_uuid=BAYKO.uuid,
            slot=next(slots),
            connection_id=name,
            connected_at=minute(0),
            expires_at=minute(30),
        )
        for name in ("one", "other")
    )
    for connection in (one, other):
        repository.put_connection(connection, replaced=None)
    broken = to_dynamodb(one.to_item()) | {"expires_at": {"N": "1" + "0" * 60}}
    stored.put(broken)
    assert repository.list_connections(BAYKO.uuid) == [other]
    assert reported(caplog) == {(broken["pk"]["S"], broken["sk"]["S"])}


@pytest.mark.parametrize("repeated", ["its text", "another text"])
def test_a_repeated_send_is_answered_though_its_message_is_broken(
    gateway: Gateway, stored: Stored, group: str, repeated: str
) -> None:
    name = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"
    body = {"message_group_uuid": group, "message": "its text", "message_uuid": name}
    first = gateway.post(MESSAGES, body, by="reef")
    item = stored.under(keys.message_pk(group))[-1]
    stored.put({name: value for name, value in item.items() if name != "user_handle"})
    again = gateway.post(MESSAGES, body | {"message": repeated}, by="reef")
    if repeated == "its text":
        assert (again.status, again.body) == (200, first.body)
    else:
        assert (again.status, again.errors) == (422, ["message_uuid_reused"])
    assert REEF.handle == first.body["handle"]


@pytest.mark.parametrize("wrong", ["no members", "members of others", "a group that is none"])
@pytest.mark.parametrize("named", [True, False])
def test_nothing_is_written_into_a_group_that_is_not_the_pairs(
    gateway: Gateway, stored: Stored, group: str, wrong: str, *, named: bool
) -> None:
    """As after a restore that was not finished, or where somebody has changed PAIR."""
    foreign = gateway.post(GROUPS, {"handle": "bayko", "message": "x"}, by="grahams").body
    other = str(foreign["message_group_uuid"])
    (pair,) = stored.under(keys.pair_pk(GRAHAMS.uuid, REEF.uuid))
    (members,) = stored.under(keys.members_pk(group))
    if wrong == "no members":
        key = {name: members[name] for name in ("pk", "sk")}
        stored.client.delete_item(TableName=stored.table_name, Key=key)
    elif wrong == "members of others":
        stored.put(pair | {"group": {"S": other}})
    else:
        stored.put(pair | {"group": {"S": "x"}})
    before = [stored.under(keys.message_pk(uuid)) for uuid in (group, other)]
    body = {"handle": "reef", "message": "secret"} | ({"message_uuid": group} if named else {})
    environment.renew()  # who is known to be a member stays one
    for route in (GROUPS, MESSAGES):
        answer = gateway.post(route, body, by="grahams")
        assert (answer.status, answer.errors) == (503, ["try_again"])
    assert [stored.under(keys.message_pk(uuid)) for uuid in (group, other)] == before
    # What was refused is not used up: the same send goes on when it is repaired.
    stored.put(pair)
    stored.put(members)
    answer = gateway.post(GROUPS, body, by="grahams")
    assert (answer.status, answer.body["message_group_uuid"]) == (200, group)
