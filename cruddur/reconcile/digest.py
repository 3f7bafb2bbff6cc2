"""What reconcile needs to know of a group's messages, gathered in one pass over them.

The pass is streamed: of however many messages, the newest is kept, the newest that is not young,
and the names that each sender had in theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self

from messaging import keys
from messaging.entities import Message, preview
from messaging.errors import UnreadableItemError

# The stream's function is usually done within a second or two. What is younger than this is
# its business, and no difference yet.
LAG = timedelta(minutes=1)
UNREADABLE_KEPT = 100


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How to read times.

    Attributes
    ----------
    naive_zone
        What a time without an offset is taken for.
    lag
        The age from which on a difference is one.
    """

    naive_zone: tzinfo = UTC
    lag: timedelta = LAG

    def is_young(self, time: datetime, now: datetime) -> bool:
        """Tell whether the stream's function may still be busy with what was written at `time`.

        A time that lies further ahead than that is a clock's or a zone's error, not youth.
        """
        return abs(now - time) < self.lag

    def position(self, sk: str) -> keys.Position:
        """Return the position that `sk` names, or raise ValueError."""
        return keys.parse_message_sk(sk, naive_zone=self.naive_zone)


@dataclass(frozen=True, kw_only=True)
class Name:
    """How someone was called when they wrote at `position`, or in a row that stands there."""

    position: keys.Position
    display_name: str
    handle: str


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A message, its text cut to what a group row shows of it."""

    message: Message
    position: keys.Position

    @property
    def order(self) -> tuple[keys.Position, str]:
        """The message's place: E's order, and where two bare keys tie, the message's uuid."""
        return self.position, self.message.message_uuid

    @property
    def sks(self) -> tuple[str, ...]:
        """The sort keys at which a group row shows this message, the best first.

        That is the message's own sk. A key that others wrote may be in a local offset, in none,
        or of another width, where string order is not time order and E reads another instant;
        and a bare one may be another group's, too. The message's place in full,
        ``<UTC time>#<message_uuid>``, is none of that; for every message that this application
        writes both are the same.
        """
        full = keys.message_sk(
            replace(
                self.position,
                message_uuid=self.position.message_uuid or self.message.message_uuid,
            )
        )
        own = self.message.sk
        is_utc = own.startswith(keys.format_time(self.position.created_at))
        return (own, full) if is_utc and own != full else (full,)

    @classmethod
    def in_item(cls, item: Mapping[str, Any], *, rules: Rules) -> Self:
        """Return what is kept of the message in `item`.

        Raises
        ------
        UnreadableItemError, ValueError
            `item` is not a message that the API can show.
        """
        message = Message.from_item(item)
        if item["pk"] != keys.message_pk(message.message_group_uuid):
            raise UnreadableItemError("the API asks for another spelling of this key")
        return cls(
            message=replace(message, message=preview(message.message)),
            position=rules.position(message.sk),
        )


@dataclass(kw_only=True)
class Digest:
    """The messages of one group.

    Attributes
    ----------
    settled
        The newest message that was not young when it was read: no row is behind it by lag.
    first
        When the first message was written.
    newest_by, settled_by
        The names in each sender's newest message, and in their newest that was not young.
    unreadable
        The keys of what stands among the messages and is none, a hundred at most.
    """

    newest: Seen | None = None
    settled: Seen | None = None
    first: datetime | None = None
    newest_by: dict[str, Name] = field(default_factory=dict)
    settled_by: dict[str, Name] = field(default_factory=dict)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def add(self, item: Mapping[str, Any], *, rules: Rules, now: datetime) -> None:
        """Take a message's item into account."""
        try:
            seen = Seen.in_item(item, rules=rules)
        except (UnreadableItemError, ValueError):
            if len(self.unreadable) < UNREADABLE_KEPT:
                self.unreadable.append((str(item["pk"]), str(item["sk"])))
            return
        message, position = seen.message, seen.position
        name = Name(
            position=position,
            display_name=message.user_display_name,
            handle=message.user_handle,
        )
        if self.first is None or position.created_at < self.first:
            self.first = position.created_at
        if self.newest is None or self.newest.order < seen.order:
            self.newest = seen
        keep_newest(self.newest_by, message.user_uuid, name)
        if rules.is_young(position.created_at, now):
            return
        if self.settled is None or self.settled.order < seen.order:
            self.settled = seen
        keep_newest(self.settled_by, message.user_uuid, name)

    def floor(self, *, rules: Rules, now: datetime) -> Seen | None:
        """Return the message that every row has to show, or a newer one.

        It is the newest, unless that is young; None when all messages are.
        """
        if self.newest and not rules.is_young(self.newest.position.created_at, now):
            return self.newest
        return self.settled


def keep_newest(names: dict[str, Name], user_uuid: str, name: Name) -> None:
    """Take `name` as a user's, unless a newer one is known."""
    known = names.get(user_uuid)
    if known is None or known.position <= name.position:
        names[user_uuid] = name
