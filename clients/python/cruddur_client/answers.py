"""What the API answers.

Fields that a later version of the API adds are left out, so that this client goes on working.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class _Answer:
    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """Return what is in the JSON object `body`.

        Raises a TypeError, AttributeError or ValueError when it is something else.
        """
        kinds = {field.name: field.type for field in fields(cls)}
        return cls(
            **{
                name: _read(name, value, kinds[name])
                for name, value in body.items()
                if name in kinds
            }
        )


def _read(name: str, value: Any, kind: Any) -> Any:
    if name in {"created_at", "expires_at"}:
        return datetime.fromisoformat(value)
    if name in {"read_up_to", "seen_up_to"}:
        return None if value is None else Position.of(value)
    if not isinstance(value, kind):
        raise TypeError(f"{name} is of another type")
    return value


@dataclass(frozen=True, kw_only=True)
class User(_Answer):
    """Somebody in the directory."""

    uuid: str
    handle: str
    display_name: str


@dataclass(frozen=True, kw_only=True)
class Me(User):
    """The caller, and what they have set."""

    read_receipts: bool


@dataclass(frozen=True, kw_only=True)
class Position(_Answer):
    """The place of a message in its conversation."""

    created_at: datetime
    uuid: str


@dataclass(frozen=True, kw_only=True)
class Message(_Answer):
    """A message, with the names of its sender."""

    uuid: str
    display_name: str
    handle: str
    message: str
    created_at: datetime

    @property
    def position(self) -> Position:
        """Its place, to mark what was read."""
        return Position(created_at=self.created_at, uuid=self.uuid)


@dataclass(frozen=True, kw_only=True)
class SentMessage(Message):
    """A message that was stored, and the message group that it is in."""

    message_group_uuid: str


@dataclass(frozen=True, kw_only=True)
class ListedMessageGroup(_Answer):
    """A message group as the list shows it, with the names of the other member.

    `unread_count` is there where the list was asked for counts.
    """

    uuid: str
    display_name: str
    handle: str
    message: str
    created_at: datetime
    unread: bool
    muted: bool
    unread_count: int | None = None


@dataclass(frozen=True, kw_only=True)
class MessageGroup(ListedMessageGroup):
    """A message group by itself.

    `seen_up_to` is None where the other member has read nothing, and where it is not shared.
    """

    read_up_to: Position | None
    seen_up_to: Position | None = None


@dataclass(frozen=True, kw_only=True)
class LiveTicket(_Answer):
    """What opens a WebSocket at `url`, as its query parameter `ticket`; `expires_at` is its end."""

    url: str
    ticket: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Hint(_Answer):
    """Something has changed: what it is about, and where that is known the message's place.

    `type` is one of the API's, or one of this client's: ``connected``, from which on everything is
    told, and what came before has to be read; ``disconnected``, with the reason.
    """

    type: str
    uuid: str | None = None
    created_at: datetime | None = None
    message_uuid: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Page[Row]:
    """A page of a list, newest first, and the targets of what is older and newer.

    `newer` is there whenever the page has a row: keep it to ask later for what is new.
    """

    rows: tuple[Row, ...]
    older: str | None
    newer: str | None
