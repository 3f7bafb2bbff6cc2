"""`Table` in memory: the fake passes the same contract as the table (test_reconcile_table)."""

from collections.abc import Iterator, Sequence

from commands.reconcile.plan import Write
from commands.reconcile.snapshot import Key
from commands.reconcile.table import TRANSACTION_ITEMS, Table
from messaging import keys
from messaging.entities import Item
from tests.fakes.memory_repository import MemoryRepository


class MemoryTable(MemoryRepository, Table):
    """What reconcile calls, on the dictionary."""

    def scan(self) -> Iterator[list[Item]]:
        yield [dict(item) for item in self.items.values()]

    def item_count(self) -> int:
        return len(self.items)

    def messages(self, message_group_uuid: str) -> Iterator[Item]:
        return self._partition(keys.message_pk(message_group_uuid))

    def failed(self) -> Iterator[Item]:
        return self._partition(keys.FAILED_PK)

    def row_keys(self, message_group_uuid: str) -> list[Key]:
        return [
            key
            for key, item in self.items.items()
            if item.get("message_group_uuid") == message_group_uuid
            and key[0].startswith(keys.MESSAGE_GROUP_PREFIX)
        ]

    def rows_with(self, owner_uuid: str, other_uuid: str) -> Iterator[Item]:
        rows = self._partition(keys.message_group_pk(owner_uuid))
        return (row for row in rows if row.get("user_uuid") == other_uuid)

    def get(self, pk: str, sk: str) -> Item | None:
        item = self.items.get((pk, sk))
        return dict(item) if item else None

    def write(self, writes: Sequence[Write]) -> bool:
        writes = writes[:TRANSACTION_ITEMS]
        if not all(_holds(write, self.items.get(write.key)) for write in writes):
            return False
        for write in writes:
            old = self.items.pop(write.key, {})
            if write.new is not None:
                named = write.old or {}
                kept = {name: value for name, value in old.items() if name not in named}
                self.items[write.key] = kept | write.new
        return True

    def _partition(self, pk: str) -> Iterator[Item]:  # type: ignore[override]  # no filter here
        items = sorted(
            (dict(item) for item in self.items.values() if item["pk"] == pk),
            key=lambda item: str(item["sk"]),
        )
        return iter(items)


def _holds(write: Write, item: Item | None) -> bool:
    if item is None or write.old is None:
        return item is None and write.old is None
    names = {*write.old, *(write.new or {})}
    return {n: item[n] for n in names if n in item} == write.old
