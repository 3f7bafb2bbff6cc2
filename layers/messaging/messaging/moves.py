"""Moving the rows of a message group forward to its newest message, exactly.

A move replaces precisely the rows that a view of the index showed by one row a member, in one
transaction: after a crash, a repeat, a reordering or a stale read at any point the rows are
either where they were or where they belong.

- Delete before put, outside a transaction: a crash between the two loses the group; the
  repeat finds nothing in the index.
- Put before delete: a lagging index shows no old row, and the group stands twice.
- A view that lacks a member's row: every condition holds, the other member's row moves, and
  this member's is stale for ever.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from messaging import keys
from messaging.entities import Item, Message, MessageGroup, moved_row
from messaging.repository import Repository

# An index is usually a few milliseconds behind its table, seconds at the worst: the pauses add
# up to 7 s at most before a group is left to the next try of its record.
VIEWS = 9
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0


class Outcome(Enum):
    """How a move ended."""

    MOVED = "moved"
    ALREADY_THERE = "already there"
    INDEX_BEHIND = "index behind"
    NO_MEMBERS = "no members"


@dataclass(frozen=True, kw_only=True)
class Move:
    """What a move did.

    Attributes
    ----------
    views
        How often the index was asked.
    conflicts
        How often a row of the view was gone when it was to be replaced.
    """

    outcome: Outcome
    views: int
    conflicts: int


def move_group_rows(
    repository: Repository,
    messages: Sequence[Message],
    *,
    sleep: Callable[[float], None],
    seconds_left: Callable[[], float],
) -> Move:
    """Move the rows of all members to the newest of `messages`, unless they are at or past it.

    Parameters
    ----------
    messages
        New messages of one group, in any order; at least one.
    sleep
        Waits so many seconds.
    seconds_left
        What the caller has left; no pause is begun that reaches beyond it.

    Raises
    ------
    TryAgainError
        The table does not answer for now; nothing was done, or all of it.
    UnreadableItemError
        The index shows a group row that lacks what a group row has.
    """
    target = max(messages, key=lambda message: message.position)
    conflicts = 0
    members = None
    for view in range(1, VIEWS + 1):
        rows = _rows_by_owner(repository.query_group_rows(target.message_group_uuid))
        members = _members_in(rows) or members or _members_of(repository, target)
        if members and members <= rows.keys():
            old, new = _replacement([rows[member] for member in sorted(members)], messages, target)
            if not new:
                return Move(outcome=Outcome.ALREADY_THERE, views=view, conflicts=conflicts)
            if repository.replace_group_rows(old, new):
                return Move(outcome=Outcome.MOVED, views=view, conflicts=conflicts)
            conflicts += 1
        pause = random.uniform(0, min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (view - 1)))  # noqa: S311  # jitter
        if view == VIEWS or seconds_left() < pause:
            break
        sleep(pause)
    outcome = Outcome.INDEX_BEHIND if members else Outcome.NO_MEMBERS
    return Move(outcome=outcome, views=view, conflicts=conflicts)


def _rows_by_owner(items: Sequence[Item]) -> dict[str, list[Item]]:
    """Return the group rows among `items` by the uuid of their owner.

    Anything else in the index is not ours to touch.
    """
    rows: dict[str, list[Item]] = {}
    for item in items:
        if item["pk"].startswith(keys.MESSAGE_GROUP_PREFIX):
            rows.setdefault(MessageGroup.from_item(item).owner_uuid, []).append(item)
    return rows


def _members_in(rows: dict[str, list[Item]]) -> set[str]:
    """Return the members that the rows tell of: one's owner is the other's ``user_uuid``."""
    others = {MessageGroup.from_item(row).user_uuid for group in rows.values() for row in group}
    return rows.keys() | others


def _members_of(repository: Repository, target: Message) -> set[str]:
    members = repository.get_members(target.message_group_uuid)
    return set(members.member_uuids) if members else set()


def _replacement(
    members_rows: Sequence[list[Item]], messages: Sequence[Message], target: Message
) -> tuple[list[Item], list[Item]]:
    """Return the rows to delete and the rows to put; a member at or past `target` has none."""
    old: list[Item] = []
    new: list[Item] = []
    for rows in members_rows:
        newest = max(rows, key=lambda row: keys.parse_message_sk(row["sk"]))
        position = keys.parse_message_sk(newest["sk"])
        if position < target.position:
            others = [
                message
                for message in messages
                if message.user_uuid == newest["user_uuid"] and position < message.position
            ]
            others_last = max(others, key=lambda message: message.position, default=None)
            old.extend(rows)
            new.append(moved_row(newest, target, others_last))
    return old, new
