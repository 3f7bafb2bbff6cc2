"""Records of the table's stream, as Lambda delivers them."""

from itertools import count
from typing import Any

from messaging.attributes import to_dynamodb
from messaging.entities import Item, Message, MessageGroupRow

_numbers = count(1)


def record(item: Item, *, event_name: str = "INSERT") -> dict[str, Any]:
    """Return the record of a write of `item`."""
    return {
        "eventID": f"event-{next(_numbers)}",
        "eventName": event_name,
        "eventSource": "aws:dynamodb",
        "eventVersion": "1.1",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1798761600,
            "Keys": to_dynamodb({"pk": item["pk"], "sk": item["sk"]}),
            ("OldImage" if event_name == "REMOVE" else "NewImage"): to_dynamodb(item),
            "SequenceNumber": str(1000 + next(_numbers)),
            "SizeBytes": 300,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def changed(old: MessageGroupRow | None, new: MessageGroupRow) -> dict[str, Any]:
    """Return the record of a group row that was written, or changed."""
    made = record(new.to_item(), event_name="MODIFY" if old else "INSERT")
    if old:
        made["dynamodb"]["OldImage"] = to_dynamodb(old.to_item())
    return made


def inserted(*messages: Message) -> list[dict[str, Any]]:
    """Return the records of new messages."""
    return [record(message.to_item()) for message in messages]


def sequence_number(record: dict[str, Any]) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
