"""What members mark in their own rows, and what follows from it: what is unread, what was seen.

A row belongs to one member. What they mark in it is written by them alone, and the stream's
function writes the rest, so that neither undoes the other (`Marks` in `entities`). Everything goes
by position: a message that is stored at a place which is marked as read counts as read.

Every function may raise `TryAgainError`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from messaging import keys, membership
from messaging.entities import Marking, Members, MessageGroupRow
from messaging.errors import UnreadableItemError
from messaging.repository import Repository
from runtime import side_by_side
from runtime.errors import InvalidRequestError
from runtime.user import User


@dataclass(frozen=True, kw_only=True)
class MarkedMessageGroup:
    """A message group as one of its members sees it.

    Attributes
    ----------
    unread_count
        How many messages of the other member are unread, at most `MOST_COUNTED`.
    shares_receipts
        Both members let the other know how far they have read.
    seen_up_to
        How far the other has read: their last message; None for none, or where that is not shared.
    """

    row: MessageGroupRow
    unread_count: int
    shares_receipts: bool
    seen_up_to: keys.Position | None


def get_message_group(
    repository: Repository, caller: User, message_group_uuid: str
) -> MarkedMessageGroup:
    """Return a group as the caller sees it, as last written.

    Raises
    ------
    MessageGroupNotFoundError
        There is no such group, or the caller is not in it.
    UnreadableItemError
        The caller is in it, but has no row: `reconcile` writes it.
    """
    return _read(repository, caller, membership.require(repository, message_group_uuid, caller))


def mark_message_group(
    repository: Repository,
    caller: User,
    message_group_uuid: str,
    marking: Marking,
    *,
    now: datetime,
) -> MarkedMessageGroup:
    """Mark a group for the caller, and return it as they see it then.

    Raises
    ------
    MessageGroupNotFoundError
        There is no such group, or the caller is not in it.
    InvalidRequestError
        ``read_up_to_in_future``: nobody has read what will be written.
    UnreadableItemError
        The caller is in it, but has no row: `reconcile` writes it.
    """
    members = membership.require(repository, message_group_uuid, caller)
    if _is_in_future(repository, members.message_group_uuid, marking, now):
        raise InvalidRequestError(["read_up_to_in_future"])
    mark_row(repository, caller.uuid, members.message_group_uuid, marking)
    return _read(repository, caller, members)


def _is_in_future(repository: Repository, group: str, marking: Marking, now: datetime) -> bool:
    """Tell whether `marking` reads further than now and than any message.

    The clock of the function that stored a message may have been ahead of this one's.
    """
    if marking.read_sk is None or keys.parse_message_sk(marking.read_sk).created_at <= now:
        return False
    return repository.get_message(group, marking.read_sk) is None


def mark_row(
    repository: Repository, owner_uuid: str, message_group_uuid: str, marking: Marking
) -> None:
    """Mark a row for its owner.

    What they have read never goes back. Where they have read as far already, only the flags of
    `marking` are written, and only where that changes something.

    Raises
    ------
    UnreadableItemError
        There is no such row.
    """
    row = repository.mark_row(owner_uuid, message_group_uuid, marking)
    if row and marking.read_sk is not None:
        left = marking.without_reading(row)
        row = repository.mark_row(owner_uuid, message_group_uuid, left) if left.flags else None
    if row is not None:
        raise UnreadableItemError("no row")


def count_unread(repository: Repository, rows: Sequence[MessageGroupRow]) -> Mapping[str, int]:
    """Return how many messages are unread in each of `rows`, by the group's uuid.

    Only rows with news are asked about, side by side.
    """
    counts = {row.message_group_uuid: 0 for row in rows}
    asked = [row for row in rows if row.has_news]
    found = side_by_side.run(lambda row: _count(repository, row), asked)
    return counts | {row.message_group_uuid: count for row, count in zip(asked, found, strict=True)}


def _count(repository: Repository, row: MessageGroupRow) -> int:
    if not row.has_news or row.their_sk is None:
        return 0
    return repository.count_messages(
        row.message_group_uuid, row.user_uuid, behind=row.marks.read_sk, up_to=row.their_sk
    )


def _read(repository: Repository, caller: User, members: Members) -> MarkedMessageGroup:
    group = members.message_group_uuid
    sides = repository.get_sides(group, members.member_uuids)
    mine = sides.pop(caller.uuid)
    (theirs,) = sides.values()
    if mine.row is None:
        raise UnreadableItemError("no row")
    shares_receipts = mine.settings.read_receipts and theirs.settings.read_receipts
    seen = theirs.row.marks.read_up_to if theirs.row and shares_receipts else None
    return MarkedMessageGroup(
        row=mine.row,
        unread_count=_count(repository, mine.row),
        shares_receipts=shares_receipts,
        seen_up_to=seen,
    )
