"""The calls that functions make to the table, as IAM sees them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from messaging import repository
from tests.fakes.iam import TABLE, Iam

__all__ = ["Call", "denied", "noted_calls"]


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
        noted.update(_seen_by_iam(model.name, params))

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


def _seen_by_iam(operation: str, params: Mapping[str, Any]) -> Iterator[Call]:
    """IAM checks the parts of a transaction as calls of their own."""
    if operation == "TransactWriteItems":
        for part in params["TransactItems"]:
            ((name, item),) = part.items()
            yield from _seen_by_iam(f"{name}Item", item)
    elif operation == "BatchGetItem":
        for asked in params["RequestItems"].values():
            for key in asked["Keys"]:
                yield Call("dynamodb:BatchGetItem", TABLE, key["pk"]["S"])
    elif operation == "Query":
        (leading,) = [
            value["S"]
            for name, value in params["ExpressionAttributeValues"].items()
            if name in params["KeyConditionExpression"].split(" AND ")[0]
        ]
        index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
        yield Call("dynamodb:Query", f"{TABLE}{index}", leading)
    else:
        key = params.get("Key") or params["Item"]
        yield Call(f"dynamodb:{operation}", TABLE, key["pk"]["S"])
