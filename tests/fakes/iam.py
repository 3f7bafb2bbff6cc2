"""What IAM would decide: the functions' roles in template.yaml, and the boundary under them.

A right counts if the role allows it, the boundary does so, too, and neither denies it. The texts
of AWS's own policies are those that moto brings.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data

from sam_offline.template import ACCOUNT
from tests.fakes.template import Stack

__all__ = ["CREATED", "LIVE_API", "OF_AWS", "REGION", "TABLE", "Iam", "Statement"]

REGION = "us-east-1"
OF_AWS = "arn:aws:iam::aws:policy/"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/cruddur-messages"
LIVE_API = "hints00000"
# What the statements refer to, as it would be called after a deployment.
CREATED: dict[str, dict[str, str]] = {
    "MessagesTable": {"Arn": TABLE, "StreamArn": f"{TABLE}/stream/2026-11-21T00:00:00.000"},
    "FailedRecordsQueue": {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:failed"},
    "Logs": {"Arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/cruddur/local:*"},
    "Database": {
        "DbiResourceId": "db-OURS",
        "MasterUserSecret_SecretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:owner-abc",
    },
    "Live": {
        "Ref": LIVE_API,
        "ApiEndpoint": f"wss://{LIVE_API}.execute-api.{REGION}.amazonaws.com",
    },
    "DirectoryAccess": {"Ref": "DirectoryAccess"},
    "LiveAccess": {"Ref": "LiveAccess"},
    "MessageGroupAccess": {"Ref": "MessageGroupAccess"},
    "SignUpAccess": {"Ref": "SignUpAccess"},
    "FunctionBoundary": {"Ref": "FunctionBoundary"},
}


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement with what it refers to put in; `origin` is the policy that it stands in."""

    origin: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Mapping[str, Any]]

    def covers(self, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Whether it speaks of this call."""
        return (
            any(fnmatchcase(action, pattern) for pattern in self.actions)
            and any(fnmatchcase(resource, pattern) for pattern in self.resources)
            and all(
                _holds(operator, context.get(key), _listed(patterns))
                for operator, keys in self.condition.items()
                for key, patterns in keys.items()
            )
        )


class Iam:
    """The roles of a stack's functions; `stack` knows what would have been created."""

    def __init__(self, stack: Stack) -> None:
        for name, attributes in CREATED.items():
            stack = stack.with_created(name, **attributes)
        self.stack = stack
        self.boundary = tuple(self._policy("FunctionBoundary"))
        self._roles: dict[str, tuple[Statement, ...]] = {}

    def variables(self, function: str) -> dict[str, str]:
        """The environment variables of a function, as a deployment would give them to it."""
        properties = self.stack.document["Resources"][function]["Properties"]
        found: dict[str, str] = self.stack.resolve(properties["Environment"]["Variables"])
        return found

    def role(self, function: str) -> tuple[Statement, ...]:
        """All statements of a function's role: its own, and those of the policies attached."""
        if function not in self._roles:
            self._roles[function] = tuple(self._read_role(function))
        return self._roles[function]

    def _read_role(self, function: str) -> Iterator[Statement]:
        role = self.stack.document["Resources"][f"{function}Role"]["Properties"]
        assert role["PermissionsBoundary"] == {"Ref": "FunctionBoundary"}, function
        for policy in role.get("Policies", []):
            yield from self._statements(function, policy["PolicyDocument"])
        for policy in self.stack.resolve(role["ManagedPolicyArns"]):
            yield from self._policy(policy)

    def allows(self, function: str, action: str, resource: str, **context: str) -> bool:
        """Whether the function may, given the condition keys of the request."""
        return _allowed(self.role(function), action, resource, context) and self.within_boundary(
            action, resource, **context
        )

    def within_boundary(self, action: str, resource: str, **context: str) -> bool:
        """Whether the boundary lets this through to a role that allows it."""
        return _allowed(self.boundary, action, resource, context)

    def _policy(self, name: str) -> Iterator[Statement]:
        if name.startswith(OF_AWS):
            return self._statements(name, _policies_of_aws()[name.rsplit("/", 1)[-1]]["Document"])
        policy = self.stack.document["Resources"][name]["Properties"]
        return self._statements(name, policy["PolicyDocument"])

    def _statements(self, origin: str, document: Any) -> Iterator[Statement]:
        for statement in _listed(self.stack.resolve(document["Statement"])):
            yield Statement(
                origin=origin,
                effect=statement["Effect"],
                actions=tuple(_listed(statement["Action"])),
                resources=tuple(_listed(statement["Resource"])),
                condition=statement.get("Condition", {}),
            )


@cache
def _policies_of_aws() -> Any:
    """Read all of them once, which takes a moment."""
    return json.loads(aws_managed_policies_data)


def _allowed(
    statements: tuple[Statement, ...], action: str, resource: str, context: Mapping[str, str]
) -> bool:
    effects = {s.effect for s in statements if s.covers(action, resource, context)}
    return effects == {"Allow"}


def _holds(operator: str, value: str | None, patterns: list[str]) -> bool:
    """Whether the condition is met; ForAllValues is so, too, for a key that is not there."""
    if value is None:
        return operator.startswith("ForAllValues:")
    assert operator.removeprefix("ForAllValues:") in {"StringLike", "ArnLike"}, operator
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
