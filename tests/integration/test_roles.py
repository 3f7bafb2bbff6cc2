"""The roles in template.yaml, and the calls that their functions make.

Each call on moto is held against the function's role and the boundary: a call that they do not
allow would be denied in the cloud, and a right that no call has used is one too many.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import product
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from functions.update_message_groups import app as update_message_groups
from messaging import repository
from messaging.repository import Repository
from runtime import environment
from tests.fakes.gateway import Context, Gateway
from tests.fakes.iam import OF_AWS, TABLE, Iam
from tests.fakes.records import inserted
from tests.fakes.template import Stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Call:
    """What IAM sees of a call: its action, the ARN of the table or an index, the partition."""

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
        environment.renew()
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
        assert gateway.get("/api/message_groups?counts=true", by="reef").status == 200
    with calls.of("GetMessageGroup"):
        assert gateway.get(f"/api/message_groups/{group}", by="reef").body["unread_count"] > 0
    with calls.of("MarkMessageGroup"):
        muted = gateway.patch(f"/api/message_groups/{group}", {"muted": True}, by="reef")
        assert muted.body["unread_count"] > 0
    with calls.of("GetMe"):
        assert gateway.get("/api/me", by="reef").status == 200
    with calls.of("UpdateMe"):
        assert gateway.patch("/api/me", {"read_receipts": False}, by="reef").status == 200
    message = repository.get_message(group, f"{again.body['created_at']}#{again.body['uuid']}")
    assert message
    orphan = replace(message, message_group_uuid=str(uuid4()))
    with calls.of("UpdateMessageGroups"):
        records = inserted(message, orphan)  # of the orphan's group there is neither row nor member
        update_message_groups.lambda_handler({"Records": records}, Context(seconds=60))
    return calls


def test_every_function_may_do_what_it_does_and_nothing_else(stack: Stack, calls: Calls) -> None:
    iam = Iam(stack)
    assert calls.made.keys() <= stack.functions().keys()
    for function in stack.functions():
        # A function that was not run above has nothing to do with the table.
        made = calls.made.get(function, set())
        for call in made:
            key = {"dynamodb:LeadingKeys": call.leading_key}
            assert iam.allows(function, call.action, call.resource, **key), (function, call)
        for action, resource, pattern in rights_on_the_table(iam, function):
            assert any(
                (call.action, call.resource) == (action, resource)
                and fnmatchcase(call.leading_key, pattern)
                for call in made
            ), (function, action, resource, pattern)


def rights_on_the_table(iam: Iam, function: str) -> Iterator[tuple[str, str, str]]:
    """Each action, resource and pattern of partitions in what the template gives the function."""
    for statement in iam.role(function):
        if not statement.origin.startswith(OF_AWS):
            (keys_of,) = statement.condition.values() or [{"dynamodb:LeadingKeys": ["*"]}]
            patterns = keys_of["dynamodb:LeadingKeys"]
            for action, resource, pattern in product(
                statement.actions, statement.resources, patterns
            ):
                if action.startswith("dynamodb:"):
                    yield action, resource, pattern
