"""The table's calls that only reconcile makes: whole partitions, scans, writes bound to a reading.

Everything on the table itself is read consistently.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cruddur.reconcile.plan import Write
from messaging import keys
from messaging.entities import Item
from messaging.repository import Repository, from_dynamodb, to_dynamodb

# DynamoDB takes no more in one transaction; the rest of a plan this long follows in the next.
TRANSACTION_ITEMS = 100
# And no more operands in one IN.
_OPERANDS = 100


class Table(Repository):
    """The repository, with what a repair needs. All calls may raise `TryAgainError`."""

    def scan(self) -> Iterator[list[Item]]:
        """Yield all items of the table, page by page."""
        yield from self._pages(self._client.scan)

    def item_count(self) -> int:
        """Return about how many items the table has: DynamoDB counts every six hours."""
        answer = self._call(lambda: self._client.describe_table(TableName=self._table_name))
        return int(answer["Table"].get("ItemCount", 0))

    def messages(self, message_group_uuid: str) -> Iterator[Item]:
        """Yield the items of a group's messages."""
        return self._partition(keys.message_pk(message_group_uuid))

    def failed(self) -> Iterator[Item]:
        """Yield what was parked."""
        return self._partition(keys.FAILED_PK)

    def rows_of(
        self, user_uuid: str, *, message_group_uuid: str, others: Iterable[str]
    ) -> Iterator[Item]:
        """Yield a user's rows of a group, and of any group with one of `others`."""
        operands = sorted(set(others))[:_OPERANDS]
        names = [f":other{number}" for number in range(len(operands))]
        condition = "message_group_uuid = :group"
        if names:
            condition += f" OR user_uuid IN ({', '.join(names)})"
        values = {":group": message_group_uuid} | dict(zip(names, operands, strict=True))
        return self._partition(keys.message_group_pk(user_uuid), condition, values)

    def get(self, pk: str, sk: str) -> Item | None:
        """Return one item as last written."""
        return self._get(pk, sk)

    def write(self, writes: Sequence[Write]) -> bool:
        """Carry out `writes`, all or none; return False when something was read otherwise.

        Of more than DynamoDB takes at a time the first are carried out.
        """
        reasons = self._transact([self._bound(write) for write in writes[:TRANSACTION_ITEMS]])
        return reasons is None

    def _bound(self, write: Write) -> dict[str, Any]:
        """Return a write on condition that its key holds exactly what was read there."""
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if write.old is not None:
            condition = _exactly(write.old)
        if write.new is not None:
            return {"Put": self._put(write.new) | condition}
        pk, sk = write.key
        key = to_dynamodb({"pk": pk, "sk": sk})
        return {"Delete": {"TableName": self._table_name, "Key": key} | condition}

    def _partition(
        self, pk: str, filter_expression: str | None = None, values: Item | None = None
    ) -> Iterator[Item]:
        arguments: dict[str, Any] = {
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": to_dynamodb({":pk": pk} | (values or {})),
        }
        if filter_expression:
            arguments["FilterExpression"] = filter_expression
        for page in self._pages(self._client.query, **arguments):
            yield from page

    def _pages(self, call: Any, **arguments: Any) -> Iterator[list[Item]]:
        arguments |= {"TableName": self._table_name, "ConsistentRead": True}
        while True:
            page = self._call(lambda: call(**arguments))
            yield [from_dynamodb(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _exactly(item: Item) -> dict[str, Any]:
    """Return the condition that an item still has the attributes that were read."""
    numbered = list(enumerate(item.items()))
    return {
        "ConditionExpression": " AND ".join(f"#{n} = :{n}" for n, _ in numbered),
        "ExpressionAttributeNames": {f"#{n}": name for n, (name, _) in numbered},
        "ExpressionAttributeValues": to_dynamodb({f":{n}": value for n, (_, value) in numbered}),
    }
