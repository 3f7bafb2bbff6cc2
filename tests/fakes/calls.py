"""The calls that functions make to AWS, as IAM sees them: by what goes over the wire."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from fnmatch import fnmatchcase
from itertools import product
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from botocore.endpoint import Endpoint

from sam_offline.template import ACCOUNT
from tests.fakes.iam import LIVE_API, OF_AWS, REGION, TABLE, Iam

__all__ = ["Call", "denied", "needs", "noted_calls", "rights", "seen_by_iam"]

_SIGNED_FOR = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d+/[^/]+/([^/]+)/")


@dataclass(frozen=True)
class Call:
    """What IAM sees of a call: its action, what it is made on, and in a table the partition."""

    action: str
    resource: str
    leading_key: str = ""


@contextmanager
def noted_calls() -> Iterator[set[Call]]:
    """Note the calls that any client of AWS makes in this process."""
    noted = set[Call]()
    create_request = Endpoint.create_request

    def create_and_note(self: Endpoint, *given: Any) -> Any:
        request = create_request(self, *given)
        noted.update(seen_by_iam(request.method, request.url, request.headers, request.body))
        return request

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Endpoint, "create_request", create_and_note)
        yield noted


def denied(iam: Iam, function: str, calls: Iterable[Call]) -> set[Call]:
    """Return the calls that the role of the function, or the boundary, would not let through."""
    return {
        call
        for call in calls
        if not iam.allows(
            function,
            call.action,
            call.resource,
            **({"dynamodb:LeadingKeys": call.leading_key} if call.leading_key else {}),
        )
    }


def seen_by_iam(
    method: str, url: str, headers: Mapping[str, Any] | Message, body: bytes | str | None
) -> Iterator[Call]:
    """Return what IAM decides on when this is sent: the parts of a transaction are calls."""
    service = _SIGNED_FOR.match(_text(headers.get("Authorization")))
    operation = _text(headers.get("X-Amz-Target")).rpartition(".")[2]
    address = urlsplit(url)
    match service[1] if service else "unsigned":
        case "dynamodb":
            yield from _on_a_table(operation, json.loads(body or "{}"))
        case "execute-api":
            # The local cloud serves one WebSocket API, so that its address names none.
            host, _, of_aws = (address.hostname or "").partition(".execute-api.")
            stage, _, connection = address.path[1:].partition("/")
            resource = f"{host if of_aws else LIVE_API}/{stage}/{method}/{unquote(connection)}"
            arn = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{resource}"
            yield Call("execute-api:ManageConnections", arn)
        case "lambda" if address.path.endswith("/invocations"):
            name = unquote(address.path).split("/")[-2].rpartition(":")[2]
            yield Call(
                "lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
            )
        case "secretsmanager":
            yield Call(f"secretsmanager:{operation}", json.loads(body or "{}")["SecretId"])
        case other:
            yield Call(f"{other}:{operation or method}", url)


def _text(header: str | bytes | None) -> str:
    return header.decode() if isinstance(header, bytes) else header or ""


def _on_a_table(operation: str, params: Mapping[str, Any]) -> Iterator[Call]:
    if operation == "TransactWriteItems":
        for part in params["TransactItems"]:
            ((name, item),) = part.items()
            yield from _on_a_table(f"{name}Item", item)
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
    elif key := params.get("Key") or params.get("Item"):
        yield Call(f"dynamodb:{operation}", _arn(params["TableName"]), key["pk"]["S"])
    else:
        yield Call(f"dynamodb:{operation}", _arn(params.get("TableName", "")))


def _arn(table_name: str) -> str:
    return f"{TABLE.rpartition('/')[0]}/{table_name}"


def rights(iam: Iam, function: str) -> Iterator[Call]:
    """Each right that the template gives a function, as the calls it allows.

    Their resources and partitions are patterns.
    """
    for statement in iam.role(function):
        if not statement.origin.startswith(OF_AWS):
            (keys_of,) = statement.condition.values() or [{"dynamodb:LeadingKeys": ["*"]}]
            patterns = keys_of["dynamodb:LeadingKeys"]
            for action, resource, pattern in product(
                statement.actions, statement.resources, patterns
            ):
                yield Call(action, resource, pattern)


def needs(call: Call, right: Call) -> bool:
    """Tell whether the call is one that this right allows."""
    return (
        call.action == right.action
        and fnmatchcase(call.resource, right.resource)
        and fnmatchcase(call.leading_key, right.leading_key)
    )
