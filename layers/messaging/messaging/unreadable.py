"""Items that lack what their kind has, because somebody wrote them past the API.

One such item keeps nobody from what stands beside it: it is left out of what people see, and the
operator is told (UnreadableItems in template.yaml counts the line in the log).
"""

from collections.abc import Callable, Iterable

from aws_lambda_powertools import Logger

from messaging.entities import Item
from messaging.errors import UnreadableItemError

# What is wrong in an item may be quoted in the reason, and be as long as an item.
REASON_CHARACTERS = 200

logger = Logger()


def readable[Entity](items: Iterable[Item], read: Callable[[Item], Entity]) -> list[Entity]:
    """Return what `read` makes of those items that it can read."""
    entities = (read_or_report(item, read) for item in items)
    return [entity for entity in entities if entity is not None]


def read_or_report[Entity](item: Item, read: Callable[[Item], Entity]) -> Entity | None:
    """Return what `read` makes of an item; None where it cannot read it, which is logged."""
    try:
        return read(item)
    except UnreadableItemError as error:
        report(item["pk"], item["sk"], reason=str(error))
        return None


def report(pk: str, sk: str, *, reason: str) -> None:
    """Tell the operator of an item that cannot be used."""
    found = {"pk": pk, "sk": sk, "reason": reason[:REASON_CHARACTERS]}
    logger.error("unreadable item", extra=found)
