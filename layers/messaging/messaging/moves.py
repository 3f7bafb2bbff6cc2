"""Moving one row of a message group forward, exactly.

A row never changes its key. Its place in its owner's list is a register that only goes forward,
set by one write on the condition that it does go forward. Such a write is the same whether it is
done once or often, in which order, and however late: after a crash, a repeat or a reordering at
any point the row is where it was or where it belongs, and the next delivery completes it.

- Without the condition, a late or repeated record moves a row backwards.
- Deleting a row and putting it anew, as keys that hold the place need it, loses the conversation
  in a crash between the two, shows it twice the other way round, and undoes what its owner has
  set in it meanwhile.
"""

from collections.abc import Sequence

from messaging.entities import Advance
from messaging.errors import UnreadableItemError
from messaging.repository import Repository


def move_row(
    repository: Repository, owner_uuid: str, message_group_uuid: str, steps: Sequence[Advance]
) -> bool:
    """Take those of `steps` that lead forward; tell whether there was one.

    All of them take one write. Where the row is past some, the rest takes another.

    Raises
    ------
    TryAgainError
        The table does not answer for now.
    UnreadableItemError
        There is no row, or none that has a place; `reconcile` repairs it.
    """
    left = list(steps)
    while left:
        row = repository.advance_row(owner_uuid, message_group_uuid, left)
        if row is None:
            return True
        if "last_sk" not in row:
            raise UnreadableItemError("a row without a place" if row else "no row")
        ahead = [step for step in left if not step.is_done_in(row)]
        if ahead == left:
            raise UnreadableItemError("a row that does not move")
        left = ahead
    return False
