"""Whether the lists of message groups are what the messages say, seen in the table."""

from typing import TYPE_CHECKING

from messaging import keys
from messaging.attributes import from_dynamodb
from messaging.entities import Item, Message, MessageGroupRow

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["differences", "scan"]


def scan(client: "DynamoDBClient", table_name: str) -> list[Item]:
    pages = client.get_paginator("scan").paginate(TableName=table_name, ConsistentRead=True)
    return [from_dynamodb(item) for page in pages for item in page["Items"]]


def differences(items: list[Item]) -> list[str]:
    """Return how the group rows differ from what the messages say."""
    found = []
    messages = [
        Message.from_item(item)
        for item in items
        if item["pk"].startswith(keys.MESSAGE_PREFIX) and "message" in item
    ]
    rows = [i for i in items if i["pk"].startswith(keys.MESSAGE_GROUP_PREFIX)]
    for group in {message.message_group_uuid for message in messages}:
        said = [message for message in messages if message.message_group_uuid == group]
        shown = [MessageGroupRow.from_item(r) for r in rows if r["message_group_uuid"] == group]
        if len(shown) != 2 or len({row.owner_uuid for row in shown}) != 2:
            found.append(f"{group} has {len(shown)} rows")
        for row in shown:
            theirs = [message.place for message in said if message.user_uuid != row.owner_uuid]
            last = max(message.place for message in said)
            if (row.last_sk, row.their_sk) != (last, max(theirs, default=None)):
                found.append(f"{group} of {row.owner_uuid} is behind")
    return found
