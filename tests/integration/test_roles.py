"""The roles in template.yaml, and the calls that their functions make.

Each call on moto is held against the function's own role: a call that it does not allow would be
denied in the cloud, and a right that no call has used is one too many.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from functions.update_message_groups import app as update_message_groups
from local.template import Stack
from messaging import message_groups, repository
from messaging.repository import Repository
from tests.fakes.gateway import Context, Gateway
from tests.fakes.records import inserted

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "the table"
# Lambda's own calls, with the role of the function that the stream's mapping invokes.
OF_THE_MAPPING = {
    *("dynamodb:DescribeStream", "dynamodb:GetRecords"),
    *("dynamodb:GetShardIterator", "dynamodb:ListStreams"),
}


@dataclass(frozen=True)
class Call:
    """What IAM sees of a call: its action, the table or an index by its name, the partition."""

    action: str
    resource: str
    leading_key: str


@dataclass
class Calls:
    """The calls of each function, by its folder."""

    made: dict[str, set[Call]] = field(default_factory=dict)

    @contextmanager
    def of(self, function: str) -> Iterator[None]:
        """Note the calls of a function that starts cold."""
        message_groups._members.cache_clear()
        noted = self.made.setdefault(function, set())

        def note(params: Mapping[str, Any], model: Any, **_: object) -> None:
            noted.update(seen_by_iam(model.name, params))

        events: Any = repository.of_environment()._client.meta.events
        events.register("provide-client-params.dynamodb.*", note)
        try:
            yield
        finally:
            events.unregister("provide-client-params.dynamodb.*", note)


def seen_by_iam(operation: str, params: Mapping[str, Any]) -> Iterator[Call]:
    """IAM checks the parts of a transaction as calls of their own."""
    if operation == "TransactWriteItems":
        for part in params["TransactItems"]:
            ((name, item),) = part.items()
            yield from seen_by_iam(f"{name}Item", item)
    elif operation == "Query":
        (leading,) = [
            value["S"]
            for name, value in params["ExpressionAttributeValues"].items()
            if name in params["KeyConditionExpression"].split(" AND ")[0]
        ]
        yield Call("dynamodb:Query", params.get("IndexName", TABLE), leading)
    else:
        key = params.get("Key") or params["Item"]
        yield Call(f"dynamodb:{operation}", TABLE, key["pk"]["S"])


@dataclass(frozen=True)
class Right:
    """One action of a statement on the table or an index, for partitions that match a pattern."""

    action: str
    resource: str
    pattern: str

    def allows(self, call: Call) -> bool:
        return (self.action, self.resource) == (call.action, call.resource) and fnmatchcase(
            call.leading_key, self.pattern
        )


def rights(stack: Stack, function: str) -> Iterator[Right]:
    """What the function's role allows on the table and its indexes."""
    resources = stack.document["Resources"]
    role = resources[f"{function}Role"]["Properties"]
    managed = [resources[policy["Ref"]]["Properties"] for policy in role["ManagedPolicyArns"]]
    for statement in statements([role.get("Policies", []), managed]):
        for action in listed(statement["Action"]):
            if action.startswith("dynamodb:") and action not in OF_THE_MAPPING:
                condition = statement.get("Condition", {"": {"dynamodb:LeadingKeys": ["*"]}})
                ((_, keys_of),) = condition.items()
                for pattern in keys_of["dynamodb:LeadingKeys"]:
                    for resource in listed(statement["Resource"]):
                        yield Right(action, resource_name(resource), pattern)


def statements(value: Any) -> Iterator[Any]:
    """Every statement in `value`, also those that a condition may leave out."""
    if isinstance(value, dict) and "Effect" in value:
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from statements(part)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def resource_name(resource: Any) -> str:
    """The table or one of its indexes; whatever else a statement names is not wanted here."""
    if resource == {"Fn::GetAtt": ["MessagesTable", "Arn"]}:
        return TABLE
    prefix, _, index = resource["Fn::Sub"].partition("/index/")
    assert prefix == "${MessagesTable.Arn}", resource
    return str(index)


@pytest.fixture
def calls(gateway: Gateway, dynamodb: "DynamoDBClient", repository: Repository) -> Calls:
    """Every path of every function that works on the table."""
    calls = Calls()
    name = str(uuid4())
    new_group = {"handle": "reef", "message": "Hello", "message_uuid": name}
    with calls.of("CreateMessageGroup"):
        for _ in range(2):  # the repeat reads what the first wrote
            answer = gateway.post("/api/message_groups", new_group, by="grahams")
        gateway.post("/api/message_groups", {"handle": "reef", "message": "Hi"}, by="grahams")
    group = answer.body["message_group_uuid"]
    with calls.of("CreateMessage"):
        for _ in range(2):
            new = {"message_group_uuid": group, "message": "Hi", "message_uuid": str(uuid4())}
            assert gateway.post("/api/messages", new, by="reef").status == 200
            again = gateway.post("/api/messages", new, by="reef")
        to_bayko = {"handle": "bayko", "message": "Hello", "message_uuid": str(uuid4())}
        assert gateway.post("/api/messages", to_bayko, by="reef").status == 200
    with calls.of("ListMessages"):
        assert gateway.get(f"/api/messages/{group}", by="grahams").status == 200
    with calls.of("ListMessageGroups"):
        assert gateway.get("/api/message_groups", by="grahams").status == 200
    message = repository.get_message(group, f"{again.body['created_at']}#{again.body['uuid']}")
    assert message
    orphan = replace(message, message_group_uuid=str(uuid4()))
    with calls.of("UpdateMessageGroups"):
        records = inserted(message, orphan)  # of the orphan's group there is neither row nor member
        update_message_groups.lambda_handler({"Records": records}, Context(seconds=60))
    return calls


def test_every_role_allows_what_its_function_calls_and_nothing_else(
    stack: Stack, calls: Calls
) -> None:
    assert calls.made.keys() <= stack.functions().keys()
    for function in stack.functions():
        # A function that was not run above has nothing to do with the table.
        allowed, made = set(rights(stack, function)), calls.made.get(function, set())
        for call in made:
            assert any(right.allows(call) for right in allowed), (function, call)
        for right in allowed:
            assert any(right.allows(call) for call in made), (function, right)
