"""People who write to each other, for measurements; and their messages as the stream shows them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from messaging import message_groups
from messaging.attributes import to_dynamodb
from messaging.entities import Message
from messaging.message_groups import SendRequest, SendResult
from messaging.repository import Repository
from runtime.user import User

TEXT = "x" * 100


def user(handle: str, *, display_name: str = "") -> User:
    """Return a new person."""
    return User(uuid=str(uuid4()), handle=handle, display_name=display_name or handle.capitalize())


@dataclass(kw_only=True)
class Conversation:
    """Two people who write to each other, in turns unless `by` says who."""

    repository: Repository
    people: tuple[User, User]
    text: str = TEXT
    group: str = ""
    turn: int = 0

    def begin(self, *, named: bool = False) -> SendResult:
        """Write the message that makes the group (C)."""
        sent = message_groups.create_message_group(
            self.repository, *self.people, self._request(named=named), now=_now
        )
        self.group = sent.message.message_group_uuid
        return sent

    def write(self, *, by: User | None = None, named: bool = False) -> SendResult:
        """Write the next message (D)."""
        self.turn += 1
        sender = by or self.people[self.turn % 2]
        request = self._request(named=named)
        return message_groups.create_message(self.repository, sender, self.group, request, now=_now)

    def _request(self, *, named: bool) -> SendRequest:
        return SendRequest(message=self.text, message_uuid=str(uuid4()) if named else None)


def record(message: Message) -> dict[str, Any]:
    """Return the stream's record of a new message, as far as E reads it."""
    item = to_dynamodb(message.to_item())
    key = {name: item[name] for name in ("pk", "sk")}
    return {
        "eventName": "INSERT",
        "dynamodb": {"Keys": key, "NewImage": item, "SequenceNumber": message.sk},
    }


def _now() -> datetime:
    return datetime.now(UTC)
