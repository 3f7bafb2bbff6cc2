"""What reconcile calls does the same on DynamoDB and on the fake that the schedules use."""

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from commands.reconcile.plan import Write
from commands.reconcile.table import TRANSACTION_ITEMS, Table
from messaging import keys
from messaging.attributes import to_dynamodb
from messaging.entities import Item
from runtime.deadline import Deadline
from tests.fakes.adopted import message_item, row_item
from tests.fakes.memory_table import MemoryTable
from tests.fakes.people import BAYKO, GRAHAMS, REEF

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

GROUP = str(UUID(int=1))
OTHER_GROUP = str(UUID(int=2))
ITEM: Item = {"pk": "FAILED", "sk": "1", "kept": "as it is", "one": "1", "two": "2"}


@pytest.fixture(params=["memory", "dynamodb"])
def table(request: pytest.FixtureRequest, dynamodb: "DynamoDBClient", table_name: str) -> Table:
    if request.param == "memory":
        return MemoryTable()
    return Table(dynamodb, table_name, deadline=Deadline(), sleep=lambda _: None)


def put(table: Table, *items: Item) -> None:
    if isinstance(table, MemoryTable):
        table.put(*items)
        return
    for item in items:
        table._client.put_item(TableName=table._table_name, Item=to_dynamodb(item))


def contents(table: Table) -> list[Item]:
    return sorted((item for page in table.scan() for item in page), key=lambda i: str(i["sk"]))


def test_what_stands_where_is_found(table: Table) -> None:
    messages = [message_item(GROUP, sk, REEF) for sk in ("1", "2")]
    rows = [row_item(GROUP, "3", GRAHAMS, REEF), row_item(OTHER_GROUP, "4", GRAHAMS, BAYKO)]
    failed = {"pk": keys.FAILED_PK, "sk": "5"}
    stray = {"pk": "OTHER", "sk": "6", "message_group_uuid": GROUP}
    put(table, *reversed(messages), *rows, failed, stray)
    assert list(table.messages(GROUP)) == messages
    assert list(table.messages(OTHER_GROUP)) == []
    assert list(table.failed()) == [failed]
    assert table.row_keys(GROUP) == [(rows[0]["pk"], "3")]
    assert list(table.rows_with(GRAHAMS.uuid, BAYKO.uuid)) == rows[1:]
    assert list(table.rows_with(REEF.uuid, GRAHAMS.uuid)) == []
    assert table.get(rows[0]["pk"], "3") == rows[0]
    assert table.get(rows[0]["pk"], "4") == rows[1]
    assert table.get(rows[0]["pk"], "5") is None
    assert contents(table) == [*messages, *rows, failed, stray]


def test_an_item_is_put_where_nothing_stands(table: Table) -> None:
    assert table.write([Write(old=None, new=ITEM)])
    assert not table.write([Write(old=None, new=ITEM | {"one": "other"})])
    assert contents(table) == [ITEM]


def test_an_item_is_deleted_as_it_was_read(table: Table) -> None:
    put(table, ITEM)
    assert not table.write([Write(old=ITEM | {"one": "other"}, new=None)])
    assert contents(table) == [ITEM]
    assert table.write([Write(old=ITEM, new=None)])
    assert contents(table) == []
    assert not table.write([Write(old=ITEM, new=None)])


@pytest.mark.parametrize("now", [{"one": "other"}, {"three": "3"}, {"two": None}, None])
def test_an_item_is_changed_in_its_place_if_what_was_read_of_it_is_still_so(
    table: Table, now: dict[str, str | None] | None
) -> None:
    read = {name: value for name, value in ITEM.items() if name != "kept"}
    new = {name: value for name, value in read.items() if name != "two"}
    change = Write(old=read, new=new | {"one": "new", "three": "3"})
    if now is not None:
        items = {**ITEM, **now}
        put(table, {name: value for name, value in items.items() if value is not None})
    before = contents(table)
    assert not table.write([change])
    assert contents(table) == before
    # What the change does not name may be anything: it is somebody else's.
    put(table, ITEM | {"kept": "changed meanwhile", "set": "meanwhile"})
    assert table.write([change])
    assert contents(table) == [
        {
            "pk": "FAILED",
            "sk": "1",
            "kept": "changed meanwhile",
            "set": "meanwhile",
            "one": "new",
            "three": "3",
        }
    ]


def test_all_is_written_or_nothing(table: Table) -> None:
    put(table, ITEM)
    other = ITEM | {"sk": "2"}
    assert not table.write([Write(old=None, new=other), Write(old=None, new=ITEM)])
    assert contents(table) == [ITEM]
    assert table.write([Write(old=None, new=other), Write(old=ITEM, new=None)])
    assert contents(table) == [other]


def test_of_too_many_writes_the_first_are_carried_out(table: Table) -> None:
    writes = [Write(old=None, new=ITEM | {"sk": f"{n:3}"}) for n in range(TRANSACTION_ITEMS + 1)]
    assert table.write(writes)
    assert len(contents(table)) == TRANSACTION_ITEMS
