"""What reconcile keeps of a group's messages, in one pass over them.

However many messages there are, only each sender's newest is kept, and each sender's newest that is
not young. Every sk in a digest is in canonical form, whatever its form in the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from messaging import keys
from messaging.entities import Message, preview
from messaging.errors import UnreadableItemError

# E usually moves rows within a second or two. A younger message may still wait for it, so it is no
# difference yet if a row does not show it.
LAG = timedelta(minutes=1)
UNREADABLE_KEPT = 100


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How to read times.

    Attributes
    ----------
    naive_zone
        The time zone of times without an offset.
    lag
        How old a message has to be before its absence from the rows is a difference.
    """

    naive_zone: tzinfo = UTC
    lag: timedelta = LAG

    def is_young(self, time: datetime, now: datetime) -> bool:
        """Tell whether E may still be busy with what was written at `time`.

        A time far in the future does not count as young: a clock or a zone is wrong.
        """
        return abs(now - time) < self.lag

    def place(self, sk: str, *, message_uuid: str = "") -> str:
        """Return `sk` in canonical form: the place of a message.

        Parameters
        ----------
        message_uuid
            The message at `sk`, for a key of an existing table, which does not have its uuid.

        Raises
        ------
        ValueError
            `sk` does not begin with a time.
        """
        position = keys.parse_message_sk(sk, naive_zone=self.naive_zone)
        message_uuid = position.message_uuid or message_uuid
        return keys.message_sk(replace(position, message_uuid=message_uuid))

    def message(self, item: Mapping[str, Any]) -> Message:
        """Return the message in `item`, with the key that it should have.

        Raises
        ------
        UnreadableItemError, ValueError
            `item` is not a message that the API can show.
        """
        message = Message.from_item(item)
        if item["pk"] != keys.message_pk(message.message_group_uuid):
            raise UnreadableItemError(
                "its pk is not in canonical form, so that the API cannot find it"
            )
        return replace(message, sk=self.place(message.sk, message_uuid=message.message_uuid))


@dataclass(kw_only=True)
class Digest:
    """The messages of one group; their texts are cut to what a group row shows of them.

    Attributes
    ----------
    newest_by, settled_by
        Each sender's newest message, and each sender's newest that was not young when it was read.
    first
        When the first message was written.
    misplaced
        How many messages have an sk that is not in canonical form.
    misplaced_example
        One such sk.
    unreadable
        The keys of items that should be messages and cannot be read as such; a hundred at most.
    """

    newest_by: dict[str, Message] = field(default_factory=dict)
    settled_by: dict[str, Message] = field(default_factory=dict)
    first: datetime | None = None
    misplaced: int = 0
    misplaced_example: str = ""
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def add(self, item: Mapping[str, Any], *, rules: Rules, now: datetime) -> None:
        """Take a message's item into account."""
        try:
            message = rules.message(item)
        except (UnreadableItemError, ValueError):
            if len(self.unreadable) < UNREADABLE_KEPT:
                self.unreadable.append((str(item["pk"]), str(item["sk"])))
            return
        if item["sk"] != message.sk:
            self.misplaced += 1
            self.misplaced_example = item["sk"]
        message = replace(message, message=preview(message.message))
        created_at = message.position.created_at
        self.first = min(self.first or created_at, created_at)
        _keep_newest(self.newest_by, message)
        if not rules.is_young(created_at, now):
            _keep_newest(self.settled_by, message)

    @property
    def newest(self) -> Message | None:
        """The last message of the group."""
        return max(self.newest_by.values(), key=lambda message: message.sk, default=None)

    def settled(self, *, rules: Rules, now: datetime) -> list[Message]:
        """Return each sender's newest message that is not young, if it is known."""
        return [
            message
            for user, newest in self.newest_by.items()
            if (message := self.settled_by.get(user) if _is_young(newest, rules, now) else newest)
        ]


def _is_young(message: Message, rules: Rules, now: datetime) -> bool:
    return rules.is_young(message.position.created_at, now)


def _keep_newest(messages: dict[str, Message], message: Message) -> None:
    known = messages.get(message.user_uuid)
    if known is None or known.sk < message.sk:
        messages[message.user_uuid] = message
