"""The bootcamp's design in its smallest form, to be measured beside ours.

It follows the description of the bootcamp:

- The key of a group row is the time of its last message. A message moves a row by a delete and a
  put, one row after the other.
- Its function is called for every record of the table, one by one, also for its own writes.
- Lists are the newest twenty rows of this year.
- Every request asks PostgreSQL who is calling.
- The table has one index, with all attributes.

It has the bootcamp's defects on purpose (docs/decisions.md), since they are part of its cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from boto3.dynamodb.conditions import Key
from boto3.dynamodb.types import TypeDeserializer

if TYPE_CHECKING:  # a cold start of this module has none of our layers
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.service_resource import Table

    from runtime.user import User

INDEX = "message-group-sk-index"
LIMIT = 20

_deserializer = TypeDeserializer()


def create_table(client: "DynamoDBClient", name: str) -> None:
    """Make the table, on demand: throttling is not compared."""
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"}
            for name in ("pk", "sk", "message_group_uuid")
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": INDEX,
                "KeySchema": [
                    {"AttributeName": "message_group_uuid", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The calls of its backend to the table."""

    client: "DynamoDBClient"
    table: str

    def list_rows(self, partition: str) -> list[dict[str, Any]]:
        """A and B: the newest twenty of this year in a partition."""
        page = self.client.query(
            TableName=self.table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :year)",
            ExpressionAttributeValues={
                ":pk": {"S": partition},
                ":year": {"S": str(datetime.now(UTC).year)},
            },
            ScanIndexForward=False,
            Limit=LIMIT,
        )
        return [
            {name: _deserializer.deserialize(value) for name, value in item.items()}
            for item in page["Items"]
        ]

    def begin(self, people: Sequence["User"], text: str) -> str:
        """C: a new group, written without a condition; return its uuid."""
        group, now = str(uuid4()), datetime.now(UTC).isoformat()
        rows = [
            row_item(owner, other, group, now, text) for owner, other in (people, reversed(people))
        ]
        items = [*rows, message_item(people[0], group, now, text)]
        self.client.batch_write_item(
            RequestItems={self.table: [{"PutRequest": {"Item": item}} for item in items]}
        )
        return group

    def write(self, sender: "User", group: str, text: str) -> dict[str, Any]:
        """D: one message; return it as the stream shows it."""
        item = message_item(sender, group, datetime.now(UTC).isoformat(), text)
        self.client.put_item(TableName=self.table, Item=item)
        return item


def move(table: "Table", message: dict[str, Any]) -> None:
    """E: a delete and a put of each row of the message's group, in turn."""
    group = message["pk"]["S"].removeprefix("MSG#")
    rows = table.query(IndexName=INDEX, KeyConditionExpression=Key("message_group_uuid").eq(group))[
        "Items"
    ]
    for row in rows:
        table.delete_item(Key={name: row[name] for name in ("pk", "sk")})
        moved = {**row, "sk": message["sk"]["S"], "message": message["message"]["S"]}
        table.put_item(Item=moved)


def row_item(owner: "User", other: "User", group: str, time: str, text: str) -> dict[str, Any]:
    """Return a group row as it is stored."""
    return {
        "pk": {"S": f"GRP#{owner.uuid}"},
        "sk": {"S": time},
        "message_group_uuid": {"S": group},
        **_line(other, text),
    }


def message_item(sender: "User", group: str, time: str, text: str) -> dict[str, Any]:
    """Return a message as it is stored."""
    return {
        "pk": {"S": f"MSG#{group}"},
        "sk": {"S": time},
        "message_uuid": {"S": str(uuid4())},
        **_line(sender, text),
    }


def _line(user: "User", text: str) -> dict[str, Any]:
    return {
        "message": {"S": text},
        "user_uuid": {"S": user.uuid},
        "user_display_name": {"S": user.display_name},
        "user_handle": {"S": user.handle},
    }
