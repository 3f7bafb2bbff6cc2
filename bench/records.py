"""Records of the table's stream, as far as the function reads them."""

from typing import Any

from messaging.entities import Message
from messaging.repository import to_dynamodb


def record(message: Message) -> dict[str, Any]:
    """Return the record of a new message."""
    item = to_dynamodb(message.to_item())
    key = {name: item[name] for name in ("pk", "sk")}
    return {
        "eventName": "INSERT",
        "dynamodb": {"Keys": key, "NewImage": item, "SequenceNumber": message.sk},
    }
