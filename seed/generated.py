"""Data for load tests: any number of users, groups and messages, the same for the same seed.

A message is computed from its group's uuid and its number, a group from the random seed and its two
users. So memory does not grow with the number of messages, the next run completes an interrupted
one, and a run with more messages adds the missing ones.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from messaging import keys
from messaging.entities import Members, Message, MessageGroupRow, Pair
from runtime.user import User

DEFAULT_RANDOM_SEED = 1

# Fixed, so that every run makes the same messages, and none in the future.
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
_WITHIN = timedelta(days=180)
_NAMESPACE = UUID("9c0a4c1e-6f0b-4f43-9a55-3f0a5d2b7c10")

_WORDS = [
    *("anchor", "bay", "boat", "buoy", "channel", "coral", "current", "dune", "ebb", "ferry"),
    *("fog", "gale", "harbour", "island", "jetty", "kelp", "mast", "mist", "net", "oar", "pier"),
    *("quay", "reef", "rope", "sail", "sand", "shell", "shore", "star", "tide", "wave", "wind"),
    *("again", "always", "early", "late", "maybe", "today", "tomorrow", "call", "leave", "meet"),
    *("see", "wait", "a", "and", "at", "not", "or", "our", "the", "to", "your"),
]
_MOST_WORDS = 20


class TooManyGroupsError(ValueError):
    """There are not that many pairs of users."""


@dataclass(frozen=True, kw_only=True)
class GeneratedGroup:
    """A generated message group: its two users, and how many messages it has."""

    uuid: str
    users: tuple[User, User]
    begins: datetime
    messages: int

    def message(self, number: int) -> Message:
        """Return the message `number`, counted from 0."""
        uuid = uuid5(UUID(self.uuid), str(number))
        chance = uuid.int
        created_at = self.begins + timedelta(seconds=37 * number + chance % 37)
        return Message.from_sender(
            self.users[chance & 1],
            message_group_uuid=self.uuid,
            sk=keys.message_sk(keys.Position(created_at, str(uuid))),
            message=_text(chance >> 8),
        )

    def pair(self) -> Pair:
        """Return the PAIR of the group."""
        one, other = self.users
        return Pair(user_uuids=(one.uuid, other.uuid), message_group_uuid=self.uuid)

    def members(self) -> Members:
        """Return the MEMBERS of the group."""
        return Members(
            message_group_uuid=self.uuid,
            member_uuids=frozenset(user.uuid for user in self.users),
            created_at=self.begins,
        )

    def rows(self) -> list[MessageGroupRow]:
        """Return both members' rows, at the last message."""
        one, other = self.users
        return [self._row(one, other), self._row(other, one)]

    def _row(self, owner: User, other: User) -> MessageGroupRow:
        newest_first = map(self.message, reversed(range(self.messages)))
        theirs = (message.place for message in newest_first if message.user_uuid == other.uuid)
        last = self.message(self.messages - 1)
        row = MessageGroupRow.for_owner(owner.uuid, other=other, last=last)
        return replace(row, their_sk=next(theirs, None))


def generated_user(random_seed: int, number: int) -> User:
    """Return the user `number`, counted from 0."""
    return User(
        uuid=str(uuid5(_NAMESPACE, f"{random_seed} user {number}")),
        handle=f"load-{random_seed}-{number}",
        display_name=f"Load {number}",
    )


def generated_groups(
    *, users: int, groups: int, messages: int, random_seed: int
) -> list[GeneratedGroup]:
    """Return the groups of a load; a few of them have most of the messages.

    Raises
    ------
    TooManyGroupsError
        There are fewer pairs of users than groups, or fewer messages than groups.
    """
    pairs = users * (users - 1) // 2
    if groups > pairs or groups > messages:
        raise TooManyGroupsError(
            f"{users} users make {pairs} pairs, and each of {groups} groups needs one, "
            f"and a message ({messages})"
        )
    chance = random.Random(random_seed)  # noqa: S311  # the same again is the point
    found = chance.sample(range(pairs), groups)
    counts = [1] * groups
    for _ in range(messages - groups):
        counts[int(groups * chance.random() ** 2)] += 1
    return [
        _group(random_seed, _pair(pair), count) for pair, count in zip(found, counts, strict=True)
    ]


def generated_messages(groups: list[GeneratedGroup]) -> Iterator[Message]:
    """Yield the messages of the groups."""
    for group in groups:
        for number in range(group.messages):
            yield group.message(number)


def _group(random_seed: int, pair: tuple[int, int], messages: int) -> GeneratedGroup:
    one, other = pair
    uuid = uuid5(_NAMESPACE, f"{random_seed} group {one} {other}")
    return GeneratedGroup(
        uuid=str(uuid),
        users=(generated_user(random_seed, one), generated_user(random_seed, other)),
        begins=_BEGIN + timedelta(seconds=uuid.int % int(_WITHIN.total_seconds())),
        messages=messages,
    )


def _pair(number: int) -> tuple[int, int]:
    """Return the pair `number` of (0, 1), (0, 2), (1, 2), (0, 3), …"""
    other = (1 + math.isqrt(1 + 8 * number)) // 2
    return number - other * (other - 1) // 2, other


def _text(chance: int) -> str:
    words = []
    for _ in range(1 + chance % _MOST_WORDS):
        chance, word = divmod(chance, len(_WORDS))
        words.append(_WORDS[word])
    return " ".join(words).capitalize() + "."
