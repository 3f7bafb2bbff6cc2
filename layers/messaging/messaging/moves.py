"""Moving one row of a message group forward, exactly.

A row keeps its key. Its place in its owner's list is an attribute that only goes forward: one
conditional write sets it. It does not matter how often such a write is made, in which order, or how
late. After a crash, a repeat or a reordering the row is where it was or where it belongs, and the
next delivery does the rest. docs/decisions.md has what was tried before.
"""

from collections.abc import Sequence

from messaging.entities import Advance
from messaging.errors import UnreadableItemError
from messaging.repository import Repository


def move_row(
    repository: Repository, owner_uuid: str, message_group_uuid: str, steps: Sequence[Advance]
) -> bool:
    """Take those of `steps` that lead forward; tell whether there was one.

    This is one write, and another one when the row is already past some of the steps.

    Raises
    ------
    TryAgainError
        The table does not answer for now.
    UnreadableItemError
        There is no such row, or it has no place; `reconcile` repairs it.
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
