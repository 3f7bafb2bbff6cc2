"""`Repository` in memory: the fake passes the same contract as the table (test_repository)."""

from collections.abc import Sequence

from messaging import keys
from messaging.entities import (
    Advance,
    Failed,
    Item,
    Members,
    Message,
    MessageGroupRow,
    NamedSend,
    Pair,
)
from messaging.repository import Page, PageRequest, Repository


class MemoryRepository(Repository):
    """A table as a dictionary, and indexes that are never behind it."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}

    def list_messages(self, message_group_uuid: str, request: PageRequest) -> Page[Message]:
        page = self._rows(keys.message_pk(message_group_uuid), "sk", request)
        return Page(rows=[Message.from_item(i) for i in page.rows], has_older=page.has_older)

    def list_message_groups(self, user_uuid: str, request: PageRequest) -> Page[MessageGroupRow]:
        page = self._rows(keys.message_group_pk(user_uuid), "last_sk", request)
        return Page(
            rows=[MessageGroupRow.from_item(i) for i in page.rows], has_older=page.has_older
        )

    def get_message(self, message_group_uuid: str, sk: str) -> Message | None:
        item = self.items.get((keys.message_pk(message_group_uuid), sk))
        return Message.from_item(item) if item else None

    def get_members(self, message_group_uuid: str) -> Members | None:
        item = self.items.get((keys.members_pk(message_group_uuid), keys.MEMBERS_SK))
        return Members.from_item(item) if item else None

    def create_message_group(
        self,
        pair: Pair,
        members: Members,
        rows: Sequence[MessageGroupRow],
        first: Message,
        named: NamedSend | None = None,
    ) -> NamedSend | Pair | None:
        if earlier := self._earlier(named):
            return earlier
        standing = self.items.get((keys.pair_pk(*pair.user_uuids), keys.PAIR_SK))
        if standing:
            return Pair(user_uuids=pair.user_uuids, message_group_uuid=Pair.group_in(standing))
        self.put(pair, members, *rows, first, *([named] if named else []))
        return None

    def put_message(self, message: Message) -> None:
        self.put(message)

    def put_named_message(self, message: Message, named: NamedSend) -> NamedSend | None:
        if earlier := self._earlier(named):
            return earlier
        self.put(message, named)
        return None

    def query_row_owners(self, message_group_uuid: str) -> frozenset[str]:
        pks = [
            item["pk"]
            for item in self.items.values()
            if item.get("message_group_uuid") == message_group_uuid
        ]
        return frozenset(filter(None, map(keys.owner_in, pks)))

    def advance_row(
        self, owner_uuid: str, message_group_uuid: str, steps: Sequence[Advance]
    ) -> Item | None:
        key = keys.message_group_pk(owner_uuid), keys.message_group_sk(message_group_uuid)
        row = self.items.get(key, {})
        if "last_sk" not in row or not all(_is_forward(row, step) for step in steps):
            return dict(row)
        moved = dict(row)
        for step in steps:
            moved |= {step.register: step.to, **step.with_it}
        self.items[key] = moved
        return None

    def put_failed(self, failed: Failed) -> None:
        self.put(failed)

    def put(
        self, *entities: Message | MessageGroupRow | Members | Pair | NamedSend | Failed | Item
    ) -> None:
        """Write entities, or items as they are, over whatever stands there."""
        for entity in entities:
            item = entity if isinstance(entity, dict) else entity.to_item()
            self.items[item["pk"], item["sk"]] = dict(item)

    def _earlier(self, named: NamedSend | None) -> NamedSend | None:
        standing = (
            self.items.get((keys.sent_pk(named.user_uuid), named.message_uuid)) if named else {}
        )
        return NamedSend.from_item(standing) if standing else None

    def _rows(self, pk: str, sort: str, request: PageRequest) -> Page[Item]:
        rows = sorted(
            (item for item in self.items.values() if item["pk"] == pk and sort in item),
            key=lambda item: str(item[sort]),
            reverse=True,
        )
        if request.sk is not None and request.newer:
            newer = [row for row in rows if row[sort] > request.sk]
            page = newer[-request.limit :]
            return Page(rows=page, has_older=bool(page))
        older = [row for row in rows if request.sk is None or row[sort] < request.sk]
        return Page(rows=older[: request.limit], has_older=len(older) > request.limit)


def _is_forward(row: Item, step: Advance) -> bool:
    """Tell what DynamoDB's condition tells: strings are compared with strings only."""
    place = row.get(step.register, "")
    return isinstance(place, str) and place < step.to
