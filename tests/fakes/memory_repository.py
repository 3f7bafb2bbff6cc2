"""`Repository` in memory: the fake passes the same contract as the table (test_repository)."""

from collections.abc import Sequence

from messaging import keys
from messaging.entities import Failed, Item, Members, Message, MessageGroup, Pair, Sent
from messaging.repository import Page, PageRequest


class MemoryRepository:
    """A table as a dictionary, and an index that is never behind it."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}

    def list_messages(self, message_group_uuid: str, request: PageRequest) -> Page[Message]:
        page = self._page(keys.message_pk(message_group_uuid), request)
        return Page(rows=[Message.from_item(i) for i in page.rows], has_older=page.has_older)

    def list_message_groups(self, user_uuid: str, request: PageRequest) -> Page[MessageGroup]:
        page = self._page(keys.message_group_pk(user_uuid), request)
        return Page(rows=[MessageGroup.from_item(i) for i in page.rows], has_older=page.has_older)

    def get_message(self, message_group_uuid: str, sk: str) -> Message | None:
        item = self.items.get((keys.message_pk(message_group_uuid), sk))
        return Message.from_item(item) if item else None

    def get_members(self, message_group_uuid: str) -> Members | None:
        item = self.items.get((keys.members_pk(message_group_uuid), keys.MEMBERS_SK))
        return Members.from_item(item) if item else None

    def create_message_group(
        self, pair: Pair, members: Members, rows: Sequence[MessageGroup], first: Message
    ) -> str:
        existing = self.items.get((keys.pair_pk(*pair.user_uuids), keys.PAIR_SK))
        if existing:
            return Pair.group_in(existing)
        row_items = [row.to_item() for row in rows]
        for item in (pair.to_item(), members.to_item(), *row_items, first.to_item()):
            self._put(item)
        return pair.message_group_uuid

    def put_message(self, message: Message) -> None:
        self._put(message.to_item())

    def put_sent(self, sent: Sent) -> Sent | None:
        item = sent.to_item()
        existing = self.items.get((item["pk"], item["sk"]))
        if existing:
            return Sent.from_item(existing)
        self._put(item)
        return None

    def query_group_rows(self, message_group_uuid: str) -> list[Item]:
        rows = [
            dict(item)
            for item in self.items.values()
            if item.get("message_group_uuid") == message_group_uuid
        ]
        return sorted(rows, key=lambda item: str(item["sk"]))

    def replace_group_rows(self, old: Sequence[Item], new: Sequence[Item]) -> bool:
        if any((row["pk"], row["sk"]) not in self.items for row in old):
            return False
        if any((row["pk"], row["sk"]) in self.items for row in new):
            return False
        for row in old:
            del self.items[row["pk"], row["sk"]]
        for row in new:
            self._put(row)
        return True

    def put_failed(self, failed: Failed) -> None:
        self._put(failed.to_item())

    def _put(self, item: Item) -> None:
        self.items[item["pk"], item["sk"]] = dict(item)

    def _page(self, pk: str, request: PageRequest) -> Page[Item]:
        rows = sorted(
            (item for (item_pk, _), item in self.items.items() if item_pk == pk),
            key=lambda item: str(item["sk"]),
            reverse=True,
        )
        if request.sk is not None and request.newer:
            newer = [row for row in rows if row["sk"] > request.sk]
            page = newer[-request.limit :]
            return Page(rows=page, has_older=bool(page))
        older = [row for row in rows if request.sk is None or row["sk"] < request.sk]
        return Page(rows=older[: request.limit], has_older=len(older) > request.limit)
