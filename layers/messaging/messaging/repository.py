"""What is read and written in the table, named for what it is used for.

`calls` says how a call is made.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from messaging import keys
from messaging.attributes import from_dynamodb, to_dynamodb
from messaging.calls import CLIENT_CONFIG, Calls, refusal
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
from messaging.unreadable import read_or_report, readable
from runtime import aws, environment
from runtime.deadline import deadline
from runtime.settings import required

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# "99+": nobody looks at a higher number of unread messages.
MOST_COUNTED = 100
# Of a conversation in which somebody goes on and on without ever reading.
MOST_LOOKED_AT = 1000


@dataclass(frozen=True, kw_only=True)
class PageRequest:
    """Which page of a list is asked for.

    Attributes
    ----------
    sk
        Where in the list the page begins; None for the newest row.
    newer
        The page has what is newer than `sk`, not what is older.
    """

    limit: int
    sk: str | None = None
    newer: bool = False


@dataclass(frozen=True, kw_only=True)
class Side:
    """A member's side of a message group: their row, if it can be read, and their settings."""

    row: MessageGroupRow | None
    settings: Settings


@dataclass(frozen=True, kw_only=True)
class NewMessageGroup:
    """All that is written when a message begins a group."""

    pair: Pair
    members: Members
    rows: Sequence[MessageGroupRow]
    first: Message
    named: NamedSend | None = None


@dataclass(frozen=True, kw_only=True)
class Page[Row]:
    """Rows, newest first.

    Attributes
    ----------
    newest_sk, oldest_sk
        Where in the list the page begins and ends; None where there is nothing. What cannot be
        read is not among the rows, but has its place.
    has_older
        There are older rows behind them.
    """

    rows: list[Row]
    newest_sk: str | None
    oldest_sk: str | None
    has_older: bool

    @classmethod
    def of_items(
        cls, items: Sequence[Item], read: Callable[[Item], Row], *, sort: str, has_older: bool
    ) -> "Page[Row]":
        """Return the page of these items, newest first, in the order of the attribute `sort`."""
        return Page(
            rows=readable(items, read),
            newest_sk=items[0][sort] if items else None,
            oldest_sk=items[-1][sort] if items else None,
            has_older=has_older,
        )


class Repository(Calls):
    """The table. Every call may raise `TryAgainError`."""

    def list_messages(self, message_group_uuid: str, request: PageRequest) -> Page[Message]:
        """Return a page of a group's messages."""
        pk = keys.message_pk(message_group_uuid)
        return self._page(request, Message.from_item, pk=pk, sort="sk")

    def list_message_groups(self, user_uuid: str, request: PageRequest) -> Page[MessageGroupRow]:
        """Return a page of a user's group rows."""
        pk = keys.message_group_pk(user_uuid)
        read, index = MessageGroupRow.from_item, keys.LIST_INDEX
        return self._page(request, read, pk=pk, sort="last_sk", IndexName=index)

    def get_message(self, message_group_uuid: str, sk: str) -> Message | None:
        """Return one message as last written, if it can be read."""
        item = self._get(keys.message_pk(message_group_uuid), sk)
        return read_or_report(item, Message.from_item) if item else None

    def get_members(self, message_group_uuid: str) -> Members | None:
        """Return the members of a group, read consistently: they may have been written just now."""
        item = self._get(keys.members_pk(message_group_uuid), keys.MEMBERS_SK)
        return Members.from_item(item) if item else None

    def create_message_group(self, make: Callable[[], NewMessageGroup]) -> NamedSend | Pair | None:
        """Write a new group, all of it or nothing; it is made anew for each attempt.

        Return what was in the way: an earlier send of the same name, or the pair with its group.
        """
        made: list[NewMessageGroup] = []

        def items() -> list[Any]:
            new = make()
            made.append(new)
            names = [self._put_new(new.named.to_item())] if new.named else []
            rows = [row.to_item() for row in new.rows]
            rest = map(self._put, [new.members.to_item(), *rows, new.first.to_item()])
            puts = [*names, self._put_new(new.pair.to_item()), *rest]
            return [{"Put": put} for put in puts]

        standing = self._transact(items)
        if standing is None:
            return None
        new = made[-1]
        # The name is looked at first: this very send may have made the pair's group before.
        if new.named and standing[0]:
            return NamedSend.from_item(standing[0])
        group = Pair.group_in(standing[1 if new.named else 0])
        return Pair(user_uuids=new.pair.user_uuids, message_group_uuid=group)

    def put_message(self, message: Message) -> None:
        """Write a message.

        There is no condition: when an answer is lost, the SDK writes the same item again, and a
        condition would then report a failure although the message is stored.
        """
        self._call(lambda: self._client.put_item(**self._put(message.to_item())))

    def put_named_message(self, make: Callable[[], tuple[Message, NamedSend]]) -> NamedSend | None:
        """Write a message and its name, both or neither; return an earlier send of that name.

        They are made anew for each attempt.
        """

        def items() -> list[Any]:
            message, named = make()
            puts = [self._put_new(named.to_item()), self._put(message.to_item())]
            return [{"Put": put} for put in puts]

        standing = self._transact(items)
        return None if standing is None else NamedSend.from_item(standing[0])

    def query_row_owners(self, message_group_uuid: str) -> frozenset[str]:
        """Return who has a row of a group, by the index, which may be behind the table.

        One page is enough, since a group with more rows than members is looked up in MEMBERS. An
        index that is still being made refuses the query; that counts as nobody.
        """
        try:
            response = self._call(
                lambda: self._client.query(
                    TableName=self._table_name,
                    IndexName=keys.ROWS_INDEX,
                    KeyConditionExpression="message_group_uuid = :group",
                    ExpressionAttributeValues=to_dynamodb({":group": message_group_uuid}),
                    ProjectionExpression="pk",
                )
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException":
                raise
            return frozenset()
        pks = [str(from_dynamodb(item)["pk"]) for item in response["Items"]]
        return frozenset(filter(None, map(keys.owner_in, pks)))

    def advance_row(
        self, owner_uuid: str, message_group_uuid: str, steps: Sequence[Advance]
    ) -> Item | None:
        """Take all `steps` in one write, if each of them leads forward, and return None.

        Otherwise write nothing and return the row as it is, empty when there is none. A row
        without a place in its owner's list takes no step.

        Raises
        ------
        UnreadableItemError
            DynamoDB refuses the write for what the row or a step holds, and always will.
        """
        values: Item = {}
        for step in steps:
            values |= step.attributes
        conditions = ["attribute_exists(last_sk)", *(_goes_forward(s.register) for s in steps)]
        return self._update_row(owner_uuid, message_group_uuid, values, conditions)

    def mark_row(self, owner_uuid: str, message_group_uuid: str, marking: Marking) -> Item | None:
        """Set what the owner marks in one write, if what they have read goes forward.

        Otherwise write nothing and return the row as it is, empty when there is none. Without a
        place that they have read, only the flags are set, and once: no condition would refuse a
        repeat that comes late.

        Raises
        ------
        UnreadableItemError
            DynamoDB refuses the write for what the row holds, and always will.
        """
        values: Item = {name: True for name, value in marking.flags.items() if value}
        conditions = ["attribute_exists(pk)"]
        if marking.read_sk is not None:
            values["read_sk"] = marking.read_sk
            conditions.append(_goes_forward("read_sk"))
        removed = [name for name, value in marking.flags.items() if not value]
        return self._update_row(
            owner_uuid,
            message_group_uuid,
            values,
            conditions,
            removed=removed,
            once=marking.read_sk is None,
        )

    def get_sides(self, message_group_uuid: str, user_uuids: Collection[str]) -> dict[str, Side]:
        """Return the sides of some members, by their uuids, read consistently and at once."""
        row_keys = {
            user: (keys.message_group_pk(user), keys.message_group_sk(message_group_uuid))
            for user in user_uuids
        }
        settings_keys = {user: (keys.user_pk(user), keys.SETTINGS_SK) for user in user_uuids}
        found = self._get_all([*row_keys.values(), *settings_keys.values()])
        sides = {}
        for user in user_uuids:
            row, settings = found.get(row_keys[user]), found.get(settings_keys[user])
            sides[user] = Side(
                row=read_or_report(row, MessageGroupRow.from_item) if row else None,
                settings=Settings.from_item(settings) if settings else Settings(user_uuid=user),
            )
        return sides

    def count_messages(
        self, message_group_uuid: str, sender_uuid: str, *, behind: str | None, up_to: str
    ) -> int:
        """Return how many messages of a sender are behind a place (None: from the first), up to a
        place and with it; at most `MOST_COUNTED`.

        The newest `MOST_LOOKED_AT` messages of both members are looked at. A page is below the
        1 MB at which DynamoDB would cut it.
        """
        values = {":pk": keys.message_pk(message_group_uuid), ":up_to": up_to}
        condition = "pk = :pk AND sk <= :up_to"
        if behind is not None:
            values[":behind"] = keys.sk_after(behind)
            condition = "pk = :pk AND sk BETWEEN :behind AND :up_to"
        query: dict[str, Any] = {
            "TableName": self._table_name,
            "Select": "COUNT",
            "KeyConditionExpression": condition,
            "FilterExpression": "user_uuid = :sender",
            "ExpressionAttributeValues": to_dynamodb(values | {":sender": sender_uuid}),
            "ScanIndexForward": False,
            "Limit": MOST_COUNTED,
        }
        found = 0
        for _ in range(MOST_LOOKED_AT // MOST_COUNTED):
            page = self._call(lambda: self._client.query(**query))
            found += page["Count"]
            if found >= MOST_COUNTED or "LastEvaluatedKey" not in page:
                break
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return min(found, MOST_COUNTED)

    def get_settings(self, user_uuid: str) -> Settings:
        """Return what a user has set, as last written."""
        item = self._get(keys.user_pk(user_uuid), keys.SETTINGS_SK)
        return Settings.from_item(item) if item else Settings(user_uuid=user_uuid)

    def put_settings(self, settings: Settings) -> None:
        """Write what a user has set."""
        self._put_once(settings.to_item())

    def get_settings_of(self, user_uuids: Collection[str]) -> list[Settings]:
        """Return what some users have set, as last written and at once."""
        wanted = {user: (keys.user_pk(user), keys.SETTINGS_SK) for user in user_uuids}
        found = self._get_all(list(wanted.values()))
        return [
            Settings.from_item(found[key]) if key in found else Settings(user_uuid=user)
            for user, key in wanted.items()
        ]

    def put_ticket(self, ticket: Ticket) -> None:
        """Write a ticket."""
        self._put_once(ticket.to_item())

    def take_ticket(self, digest: str, *, now: datetime) -> Ticket | None:
        """Take a ticket away and return it; None when there is none that is good at `now`.

        Where the answer gets lost, the SDK's repeat finds no ticket: it is good once at most.
        """
        try:
            taken = self._call(
                lambda: self._client.delete_item(
                    TableName=self._table_name,
                    Key=to_dynamodb({"pk": keys.ticket_pk(digest), "sk": keys.TICKET_SK}),
                    ConditionExpression="expires_at > :now",
                    ExpressionAttributeValues=to_dynamodb({":now": int(now.timestamp())}),
                    ReturnValues="ALL_OLD",
                )
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return Ticket.from_item(from_dynamodb(taken["Attributes"]))

    def list_connections(self, user_uuid: str) -> list[Connection]:
        """Return the connections of a user, as last written; some may have ended."""
        response = self._call(
            lambda: self._client.query(
                TableName=self._table_name,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=to_dynamodb({":pk": keys.connections_pk(user_uuid)}),
                ConsistentRead=True,
            )
        )
        return readable(map(from_dynamodb, response["Items"]), Connection.from_item)

    def get_connection(self, connection_id: str) -> Connection | None:
        """Return a connection by its id, as last written."""
        item = self._get(keys.connection_pk(connection_id), keys.CONNECTION_SK)
        return read_or_report(item, Connection.from_item) if item else None

    def put_connection(self, connection: Connection, *, replaced: Connection | None) -> bool:
        """Write a connection into its slot, if that is free, or is that of `replaced`.

        Otherwise write nothing and return False.
        """
        own = self._put_new(connection.to_item())
        items = [{"Put": own}, {"Put": self._put(connection.to_item_by_id())}]
        if replaced:
            own |= _is_still(replaced)
            items.append({"Delete": self._at(replaced.to_item_by_id())})
        return self._transact(lambda: items) is None

    def delete_connection(self, connection: Connection) -> None:
        """Delete both items of a connection; in its slot may be another one by now."""
        own = self._at(connection.to_item()) | _is_still(connection)
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._call(lambda: self._client.delete_item(**own))
        by_id = self._at(connection.to_item_by_id())
        self._call(lambda: self._client.delete_item(**by_id))

    def put_failed(self, failed: Failed) -> None:
        """Park a record."""
        self._call(lambda: self._client.put_item(**self._put(failed.to_item())))

    def _update_row(
        self,
        owner_uuid: str,
        message_group_uuid: str,
        values: Item,
        conditions: Sequence[str],
        *,
        removed: Sequence[str] = (),
        once: bool = False,
    ) -> Item | None:
        """Change a group row and return None, or return it as it is where a condition fails.

        `once` is what `_put_once` does, for a change that no condition keeps from being undone.
        """
        pk, sk = keys.message_group_pk(owner_uuid), keys.message_group_sk(message_group_uuid)
        clauses = {"SET": [f"{name} = :{name}" for name in values], "REMOVE": removed}
        named = {f":{name}": value for name, value in values.items()}
        update: dict[str, Any] = {
            "TableName": self._table_name,
            "Key": to_dynamodb({"pk": pk, "sk": sk}),
            "UpdateExpression": " ".join(
                f"{verb} {', '.join(parts)}" for verb, parts in clauses.items() if parts
            ),
            "ConditionExpression": " AND ".join(conditions),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if named:  # DynamoDB refuses values when there are none
            update["ExpressionAttributeValues"] = to_dynamodb(named)
        if once:
            standing = self._transact(lambda: [{"Update": update}])
            return None if standing is None else standing[0]
        try:
            self._call(lambda: self._client.update_item(**update))
        except self._client.exceptions.ConditionalCheckFailedException as error:
            response: Mapping[str, Any] = error.response
            return from_dynamodb(response.get("Item", {}))
        except ClientError as error:
            raise refusal(error) from error
        return None

    def _page[Row](
        self,
        request: PageRequest,
        read: Callable[[Item], Row],
        *,
        pk: str,
        sort: str,
        **index: Any,
    ) -> Page[Row]:
        """Return a page of a partition, of the table or of an index, with one Query.

        It asks for one row more, to see whether the page is the last. Of rows that others wrote,
        which may be of any size, DynamoDB answers with 1 MB and says that there are more.
        """
        condition, values = "pk = :pk", {":pk": pk}
        if request.sk is not None:
            condition += f" AND {sort} {'>' if request.newer else '<'} :sk"
            values[":sk"] = request.sk
        response = self._call(
            lambda: self._client.query(
                TableName=self._table_name,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=to_dynamodb(values),
                ScanIndexForward=request.newer,
                Limit=request.limit + 1,
                **index,
            )
        )
        items = [from_dynamodb(item) for item in response["Items"]]
        page = items[: request.limit]
        if request.newer:
            # The row at `sk` itself is older than this page.
            return Page.of_items(page[::-1], read, sort=sort, has_older=bool(page))
        has_older = len(items) > len(page) or "LastEvaluatedKey" in response
        return Page.of_items(page, read, sort=sort, has_older=has_older)


def _is_still(connection: Connection) -> Any:
    """Return the condition that a slot has this connection."""
    return {
        "ConditionExpression": "connection_id = :connection_id",
        "ExpressionAttributeValues": to_dynamodb({":connection_id": connection.connection_id}),
    }


def _goes_forward(register: str) -> str:
    """Return the condition that a register has not come as far as what is to be set."""
    return f"(attribute_not_exists({register}) OR {register} < :{register})"


@environment.once
def of_environment() -> Repository:
    """Return the repository of this process, on the table that its environment names."""
    client = aws.session().create_client("dynamodb", config=CLIENT_CONFIG)
    return Repository(
        cast("DynamoDBClient", client), required(os.environ, "TABLE_NAME"), deadline=deadline
    )
