"""Reads through all pages, with their cost; and writes of any number of items, in batches."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from commands.command import Run
from messaging.attributes import from_dynamodb, to_dynamodb
from messaging.entities import Item
from runtime.errors import TryAgainError

# DynamoDB takes no more in one BatchWriteItem.
BATCH_ITEMS = 25
_ATTEMPTS = 10
_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 5.0


class Reading:
    """A Query or a Scan through all its pages.

    Attributes
    ----------
    capacity
        Read units that were consumed so far.
    """

    def __init__(self, call: Callable[..., Any], **arguments: Any) -> None:
        self._call = call
        self._arguments = arguments | {"ReturnConsumedCapacity": "TOTAL"}
        self.capacity = 0.0

    def items(self) -> Iterator[Item]:
        """Yield the items."""
        arguments = dict(self._arguments)
        while True:
            page = self._call(**arguments)
            self.capacity += page.get("ConsumedCapacity", {}).get("CapacityUnits", 0)
            yield from map(from_dynamodb, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def cost(run: Run, reading: Reading) -> str:
    """Return the end of a sentence with the cost of a reading; empty locally, where it is free."""
    return f", {reading.capacity:g} read units" if run.target.on_aws else ""


class BatchWriter:
    """Writes batches of at most `BATCH_ITEMS` items, until none is left unprocessed.

    Puts are unconditional: an item with the same key is replaced.
    """

    def __init__(
        self, client: Any, table_name: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._sleep = sleep

    def put(self, items: Sequence[Item]) -> int:
        """Put items; return how many.

        Raises
        ------
        TryAgainError
            Some are left after many attempts: the table is throttled.
        """
        return self._write([{"PutRequest": {"Item": to_dynamodb(item)}} for item in items])

    def delete(self, keys: Sequence[Item]) -> int:
        """Delete the items with these keys; return how many. Raises as `put`."""
        return self._write([{"DeleteRequest": {"Key": to_dynamodb(key)}} for key in keys])

    def _write(self, requests: list[Any]) -> int:
        left = {self._table_name: requests}
        for attempt in range(_ATTEMPTS):
            left = self._client.batch_write_item(RequestItems=left).get("UnprocessedItems")
            if not left:
                return len(requests)
            longest = min(_LONGEST_PAUSE_SECONDS, _PAUSE_SECONDS * 2.0**attempt)
            self._sleep(random.uniform(0, longest))  # noqa: S311  # jitter
        raise TryAgainError
