"""How a call to the table is made, whatever it is for.

No call takes longer than `CALL_SECONDS`, and none is begun with less time left than that. Whatever
DynamoDB answers to mean "not now" becomes `TryAgainError`.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from messaging.attributes import from_dynamodb, to_dynamodb
from messaging.entities import Item
from messaging.errors import UnreadableItemError
from runtime.deadline import Deadline
from runtime.errors import TryAgainError

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

_KEY = ("pk", "sk")

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
# Of a write, and of an item in a transaction.
_INVALID = frozenset({"ValidationException", "ValidationError"})


class Calls:
    """A table, and the ways to read and write its items."""

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

    def _put_once(self, item: Item) -> None:
        """Write an item over whatever stands there, once.

        When an answer is lost, the SDK sends the write again, and the first may arrive after that:
        it would undo what was written in between. In a transaction, at twice the price, DynamoDB
        knows both by their token, for ten minutes, and does one of them.
        """
        self._transact(lambda: [{"Put": self._put(item)}])

    def _put(self, item: Item) -> Any:
        return {"TableName": self._table_name, "Item": to_dynamodb(item)}

    def _at(self, item: Item) -> Any:
        return {"TableName": self._table_name, "Key": to_dynamodb({k: item[k] for k in _KEY})}

    def _put_new(self, item: Item) -> Any:
        """Return a Put that replaces nothing, but reports the item that is there."""
        return self._put(item) | {
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _get(self, pk: str, sk: str) -> Item | None:
        response = self._call(
            lambda: self._client.get_item(
                TableName=self._table_name,
                Key=to_dynamodb({"pk": pk, "sk": sk}),
                ConsistentRead=True,
            )
        )
        return from_dynamodb(response["Item"]) if "Item" in response else None

    def _get_all(self, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        """Return those items that are there, by their keys, with one consistent BatchGetItem.

        What DynamoDB leaves out under load is asked for again.
        """
        left: Any = {
            self._table_name: {
                "Keys": [to_dynamodb({"pk": pk, "sk": sk}) for pk, sk in wanted],
                "ConsistentRead": True,
            }
        }
        items: list[Item] = []
        for attempt in range(CONFLICT_RETRIES + 1):
            if attempt:
                self._pause(attempt)
            ask = partial(self._client.batch_get_item, RequestItems=left)
            answer = self._call(ask)
            items += map(from_dynamodb, answer["Responses"].get(self._table_name, ()))
            left = answer.get("UnprocessedKeys")
            if not left:
                return {(item["pk"], item["sk"]): item for item in items}
        raise TryAgainError

    def _transact(self, items: Callable[[], list[Any]]) -> list[Item] | None:
        """Write `items`, which are made anew for each attempt, all or none, and return None.

        When a condition failed, return what is in the table for each item, empty where its own
        condition held. The SDK repeats with the same ClientRequestToken, so that a transaction
        whose answer was lost does not fail on itself.

        Raises
        ------
        UnreadableItemError
            DynamoDB refuses the write for what an item holds, and always will.
        """
        try:
            self._call(lambda: self._client.transact_write_items(TransactItems=items()))
        except ClientError as error:
            if "ConditionalCheckFailed" not in _codes(error):
                raise refusal(error) from error
            return [from_dynamodb(r.get("Item", {})) for r in _cancellation_reasons(error)]
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
                    self._pause(attempt)
                elif kind == "other":
                    raise
                else:
                    raise TryAgainError from error
            except (BotoConnectionError, HTTPClientError) as error:
                raise TryAgainError from error
        raise AssertionError("the last attempt returns or raises")

    def _pause(self, attempt: int) -> None:
        self._sleep(random.uniform(0, CONFLICT_PAUSE_SECONDS * 2**attempt))  # noqa: S311  # jitter


def _cancellation_reasons(error: ClientError) -> Sequence[Mapping[str, Any]]:
    """Return why a transaction was not carried out: a reason for each of its items."""
    response: Mapping[str, Any] = error.response
    reasons: Sequence[Mapping[str, Any]] = response.get("CancellationReasons", ())
    return reasons


def _codes(error: ClientError) -> set[str]:
    """Return the code of an error, and those of the items of its transaction."""
    codes = {reason.get("Code", "None") for reason in _cancellation_reasons(error)}
    return codes | {error.response["Error"]["Code"]}


def refusal(error: ClientError) -> Exception:
    """Return what the refusal of a write is to be raised as."""
    if _codes(error) & _INVALID:
        return UnreadableItemError("an item that DynamoDB cannot write")
    return error


def _kind(error: ClientError) -> Literal["conflict", "not now", "other"]:
    """Return what kind of refusal `error` is.

    In a transaction a conflict hides whether that item's condition holds, so a conflict counts
    before another item's failed condition.
    """
    codes = _codes(error)
    if codes & _CONFLICT:
        return "conflict"
    if "ConditionalCheckFailed" in codes:
        return "other"
    return "not now" if codes & _NOT_NOW else "other"
