"""Records of the table's stream, as far as the function reads them."""

from typing import Any

from messaging.attributes import to_dynamodb
from messaging.entities import Message


def record(message: Message) -> dict[str, Any]:
    """Return the record of a new message."""
    item = to_dynamodb(message.to_item())
    key = {name: item[name] for name in ("pk", "sk")}
    return {
        "eventName": "INSERT",
        "dynamodb": {"Keys": key, "NewImage": item, "SequenceNumber": message.sk},
    }
