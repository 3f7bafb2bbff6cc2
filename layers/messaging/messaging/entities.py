"""The items of the table, each with its key, its item form and back.

Items are plain dictionaries of Python values; `repository` gives them DynamoDB's types.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, wraps
from typing import Any, ClassVar, Self

from messaging import keys
from messaging.errors import UnreadableItemError
from runtime.user import User

type Item = dict[str, Any]

# A group row with this preview, the longest names that the directory takes and everything that
# its owner can set stays below 1,024 bytes. One byte more would double the price of each write.
PREVIEW_BYTES = 240

SENT_FOR = timedelta(days=7)
PARKED_FOR = timedelta(days=30)


def preview(message: str) -> str:
    """Return what a group row shows of `message`, cut between characters."""
    return message.encode()[:PREVIEW_BYTES].decode(errors="ignore")


def _reads[**Given, Entity](
    kind: str,
) -> Callable[[Callable[Given, Entity]], Callable[Given, Entity]]:
    """Let a function raise whatever is wrong in an item of this kind as UnreadableItemError."""

    def decorate(read: Callable[Given, Entity]) -> Callable[Given, Entity]:
        @wraps(read)
        def reading(*given: Given.args, **named: Given.kwargs) -> Entity:
            try:
                return read(*given, **named)
            except (ValueError, KeyError, TypeError, ArithmeticError, OSError) as error:
                raise UnreadableItemError(f"not {kind}: {error}") from error

        return reading

    return decorate


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if not isinstance(value, str):
        raise UnreadableItemError(f"attribute {name} is missing or not a string")
    return value


@dataclass(frozen=True, kw_only=True)
class _Line:
    """What a message and a group row have in common: a text, and who is shown beside it."""

    message_group_uuid: str
    message: str
    user_uuid: str
    user_display_name: str
    user_handle: str

    def _attributes(self) -> Item:
        return {name: getattr(self, name) for name in _LINE}

    @staticmethod
    def _read(item: Mapping[str, Any]) -> dict[str, str]:
        line = {name: _text(item, name) for name in _LINE}
        return line | {"user_uuid": keys.canonical_uuid(line["user_uuid"])}


_LINE = ("message", "user_uuid", "user_display_name", "user_handle")


@dataclass(frozen=True, kw_only=True)
class Message(_Line):
    """A message; the names are the sender's.

    Attributes
    ----------
    sk
        As it is in the table, which may be a bare timestamp.
    first
        The message began its group, whose rows were written together with it.
    """

    sk: str
    message_uuid: str
    first: bool = False

    @cached_property
    def position(self) -> keys.Position:
        """When it was written, and its uuid, which a bare timestamp does not contain."""
        position = keys.parse_message_sk(self.sk)
        return keys.Position(position.created_at, position.message_uuid or self.message_uuid)

    @cached_property
    def place(self) -> str:
        """The position in canonical form: its string order is time order."""
        return keys.message_sk(self.position)

    @property
    def sender(self) -> User:
        """Who wrote it, as they were called then."""
        return User(
            uuid=self.user_uuid, handle=self.user_handle, display_name=self.user_display_name
        )

    @classmethod
    def from_sender(
        cls, sender: User, *, message_group_uuid: str, sk: str, message: str, first: bool = False
    ) -> Self:
        """Return the message that `sender` writes at `sk`."""
        return cls(
            message_group_uuid=message_group_uuid,
            sk=sk,
            message_uuid=keys.parse_message_sk(sk).message_uuid,
            message=message,
            user_uuid=sender.uuid,
            user_display_name=sender.display_name,
            user_handle=sender.handle,
            first=first,
        )

    def to_item(self) -> Item:
        """Return the item."""
        own = {
            "pk": keys.message_pk(self.message_group_uuid),
            "sk": self.sk,
            "message_uuid": self.message_uuid,
        }
        return own | self._attributes() | ({"first": True} if self.first else {})

    @classmethod
    @_reads("a message")
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Return the message in `item`; raise UnreadableItemError where there is none."""
        message = cls(
            message_group_uuid=keys.uuid_in(_text(item, "pk"), keys.MESSAGE_PREFIX),
            sk=_text(item, "sk"),
            message_uuid=_text(item, "message_uuid"),
            first=item.get("first") is True,
            **cls._read(item),
        )
        _ = message.place
        return message


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What the owner of a group row has set in it; nobody else writes these attributes.

    Attributes
    ----------
    read_sk
        How far they have read: the place of a message, or just before one. It only goes forward,
        and may be ahead of the row. None in a row that is older than the marks.
    marked_unread
        They want to see the group as unread until they read in it again.
    """

    read_sk: str | None = None
    marked_unread: bool = False
    muted: bool = False

    @property
    def read_up_to(self) -> keys.Position | None:
        """The position of the last message that they have read."""
        position = keys.parse_message_sk(self.read_sk) if self.read_sk else None
        return position if position and position.message_uuid else None

    def to_attributes(self) -> Item:
        """Return what the marks are in the row's item: a flag that is not set is not there."""
        return {name: value for name, value in vars(self).items() if value}

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Return the marks in the item of a row; raise ValueError where they cannot be read."""
        marks = cls(
            read_sk=_text(item, "read_sk") if "read_sk" in item else None,
            marked_unread=item.get("marked_unread") is True,
            muted=item.get("muted") is True,
        )
        _ = marks.read_up_to
        return marks


@dataclass(frozen=True, kw_only=True)
class Marking:
    """What an owner changes of the marks in their row; None leaves a mark as it is."""

    read_sk: str | None = None
    marked_unread: bool | None = None
    muted: bool | None = None

    @property
    def flags(self) -> dict[str, bool]:
        """The flags that are set or taken away."""
        flags = {"marked_unread": self.marked_unread, "muted": self.muted}
        return {name: value for name, value in flags.items() if value is not None}

    def without_reading(self, row: Mapping[str, Any]) -> Self:
        """Return which flags are left to write in `row`, whose owner has read as far already.

        All of them or none: a mark takes effect at one moment, whatever else is marked meanwhile.
        """
        is_done = all((name in row) == value for name, value in self.flags.items())
        return type(self)() if is_done else replace(self, read_sk=None)


@dataclass(frozen=True, kw_only=True)
class MessageGroupRow(_Line):
    """A message group row: the group in one member's list, under the other member's name.

    Its key never changes. Three of its attributes, the registers, only go forward: `Advance` moves
    two of them, the owner the third (`Marks`).

    Attributes
    ----------
    last_sk
        The place of the group's last message, and so the row's place in its owner's list.
    their_sk
        The place of the other member's last message, from which their names are taken; None until
        they have written.
    """

    owner_uuid: str
    last_sk: str
    their_sk: str | None = None
    marks: Marks = Marks()

    @cached_property
    def position(self) -> keys.Position:
        """The position of the last message."""
        return keys.parse_message_sk(self.last_sk)

    @property
    def has_news(self) -> bool:
        """The other member has written something that the owner has not read."""
        return self.their_sk is not None and (self.marks.read_sk or "") < self.their_sk

    @property
    def is_unread(self) -> bool:
        """The owner is to see that there is something for them."""
        return self.has_news or self.marks.marked_unread

    @classmethod
    def for_owner(cls, owner_uuid: str, *, other: User, last: Message) -> Self:
        """Return the row of `owner_uuid` for the group in which `last` is the last message.

        Who wrote that has read it, and the other member has read all but that.
        """
        is_theirs = last.user_uuid == other.uuid
        return cls(
            owner_uuid=owner_uuid,
            last_sk=last.place,
            their_sk=last.place if is_theirs else None,
            marks=Marks(read_sk=keys.sk_before(last.position) if is_theirs else last.place),
            message_group_uuid=last.message_group_uuid,
            message=preview(last.message),
            user_uuid=other.uuid,
            user_display_name=other.display_name,
            user_handle=other.handle,
        )

    def to_item(self) -> Item:
        """Return the item."""
        own = {
            "pk": keys.message_group_pk(self.owner_uuid),
            "sk": keys.message_group_sk(self.message_group_uuid),
            "message_group_uuid": self.message_group_uuid,
            "last_sk": self.last_sk,
        }
        theirs = {"their_sk": self.their_sk} if self.their_sk else {}
        return own | self._attributes() | theirs | self.marks.to_attributes()

    @classmethod
    @_reads("a message group row")
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Return the group row in `item`; raise UnreadableItemError where there is none."""
        row = cls(
            owner_uuid=keys.uuid_in(_text(item, "pk"), keys.MESSAGE_GROUP_PREFIX),
            message_group_uuid=keys.canonical_uuid(_text(item, "message_group_uuid")),
            last_sk=_text(item, "last_sk"),
            their_sk=_text(item, "their_sk") if "their_sk" in item else None,
            marks=Marks.from_item(item),
            **cls._read(item),
        )
        _ = row.position
        return row


@dataclass(frozen=True, kw_only=True)
class Advance:
    """A step forward of one register of a group row, unless it is there or further already.

    Attributes
    ----------
    register
        ``last_sk`` or ``their_sk``.
    with_it
        Attributes that belong to the register and are set in the same write.
    """

    register: str
    to: str
    with_it: Item

    @property
    def attributes(self) -> Item:
        """Everything that the step sets."""
        return {self.register: self.to, **self.with_it}

    def is_done_in(self, row: Mapping[str, Any]) -> bool:
        """Tell whether the register of `row` is here already, or further.

        Raises UnreadableItemError when its value is not the place of a message.
        """
        if self.register not in row:
            return False
        place = _text(row, self.register)
        try:
            canonical = keys.message_sk(keys.parse_message_sk(place))
        except ValueError as error:
            raise UnreadableItemError(f"{self.register} is no place: {error}") from error
        if place != canonical:  # as strings they cannot be compared
            raise UnreadableItemError(f"{self.register} is not in canonical form")
        return self.to <= place


def advances(messages: Sequence[Message], owner_uuid: str) -> list[Advance]:
    """Return how new messages of a group move the row of `owner_uuid`.

    Names come from the newest message of the other member, whenever it is delivered.
    """
    last = max(messages, key=lambda message: message.place)
    steps = [Advance(register="last_sk", to=last.place, with_it={"message": preview(last.message)})]
    theirs = [message for message in messages if message.user_uuid != owner_uuid]
    if theirs:
        newest = max(theirs, key=lambda message: message.place)
        names = {
            "user_display_name": newest.user_display_name,
            "user_handle": newest.user_handle,
        }
        steps.append(Advance(register="their_sk", to=newest.place, with_it=names))
    return steps


@dataclass(frozen=True, kw_only=True)
class Members:
    """Who is in a group. This item alone decides who may read it and write to it."""

    message_group_uuid: str
    member_uuids: frozenset[str]
    created_at: datetime

    def to_item(self) -> Item:
        """Return the item."""
        return {
            "pk": keys.members_pk(self.message_group_uuid),
            "sk": keys.MEMBERS_SK,
            "member_uuids": sorted(self.member_uuids),
            "created_at": keys.format_time(self.created_at),
        }

    @classmethod
    @_reads("the members of a group")
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Return the members in `item`; raise UnreadableItemError where there are none."""
        return cls(
            message_group_uuid=keys.uuid_in(_text(item, "pk"), keys.MEMBERS_PREFIX),
            member_uuids=frozenset(map(keys.canonical_uuid, item["member_uuids"])),
            created_at=keys.parse_time(_text(item, "created_at")),
        )


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The one group of two users.

    The attribute with the group's uuid is called ``group``: as message_group_uuid it would bring
    the item into the index.
    """

    user_uuids: tuple[str, str]
    message_group_uuid: str

    def to_item(self) -> Item:
        """Return the item."""
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
class NamedSend:
    """The SENT item: the record of a send that its client gave a name (an idempotency record).

    It is written in one transaction with its message, so that a repeat of the send finds it.

    Attributes
    ----------
    group
        The uuid of the message's group.
    created
        The send began that group.
    digest
        Differs when the client sends something else under the same name.
    """

    user_uuid: str
    message_uuid: str
    group: str
    created: bool
    message_sk: str
    digest: str
    expires_at: datetime

    @staticmethod
    def digest_of(*parts: str) -> str:
        """Return the digest of the receiver or the group, and the text."""
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def to_item(self) -> Item:
        """Return the item; DynamoDB wants ``expires_at`` in seconds since 1970."""
        return {
            "pk": keys.sent_pk(self.user_uuid),
            "sk": self.message_uuid,
            "group": self.group,
            "created": self.created,
            "message_sk": self.message_sk,
            "digest": self.digest,
            "expires_at": int(self.expires_at.timestamp()),
        }

    @classmethod
    @_reads("a named send")
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Return the send in `item`; raise UnreadableItemError where there is none."""
        return cls(
            user_uuid=keys.uuid_in(_text(item, "pk"), keys.SENT_PREFIX),
            message_uuid=_text(item, "sk"),
            group=_text(item, "group"),
            created=item.get("created") is True,
            message_sk=_text(item, "message_sk"),
            digest=_text(item, "digest"),
            expires_at=datetime.fromtimestamp(int(item["expires_at"]), tz=UTC),
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a user has set for themselves; where there is no item, everything is as here.

    Attributes
    ----------
    read_receipts
        Others may see how far they have read, and they how far others have.
    """

    user_uuid: str
    read_receipts: bool = True

    def to_item(self) -> Item:
        """Return the item."""
        return {
            "pk": keys.user_pk(self.user_uuid),
            "sk": keys.SETTINGS_SK,
            "read_receipts": self.read_receipts,
        }

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Return the settings in `item`."""
        return cls(
            user_uuid=keys.uuid_in(_text(item, "pk"), keys.USER_PREFIX),
            # Something else than a yes or a no shows nobody what they may not see.
            read_receipts=item.get("read_receipts", True) is True,
        )


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """The right to open one connection, of whose secret only the digest is stored.

    Attributes
    ----------
    expires_at
        Until when it is good. DynamoDB deletes it days later, so whoever takes it looks at this.
    token_expires_at
        When the access token ends that it was given for, and with it the connection.
    """

    digest: str
    user_uuid: str
    expires_at: datetime
    token_expires_at: datetime

    @staticmethod
    def digest_of(secret: str) -> str:
        """Return what is stored in place of the secret, for whatever a client sends as one."""
        return hashlib.sha256(secret.encode(errors="replace")).hexdigest()

    def to_item(self) -> Item:
        """Return the item; DynamoDB wants ``expires_at`` in seconds since 1970."""
        return {
            "pk": keys.ticket_pk(self.digest),
            "sk": keys.TICKET_SK,
            "user_uuid": self.user_uuid,
            "expires_at": int(self.expires_at.timestamp()),
            "token_expires_at": int(self.token_expires_at.timestamp()),
        }

    @classmethod
    @_reads("a ticket")
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Return the ticket in `item`; raise UnreadableItemError where there is none."""
        return cls(
            digest=_text(item, "pk").removeprefix(keys.TICKET_PREFIX),
            user_uuid=_text(item, "user_uuid"),
            expires_at=datetime.fromtimestamp(int(item["expires_at"]), tz=UTC),
            token_expires_at=datetime.fromtimestamp(int(item["token_expires_at"]), tz=UTC),
        )


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A WebSocket that a user has open. There are two items of it: by its user, and by its id.

    Attributes
    ----------
    slot
        Its place among the connections of its user, of which there are `SLOTS`: the key itself
        keeps them from having more.
    expires_at
        When it ends. DynamoDB deletes it days later, so whoever reads it looks at this.
    """

    SLOTS: ClassVar = 10

    user_uuid: str
    slot: int
    connection_id: str
    connected_at: datetime
    expires_at: datetime

    def to_item(self) -> Item:
        """Return the item by its user; DynamoDB wants ``expires_at`` in seconds since 1970."""
        return {
            "pk": keys.connections_pk(self.user_uuid),
            "sk": keys.connections_sk(self.slot),
            **self._attributes(),
        }

    def to_item_by_id(self) -> Item:
        """Return the item by its id."""
        return {
            "pk": keys.connection_pk(self.connection_id),
            "sk": keys.CONNECTION_SK,
            **self._attributes(),
        }

    def _attributes(self) -> Item:
        return {
            "user_uuid": self.user_uuid,
            "slot": self.slot,
            "connection_id": self.connection_id,
            "connected_at": keys.format_time(self.connected_at),
            "expires_at": int(self.expires_at.timestamp()),
        }

    @classmethod
    @_reads("a connection")
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Return the connection in either of its items; raise UnreadableItemError otherwise."""
        return cls(
            user_uuid=_text(item, "user_uuid"),
            slot=int(item["slot"]),
            connection_id=_text(item, "connection_id"),
            connected_at=keys.parse_time(_text(item, "connected_at")),
            expires_at=datetime.fromtimestamp(int(item["expires_at"]), tz=UTC),
        )


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A stream record that can never succeed, parked for the operator.

    Attributes
    ----------
    message_group_uuid
        The record's sequence number when the record does not name its group.
    """

    time: datetime
    message_group_uuid: str
    reason: str
    record_keys: Item
    expires_at: datetime

    def to_item(self) -> Item:
        """Return the item; DynamoDB wants ``expires_at`` in seconds since 1970."""
        return {
            "pk": keys.FAILED_PK,
            "sk": keys.failed_sk(self.time, self.message_group_uuid),
            "reason": self.reason,
            "record_keys": self.record_keys,
            "expires_at": int(self.expires_at.timestamp()),
        }
