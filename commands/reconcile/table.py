"""The calls that only reconcile makes: whole partitions, scans, and conditional writes.

Reads of the table itself, not of an index, are consistent.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from commands.reconcile.plan import Write
from commands.reconcile.snapshot import Key, key_of
from messaging import keys
from messaging.attributes import from_dynamodb, to_dynamodb
from messaging.entities import Item
from messaging.repository import Repository

# The most that DynamoDB takes in one transaction. The rest of a longer plan follows in the next.
TRANSACTION_ITEMS = 100


class Table(Repository):
    """The repository, with the calls that a repair needs. They may raise `TryAgainError`."""

    def scan(self) -> Iterator[list[Item]]:
        """Yield all items of the table, page by page."""
        yield from self._pages(self._client.scan, ConsistentRead=True)

    def item_count(self) -> int:
        """Return roughly how many items the table has: DynamoDB counts them every six hours."""
        answer = self._call(lambda: self._client.describe_table(TableName=self._table_name))
        return int(answer["Table"].get("ItemCount", 0))

    def messages(self, message_group_uuid: str) -> Iterator[Item]:
        """Yield the items of a group's messages."""
        return self._partition(keys.message_pk(message_group_uuid))

    def failed(self) -> Iterator[Item]:
        """Yield the FAILED items."""
        return self._partition(keys.FAILED_PK)

    def row_keys(self, message_group_uuid: str) -> list[Key]:
        """Return the keys of a group's rows as the index shows them; it may be behind the table."""
        arguments = {
            "IndexName": keys.ROWS_INDEX,
            "KeyConditionExpression": "message_group_uuid = :group",
            "ExpressionAttributeValues": to_dynamodb({":group": message_group_uuid}),
        }
        pages = self._pages(self._client.query, **arguments)
        found = [key_of(item) for page in pages for item in page]
        return [(pk, sk) for pk, sk in found if pk.startswith(keys.MESSAGE_GROUP_PREFIX)]

    def rows_with(self, owner_uuid: str, other_uuid: str) -> Iterator[Item]:
        """Yield a user's rows of groups with a certain other member."""
        pk = keys.message_group_pk(owner_uuid)
        return self._partition(pk, "user_uuid = :other", {":other": other_uuid})

    def get(self, pk: str, sk: str) -> Item | None:
        """Return one item."""
        return self._get(pk, sk)

    def write(self, writes: Sequence[Write]) -> bool:
        """Carry out all of `writes`; or none, and return False, if the table has changed meanwhile.

        If there are more than one transaction takes, only the first ones are carried out.

        Raises
        ------
        UnreadableItemError
            DynamoDB will never take one of them.
        """
        items = [self._bound(write) for write in writes[:TRANSACTION_ITEMS]]
        reasons = self._transact(lambda: items)
        return reasons is None

    def _bound(self, write: Write) -> dict[str, Any]:
        """Return a write as part of a transaction, with its condition."""
        if write.old is None:
            put = self._put(write.new or {})
            return {"Put": put | {"ConditionExpression": "attribute_not_exists(pk)"}}
        pk, sk = write.key
        target = {"TableName": self._table_name, "Key": to_dynamodb({"pk": pk, "sk": sk})}
        if write.new is None:
            return {"Delete": target | _expressions(write.old, write.old)}
        return {"Update": target | _expressions(write.old, write.new)}

    def _partition(
        self, pk: str, filter_expression: str = "", values: Item | None = None
    ) -> Iterator[Item]:
        arguments: dict[str, Any] = {
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": to_dynamodb({":pk": pk} | (values or {})),
            "ConsistentRead": True,
        }
        if filter_expression:
            arguments["FilterExpression"] = filter_expression
        for page in self._pages(self._client.query, **arguments):
            yield from page

    def _pages(self, call: Any, **arguments: Any) -> Iterator[list[Item]]:
        arguments |= {"TableName": self._table_name}
        while True:
            page = self._call(lambda: call(**arguments))
            yield [from_dynamodb(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _expressions(old: Item, new: Item) -> dict[str, Any]:
    """Return the expressions that change an item from `old` to `new`.

    Their condition is that the item has every attribute of `old`, and none that only `new` has.
    There is no update expression if both are equal.
    """
    conditions, sets, removes = [], [], []
    names, values = {}, {}
    for number, name in enumerate({**old, **new}):
        names[f"#{number}"] = name
        if name in old:
            conditions.append(f"#{number} = :old{number}")
            values[f":old{number}"] = old[name]
        else:
            conditions.append(f"attribute_not_exists(#{number})")
        if name not in new:
            removes.append(f"#{number}")
        elif name not in old or old[name] != new[name]:
            sets.append(f"#{number} = :new{number}")
            values[f":new{number}"] = new[name]
    clauses = [
        f"{verb} {', '.join(parts)}"
        for verb, parts in (("SET", sets), ("REMOVE", removes))
        if parts
    ]
    return {
        "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": to_dynamodb(values),
    } | ({"UpdateExpression": " ".join(clauses)} if clauses else {})
