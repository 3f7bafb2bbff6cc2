"""The items of the table, each with its key, its item form and back.

Items are plain dictionaries of Python values; `repository` gives them DynamoDB's types.
Moving a group row copies its whole item and changes what moved (`moved_row`): an attribute that
this module does not know survives.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from messaging import keys
from messaging.errors import UnreadableItemError

type Item = dict[str, Any]

# Together with the longest names and handles that the directory takes, a group row of this
# preview stays below 1 KB: a move then costs the least that DynamoDB charges.
PREVIEW_BYTES = 512

SENT_FOR = timedelta(days=7)
PARKED_FOR = timedelta(days=30)


def preview(message: str) -> str:
    """Return what a group row shows of `message`: 512 bytes at most, cut between characters."""
    return message.encode()[:PREVIEW_BYTES].decode(errors="ignore")


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise UnreadableItemError(f"attribute {name} is missing or not a string")
    return value


@dataclass(frozen=True, kw_only=True)
class User:
    """Someone in the directory."""

    uuid: str
    handle: str
    display_name: str


@dataclass(frozen=True, kw_only=True)
class _Line:
    """What a message and a group row have in common: a text at a position, and a person."""

    message_group_uuid: str
    sk: str
    message: str
    user_uuid: str
    user_display_name: str
    user_handle: str

    @property
    def position(self) -> keys.Position:
        """The place in the order of messages."""
        return keys.parse_message_sk(self.sk)

    def _attributes(self) -> Item:
        return {"sk": self.sk} | {name: getattr(self, name) for name in _LINE}

    @staticmethod
    def _read(item: Mapping[str, Any]) -> dict[str, str]:
        """Return the values of a line in `item`; ValueError for a key that is none."""
        line = {name: _text(item, name) for name in ("sk", *_LINE)}
        keys.parse_message_sk(line["sk"])
        return line | {"user_uuid": keys.canonical_uuid(line["user_uuid"])}


_LINE = ("message", "user_uuid", "user_display_name", "user_handle")


@dataclass(frozen=True, kw_only=True)
class Message(_Line):
    """A message; the names are the sender's."""

    message_uuid: str

    @classmethod
    def from_sender(cls, sender: User, *, message_group_uuid: str, sk: str, message: str) -> Self:
        """Return the message that `sender` writes at `sk`."""
        return cls(
            message_group_uuid=message_group_uuid,
            sk=sk,
            message_uuid=keys.parse_message_sk(sk).message_uuid,
            message=message,
            user_uuid=sender.uuid,
            user_display_name=sender.display_name,
            user_handle=sender.handle,
        )

    def to_item(self) -> Item:
        """Return the item of this message."""
        own = {
            "pk": keys.message_pk(self.message_group_uuid),
            "message_uuid": self.message_uuid,
        }
        return own | self._attributes()

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Return the message in `item`.

        Raises
        ------
        UnreadableItemError
            `item` is not a message, or lacks what a message has.
        """
        try:
            return cls(
                message_group_uuid=keys.uuid_in(_text(item, "pk"), keys.MESSAGE_PREFIX),
                message_uuid=_text(item, "message_uuid"),
                **cls._read(item),
            )
        except ValueError as error:
            raise UnreadableItemError(str(error)) from error


@dataclass(frozen=True, kw_only=True)
class MessageGroup(_Line):
    """A message group as one member's list shows it; the names are the other member's."""

    owner_uuid: str

    @classmethod
    def for_owner(cls, owner_uuid: str, *, other: User, last: Message) -> Self:
        """Return the row of `owner_uuid` for the group in which `last` is the last message."""
        return cls(
            owner_uuid=owner_uuid,
            sk=last.sk,
            message_group_uuid=last.message_group_uuid,
            message=preview(last.message),
            user_uuid=other.uuid,
            user_display_name=other.display_name,
            user_handle=other.handle,
        )

    def to_item(self) -> Item:
        """Return the item of this row."""
        own = {
            "pk": keys.message_group_pk(self.owner_uuid),
            "message_group_uuid": self.message_group_uuid,
        }
        return own | self._attributes()

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Return the group row in `item`.

        Raises
        ------
        UnreadableItemError
            `item` is not a group row, or lacks what a group row has.
        """
        try:
            return cls(
                owner_uuid=keys.uuid_in(_text(item, "pk"), keys.MESSAGE_GROUP_PREFIX),
                message_group_uuid=keys.canonical_uuid(_text(item, "message_group_uuid")),
                **cls._read(item),
            )
        except ValueError as error:
            raise UnreadableItemError(str(error)) from error


def moved_row(row: Item, last: Message, others_last: Message | None) -> Item:
    """Return the item of a group row, moved forward to show `last`.

    Parameters
    ----------
    others_last
        The newest message of the other member, if it is newer than the row: their names may have
        changed since the row was made.
    """
    moved = {**row, "sk": last.sk, "message": preview(last.message)}
    if others_last:
        moved |= {
            "user_display_name": others_last.user_display_name,
            "user_handle": others_last.user_handle,
        }
    return moved


@dataclass(frozen=True, kw_only=True)
class Members:
    """Who is in a group: the one source of who may read it and write to it."""

    message_group_uuid: str
    member_uuids: frozenset[str]
    created_at: datetime

    def to_item(self) -> Item:
        """Return the item of these members."""
        return {
            "pk": keys.members_pk(self.message_group_uuid),
            "sk": keys.MEMBERS_SK,
            "member_uuids": sorted(self.member_uuids),
            "created_at": keys.format_time(self.created_at),
        }

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Return the members in `item`."""
        return cls(
            message_group_uuid=keys.uuid_in(_text(item, "pk"), keys.MEMBERS_PREFIX),
            member_uuids=frozenset(item["member_uuids"]),
            created_at=keys.parse_time(_text(item, "created_at")),
        )


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The one group of two users.

    The group's uuid stands in the attribute ``group``: an attribute named message_group_uuid
    would bring the item into the index.
    """

    user_uuids: tuple[str, str]
    message_group_uuid: str

    def to_item(self) -> Item:
        """Return the item of this pair."""
        return {
            "pk": keys.pair_pk(*self.user_uuids),
            "sk": keys.PAIR_SK,
            "group": self.message_group_uuid,
        }

    @staticmethod
    def group_in(item: Mapping[str, Any]) -> str:
        """Return the group's uuid in the item of a pair."""
        return _text(item, "group")


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A send that its client named: it fixes the message's key before the message is written.

    Attributes
    ----------
    message_sk
        The sk at which the message stands, or will stand once the send is finished.
    group
        The uuid that a new group of this send has, when the pair has none.
    digest
        Tells another send under the same name from a repeat of this one.
    """

    user_uuid: str
    message_uuid: str
    message_sk: str
    group: str
    digest: str
    expires_at: datetime

    @staticmethod
    def digest_of(*parts: str) -> str:
        """Return the digest of the receiver or the group, and the text."""
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def to_item(self) -> Item:
        """Return the item of this send; expires_at is in seconds since 1970."""
        return {
            "pk": keys.sent_pk(self.user_uuid),
            "sk": self.message_uuid,
            "message_sk": self.message_sk,
            "group": self.group,
            "digest": self.digest,
            "expires_at": int(self.expires_at.timestamp()),
        }

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Return the send in `item`."""
        return cls(
            user_uuid=keys.uuid_in(_text(item, "pk"), keys.SENT_PREFIX),
            message_uuid=_text(item, "sk"),
            message_sk=_text(item, "message_sk"),
            group=_text(item, "group"),
            digest=_text(item, "digest"),
            expires_at=datetime.fromtimestamp(int(item["expires_at"]), tz=UTC),
        )


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A stream record that can never succeed, parked for the operator.

    Attributes
    ----------
    message_group_uuid
        As far as the record tells; else its sequence number.
    record_keys
        The pk and sk of the record, as it has them.
    """

    time: datetime
    message_group_uuid: str
    reason: str
    record_keys: Item
    expires_at: datetime

    def to_item(self) -> Item:
        """Return the item of this record; expires_at is in seconds since 1970."""
        return {
            "pk": keys.FAILED_PK,
            "sk": keys.failed_sk(self.time, self.message_group_uuid),
            "reason": self.reason,
            "record_keys": self.record_keys,
            "expires_at": int(self.expires_at.timestamp()),
        }
