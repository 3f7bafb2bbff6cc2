"""The table's calls, named for what they are used for.

`Repository` is what the rest of the layer asks for; `DynamoDBRepository` is it on a table.
Every call is bounded, so that its worst case is known (`CALL_SECONDS`), and none is begun for
which there is no time left. What DynamoDB says for "not now" leaves here as `TryAgainError`.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from messaging import keys
from messaging.config import settings
from messaging.deadline import Deadline, deadline
from messaging.entities import Failed, Item, Members, Message, MessageGroup, Pair, Sent
from messaging.errors import TryAgainError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Three attempts of at most 1 s to connect and 2 s to be answered, and botocore's pauses between
# them (up to 1 s and 2 s): no call takes longer.
CLIENT_CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"total_max_attempts": 3, "mode": "standard"},
)
CALL_SECONDS = 12.0

CONFLICT_RETRIES = 5
CONFLICT_PAUSE_SECONDS = 0.05

_CONFLICT = frozenset({"TransactionConflict", "TransactionConflictException"})
_NOT_NOW = _CONFLICT | {
    "InternalServerError",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingError",
    "ThrottlingException",
    "TransactionInProgressException",
}


@dataclass(frozen=True, kw_only=True)
class PageRequest:
    """Which page of a list is asked for.

    Attributes
    ----------
    limit
        How many rows at most.
    sk
        A position in the list; None is before the newest row.
    newer
        The rows next to the position on its newer side, instead of the older.
    """

    limit: int
    sk: str | None = None
    newer: bool = False


@dataclass(frozen=True, kw_only=True)
class Page[Row]:
    """Rows, newest first.

    Attributes
    ----------
    has_older
        There is something behind the last row.
    """

    rows: list[Row]
    has_older: bool


class Repository(Protocol):
    """What the layer needs of a table. All calls may raise `TryAgainError`."""

    def list_messages(self, message_group_uuid: str, request: PageRequest) -> Page[Message]:
        """Return a page of a group's messages."""

    def list_message_groups(self, user_uuid: str, request: PageRequest) -> Page[MessageGroup]:
        """Return a page of a user's group rows."""

    def get_message(self, message_group_uuid: str, sk: str) -> Message | None:
        """Return one message as last written."""

    def get_members(self, message_group_uuid: str) -> Members | None:
        """Return the members of a group as last written."""

    def create_message_group(
        self, pair: Pair, members: Members, rows: Sequence[MessageGroup], first: Message
    ) -> str:
        """Write a new group, all of it or nothing; return the uuid of the pair's group.

        It is another uuid than `pair` names when the pair had a group already; nothing is
        written then.
        """

    def put_message(self, message: Message) -> None:
        """Write a message, whether it stands there already or not."""

    def put_sent(self, sent: Sent) -> Sent | None:
        """Write `sent` unless there is one under its key; return the one there was."""

    def query_group_rows(self, message_group_uuid: str) -> list[Item]:
        """Return the items that the index shows of a group; they may be behind the table."""

    def replace_group_rows(self, old: Sequence[Item], new: Sequence[Item]) -> bool:
        """Delete the `old` rows and put the `new` ones, all of it or nothing.

        Return False, having done nothing, when one of the old rows is not there any more, or
        something stands where a new one belongs: bare timestamps of two groups can be one
        key.
        """

    def put_failed(self, failed: Failed) -> None:
        """Park a record."""


class DynamoDBRepository:
    """`Repository` on a DynamoDB table."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table_name: str,
        *,
        deadline: Deadline,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._deadline = deadline
        self._sleep = sleep

    def list_messages(self, message_group_uuid: str, request: PageRequest) -> Page[Message]:
        """Return a page of a group's messages."""
        page = self._page(keys.message_pk(message_group_uuid), request)
        return Page(rows=[Message.from_item(i) for i in page.rows], has_older=page.has_older)

    def list_message_groups(self, user_uuid: str, request: PageRequest) -> Page[MessageGroup]:
        """Return a page of a user's group rows."""
        page = self._page(keys.message_group_pk(user_uuid), request)
        return Page(rows=[MessageGroup.from_item(i) for i in page.rows], has_older=page.has_older)

    def get_message(self, message_group_uuid: str, sk: str) -> Message | None:
        """Return one message as last written."""
        item = self._get(keys.message_pk(message_group_uuid), sk)
        return Message.from_item(item) if item else None

    def get_members(self, message_group_uuid: str) -> Members | None:
        """Return the members of a group as last written: the reader comes after the writer."""
        item = self._get(keys.members_pk(message_group_uuid), keys.MEMBERS_SK)
        return Members.from_item(item) if item else None

    def create_message_group(
        self, pair: Pair, members: Members, rows: Sequence[MessageGroup], first: Message
    ) -> str:
        """Write a new group, all of it or nothing; return the uuid of the pair's group."""
        pair_put = self._put(pair.to_item()) | {
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        items = [members.to_item(), *(row.to_item() for row in rows), first.to_item()]
        puts = [pair_put, *(self._put(item) for item in items)]
        reasons = self._transact([{"Put": put} for put in puts])
        if reasons is None:
            return pair.message_group_uuid
        return Pair.group_in(from_dynamodb(reasons[0]["Item"]))

    def put_message(self, message: Message) -> None:
        """Write a message.

        Unconditional: its key ends in its own uuid, so a repeat by the SDK after a lost answer
        writes the same item again; a condition would report a failure for a stored message.
        """
        self._call(lambda: self._client.put_item(**self._put(message.to_item())))

    def put_sent(self, sent: Sent) -> Sent | None:
        """Write `sent` unless there is one under its key; return the one there was.

        After a lost answer the SDK's repeat finds the item of the first attempt, and that is
        what comes back.
        """
        try:
            self._call(
                lambda: self._client.put_item(
                    **self._put(sent.to_item()),
                    ConditionExpression="attribute_not_exists(pk)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            response: Mapping[str, Any] = error.response
            return Sent.from_item(from_dynamodb(response["Item"]))
        return None

    def query_group_rows(self, message_group_uuid: str) -> list[Item]:
        """Return the items that the index shows of a group; they may be behind the table."""
        response = self._call(
            lambda: self._client.query(
                TableName=self._table_name,
                IndexName=keys.INDEX_NAME,
                KeyConditionExpression="message_group_uuid = :group",
                ExpressionAttributeValues=to_dynamodb({":group": message_group_uuid}),
            )
        )
        return [from_dynamodb(item) for item in response["Items"]]

    def replace_group_rows(self, old: Sequence[Item], new: Sequence[Item]) -> bool:
        """Delete the `old` rows and put the `new` ones, all of it or nothing.

        The keys of both have to be different: DynamoDB refuses a key that is written twice.
        """
        deletes = [
            {
                "TableName": self._table_name,
                "Key": to_dynamodb({"pk": row["pk"], "sk": row["sk"]}),
                "ConditionExpression": "attribute_exists(pk)",
            }
            for row in old
        ]
        puts = [self._put(row) | {"ConditionExpression": "attribute_not_exists(pk)"} for row in new]
        reasons = self._transact(
            [{"Delete": delete} for delete in deletes] + [{"Put": put} for put in puts]
        )
        return reasons is None

    def put_failed(self, failed: Failed) -> None:
        """Park a record."""
        self._call(lambda: self._client.put_item(**self._put(failed.to_item())))

    def _put(self, item: Item) -> Any:
        return {"TableName": self._table_name, "Item": to_dynamodb(item)}

    def _get(self, pk: str, sk: str) -> Item | None:
        response = self._call(
            lambda: self._client.get_item(
                TableName=self._table_name,
                Key=to_dynamodb({"pk": pk, "sk": sk}),
                ConsistentRead=True,
            )
        )
        return from_dynamodb(response["Item"]) if "Item" in response else None

    def _page(self, pk: str, request: PageRequest) -> Page[Item]:
        """Return a page of a partition with one Query.

        One row more than asked for tells whether the page is the last. A hundred rows are far
        below the 1 MB at which DynamoDB would cut the answer.
        """
        condition, values = "pk = :pk", {":pk": pk}
        if request.sk is not None:
            condition += f" AND sk {'>' if request.newer else '<'} :sk"
            values[":sk"] = request.sk
        response = self._call(
            lambda: self._client.query(
                TableName=self._table_name,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=to_dynamodb(values),
                ScanIndexForward=request.newer,
                Limit=request.limit + 1,
            )
        )
        rows = [from_dynamodb(item) for item in response["Items"]]
        page = rows[: request.limit]
        if request.newer:
            # What stands at the position itself is older than the page.
            return Page(rows=page[::-1], has_older=bool(page))
        return Page(rows=page, has_older=len(rows) > len(page))

    def _transact(self, items: list[Any]) -> list[Any] | None:
        """Write `items`, all or none; return None, or the reasons when a condition failed.

        The SDK keeps one ClientRequestToken over its retries: an answer that was lost does not
        make the transaction fail on itself.
        """
        try:
            self._call(lambda: self._client.transact_write_items(TransactItems=items))
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = error.response["CancellationReasons"]
            if any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
                return list(reasons)
            raise
        return None

    def _call[Response](self, call: Callable[[], Response]) -> Response:
        """Make a call; repeat it after a conflict with another transaction, with jitter."""
        for attempt in range(CONFLICT_RETRIES + 1):
            self._deadline.require(CALL_SECONDS)
            try:
                return call()
            except ClientError as error:
                kind = _kind(error)
                if kind == "conflict" and attempt < CONFLICT_RETRIES:
                    self._sleep(random.uniform(0, CONFLICT_PAUSE_SECONDS * 2**attempt))  # noqa: S311  # jitter
                elif kind == "other":
                    raise
                else:
                    raise TryAgainError from error
            except (BotoConnectionError, HTTPClientError) as error:
                raise TryAgainError from error
        raise AssertionError("the last attempt returns or raises")


def _kind(error: ClientError) -> Literal["conflict", "not now", "other"]:
    """Return what `error` asks of the caller. A failed condition is never a matter of time."""
    codes = {error.response["Error"]["Code"]}
    for reason in error.response.get("CancellationReasons", []):
        codes.add(reason.get("Code", "None"))
    if "ConditionalCheckFailed" in codes:
        return "other"
    if codes & _CONFLICT:
        return "conflict"
    return "not now" if codes & _NOT_NOW else "other"


_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def to_dynamodb(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item with DynamoDB's types for Python's."""
    return {name: _serializer.serialize(value) for name, value in item.items()}


def from_dynamodb(item: Mapping[str, Any]) -> Item:
    """Return an item, or a stream record's image, with Python's types for DynamoDB's."""
    return {name: _deserializer.deserialize(value) for name, value in item.items()}


@cache
def of_environment() -> DynamoDBRepository:
    """Return the repository of this process, on the table that its environment names."""
    client = boto3.client("dynamodb", config=CLIENT_CONFIG)
    return DynamoDBRepository(client, settings().table_name, deadline=deadline)
