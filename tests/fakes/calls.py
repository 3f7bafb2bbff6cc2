"""The calls that functions make to the table, as IAM sees them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

from messaging import repository
from tests.fakes.iam import OF_AWS, TABLE, Iam

__all__ = ["Call", "denied", "needs", "noted_calls", "rights_on_the_table", "seen_by_iam"]


@dataclass(frozen=True)
class Call:
    """What IAM sees of a call: its action, the ARN of the table or an index, the partition."""

    action: str
    resource: str
    leading_key: str


@contextmanager
def noted_calls() -> Iterator[set[Call]]:
    """Note the calls that are made by this environment's client."""
    noted = set[Call]()

    def note(params: Mapping[str, Any], model: Any, **_: object) -> None:
        noted.update(seen_by_iam(model.name, params))

    events: Any = repository.of_environment()._client.meta.events
    events.register("provide-client-params.dynamodb.*", note)
    try:
        yield noted
    finally:
        events.unregister("provide-client-params.dynamodb.*", note)


def denied(iam: Iam, function: str, calls: Iterable[Call]) -> set[Call]:
    """Return the calls that the role of the function, or the boundary, would not let through."""
    return {
        call
        for call in calls
        if not iam.allows(
            function, call.action, call.resource, **{"dynamodb:LeadingKeys": call.leading_key}
        )
    }


def seen_by_iam(operation: str, params: Mapping[str, Any]) -> Iterator[Call]:
    """Return what IAM decides on: the parts of a transaction are calls of their own."""
    if operation == "TransactWriteItems":
        for part in params["TransactItems"]:
            ((name, item),) = part.items()
            yield from seen_by_iam(f"{name}Item", item)
    elif operation == "BatchGetItem":
        for name, asked in params["RequestItems"].items():
            for key in asked["Keys"]:
                yield Call("dynamodb:BatchGetItem", _arn(name), key["pk"]["S"])
    elif operation == "Query":
        (leading,) = [
            value["S"]
            for name, value in params["ExpressionAttributeValues"].items()
            if name in params["KeyConditionExpression"].split(" AND ")[0]
        ]
        index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
        yield Call("dynamodb:Query", f"{_arn(params['TableName'])}{index}", leading)
    else:
        key = params.get("Key") or params["Item"]
        yield Call(f"dynamodb:{operation}", _arn(params["TableName"]), key["pk"]["S"])


def _arn(table_name: str) -> str:
    return f"{TABLE.rpartition('/')[0]}/{table_name}"


def rights_on_the_table(iam: Iam, function: str) -> Iterator[Call]:
    """Each right on the table in what the template gives a function, as the calls it allows.

    Their partitions are patterns.
    """
    for statement in iam.role(function):
        if not statement.origin.startswith(OF_AWS):
            (keys_of,) = statement.condition.values() or [{"dynamodb:LeadingKeys": ["*"]}]
            patterns = keys_of["dynamodb:LeadingKeys"]
            for action, resource, pattern in product(
                statement.actions, statement.resources, patterns
            ):
                if action.startswith("dynamodb:"):
                    yield Call(action, resource, pattern)


def needs(call: Call, right: Call) -> bool:
    """Tell whether the call is one that this right allows."""
    return (call.action, call.resource) == (right.action, right.resource) and fnmatchcase(
        call.leading_key, right.leading_key
    )
