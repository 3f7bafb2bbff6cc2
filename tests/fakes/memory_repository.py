"""`Repository` in memory: the fake passes the same contract as the table (test_repository)."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from messaging import keys
from messaging.entities import (
    Advance,
    Connection,
    Failed,
    Item,
    Marking,
    Members,
    Message,
    MessageGroupRow,
    NamedSend,
    Pair,
    Settings,
    Ticket,
)
from messaging.repository import (
    MOST_COUNTED,
    MOST_LOOKED_AT,
    NewMessageGroup,
    Page,
    PageRequest,
    Repository,
    Side,
)
from messaging.unreadable import read_or_report, readable


class MemoryRepository(Repository):
    """A table as a dictionary, and indexes that are never behind it."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}

    def list_messages(self, message_group_uuid: str, request: PageRequest) -> Page[Message]:
        return self._rows(keys.message_pk(message_group_uuid), "sk", request, Message.from_item)

    def list_message_groups(self, user_uuid: str, request: PageRequest) -> Page[MessageGroupRow]:
        pk = keys.message_group_pk(user_uuid)
        return self._rows(pk, "last_sk", request, MessageGroupRow.from_item)

    def get_message(self, message_group_uuid: str, sk: str) -> Message | None:
        item = self.items.get((keys.message_pk(message_group_uuid), sk))
        return read_or_report(item, Message.from_item) if item else None

    def get_members(self, message_group_uuid: str) -> Members | None:
        item = self.items.get((keys.members_pk(message_group_uuid), keys.MEMBERS_SK))
        return Members.from_item(item) if item else None

    def create_message_group(self, make: Callable[[], NewMessageGroup]) -> NamedSend | Pair | None:
        new = make()
        if earlier := self._earlier(new.named):
            return earlier
        users = new.pair.user_uuids
        standing = self.items.get((keys.pair_pk(*users), keys.PAIR_SK))
        if standing:
            return Pair(user_uuids=users, message_group_uuid=Pair.group_in(standing))
        self.put(new.pair, new.members, *new.rows, new.first, *([new.named] if new.named else []))
        return None

    def put_message(self, message: Message) -> None:
        self.put(message)

    def put_named_message(self, make: Callable[[], tuple[Message, NamedSend]]) -> NamedSend | None:
        message, named = make()
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
        ahead = all(_goes_forward(row, step.register, step.to) for step in steps)
        if "last_sk" not in row or not ahead:
            return dict(row)
        moved = dict(row)
        for step in steps:
            moved |= {step.register: step.to, **step.with_it}
        self.items[key] = moved
        return None

    def mark_row(self, owner_uuid: str, message_group_uuid: str, marking: Marking) -> Item | None:
        key = keys.message_group_pk(owner_uuid), keys.message_group_sk(message_group_uuid)
        row = dict(self.items.get(key, {}))
        read_sk = marking.read_sk
        if not row or (read_sk is not None and not _goes_forward(row, "read_sk", read_sk)):
            return row
        if read_sk is not None:
            row["read_sk"] = read_sk
        for name, value in marking.flags.items():
            row.pop(name, None)
            row |= {name: True} if value else {}
        self.items[key] = row
        return None

    def get_sides(self, message_group_uuid: str, user_uuids: Collection[str]) -> dict[str, Side]:
        group_sk = keys.message_group_sk(message_group_uuid)
        rows = {
            user: self.items.get((keys.message_group_pk(user), group_sk)) for user in user_uuids
        }
        return {
            user: Side(
                row=read_or_report(row, MessageGroupRow.from_item) if row else None,
                settings=self.get_settings(user),
            )
            for user, row in rows.items()
        }

    def count_messages(
        self, message_group_uuid: str, sender_uuid: str, *, behind: str | None, up_to: str
    ) -> int:
        pk = keys.message_pk(message_group_uuid)
        places = sorted(sk for at, sk in self.items if at == pk and (behind or "") < sk <= up_to)
        looked_at = [self.items[pk, sk] for sk in places[-MOST_LOOKED_AT:]]
        found = [item for item in looked_at if item.get("user_uuid") == sender_uuid]
        return min(len(found), MOST_COUNTED)

    def get_settings(self, user_uuid: str) -> Settings:
        item = self.items.get((keys.user_pk(user_uuid), keys.SETTINGS_SK))
        return Settings.from_item(item) if item else Settings(user_uuid=user_uuid)

    def put_settings(self, settings: Settings) -> None:
        self.put(settings)

    def get_settings_of(self, user_uuids: Collection[str]) -> list[Settings]:
        return [self.get_settings(user) for user in user_uuids]

    def put_ticket(self, ticket: Ticket) -> None:
        self.put(ticket)

    def take_ticket(self, digest: str, *, now: datetime) -> Ticket | None:
        key = keys.ticket_pk(digest), keys.TICKET_SK
        item = self.items.get(key)
        if item is None or item["expires_at"] <= int(now.timestamp()):
            return None
        return Ticket.from_item(self.items.pop(key))

    def list_connections(self, user_uuid: str) -> list[Connection]:
        pk = keys.connections_pk(user_uuid)
        places = sorted(place for place in self.items if place[0] == pk)
        return readable([self.items[place] for place in places], Connection.from_item)

    def get_connection(self, connection_id: str) -> Connection | None:
        item = self.items.get((keys.connection_pk(connection_id), keys.CONNECTION_SK))
        return read_or_report(item, Connection.from_item) if item else None

    def put_connection(self, connection: Connection, *, replaced: Connection | None) -> bool:
        item = connection.to_item()
        standing = self.items.get((item["pk"], item["sk"]), {})
        if standing.get("connection_id") != (replaced.connection_id if replaced else None):
            return False
        if replaced:
            self._remove(replaced.to_item_by_id())
        self.put(item, connection.to_item_by_id())
        return True

    def delete_connection(self, connection: Connection) -> None:
        item = connection.to_item()
        standing = self.items.get((item["pk"], item["sk"]), {})
        if standing.get("connection_id") == connection.connection_id:
            self._remove(item)
        self._remove(connection.to_item_by_id())

    def put_failed(self, failed: Failed) -> None:
        self.put(failed)

    def put(
        self,
        *entities: Message
        | MessageGroupRow
        | Members
        | Pair
        | NamedSend
        | Settings
        | Ticket
        | Failed
        | Item,
    ) -> None:
        """Write entities, or items as they are, over whatever stands there."""
        for entity in entities:
            item = entity if isinstance(entity, dict) else entity.to_item()
            self.items[item["pk"], item["sk"]] = dict(item)

    def _remove(self, item: Item) -> None:
        self.items.pop((item["pk"], item["sk"]), None)

    def _earlier(self, named: NamedSend | None) -> NamedSend | None:
        standing = (
            self.items.get((keys.sent_pk(named.user_uuid), named.message_uuid)) if named else {}
        )
        return NamedSend.from_item(standing) if standing else None

    def _rows[Row](
        self, pk: str, sort: str, request: PageRequest, read: Callable[[Item], Row]
    ) -> Page[Row]:
        rows = sorted(
            (item for item in self.items.values() if item["pk"] == pk and sort in item),
            key=lambda item: str(item[sort]),
            reverse=True,
        )
        if request.sk is not None and request.newer:
            newer = [row for row in rows if row[sort] > request.sk]
            page = newer[-request.limit :]
            return Page.of_items(page, read, sort=sort, has_older=bool(page))
        older = [row for row in rows if request.sk is None or row[sort] < request.sk]
        page, has_older = older[: request.limit], len(older) > request.limit
        return Page.of_items(page, read, sort=sort, has_older=has_older)


def _goes_forward(row: Item, register: str, to: str) -> bool:
    """Tell what DynamoDB's condition tells: strings are compared with strings only."""
    place = row.get(register, "")
    return isinstance(place, str) and place < to
