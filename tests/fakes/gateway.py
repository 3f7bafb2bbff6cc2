"""API Gateway for tests: a request becomes an event of the function that the template names."""

import base64
import importlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from aws_lambda_powertools.utilities.typing import LambdaContext

from sam_offline.stack import Route
from tests.contract import contract


class Context(LambdaContext):
    """What Lambda tells a function of its invocation."""

    SECONDS = 25.0

    def __init__(self, *, seconds: float | None = None) -> None:
        self._aws_request_id = "request"
        self._function_name = "function"
        self._log_stream_name = "stream"
        self._memory_limit_in_mb = 512
        self._invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:function"
        # The base class has it as a static method, so it cannot be overridden.
        self.get_remaining_time_in_millis = lambda: int((seconds or self.SECONDS) * 1000)  # type: ignore[method-assign]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def errors(self) -> list[str]:
        """The codes of a problem object."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.body["status"] == self.status
        return list(self.body["errors"])

    def link(self, relation: str) -> str | None:
        """The target of a link."""
        match = re.search(rf'<([^>]*)>; rel="{relation}"', self.headers.get("link", ""))
        return match[1] if match else None


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """The API of the template, without a network."""

    routes: Sequence[Route]
    functions: Mapping[str, Path]

    def get(self, target: str, *, by: str | None) -> Answer:
        return self.request("GET", target, by=by)

    def post(self, target: str, body: object, *, by: str | None) -> Answer:
        raw = body if isinstance(body, str | bytes) else json.dumps(body)
        return self.request("POST", target, raw, by=by)

    def patch(self, target: str, body: object, *, by: str | None) -> Answer:
        return self.request("PATCH", target, json.dumps(body), by=by)

    def request(
        self,
        method: str,
        target: str,
        body: str | bytes | None = None,
        *,
        by: str | None,
        token_use: str = "access",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request with the access token of the user whose cognito_user_id is `by`.

        With None the event has no authorizer block.
        """
        url = urlsplit(target)
        route, parameters = self._match(method, url.path)
        query: dict[str, str] = {}
        for name, value in parse_qsl(url.query, keep_blank_values=True):
            query[name] = f"{query[name]},{value}" if name in query else value
        event: dict[str, Any] = {
            "version": "2.0",
            "routeKey": f"{route.method} {route.path}",
            "rawPath": unquote(url.path),
            "rawQueryString": url.query,
            "headers": {"content-type": "application/json", **(headers or {})},
            "queryStringParameters": query,
            "pathParameters": parameters,
            "requestContext": {
                "http": {"method": method, "path": url.path, "sourceIp": "127.0.0.1"},
                "requestId": "request",
                "stage": "$default",
            },
            "isBase64Encoded": isinstance(body, bytes),
        }
        if not query:
            del event["queryStringParameters"]
        if by is not None:
            claims = {"sub": by, "token_use": token_use, "exp": "4070912400"}
            event["requestContext"]["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
        if body is not None:
            event["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
        answer = self.invoke(route.function, event)
        status, text = answer["statusCode"], answer["body"]
        names = {name.lower(): value for name, value in answer["headers"].items()}
        assert not contract().faults(method, url.path, status, names, text)
        return Answer(status=status, headers=names, body=json.loads(text))

    def connect(self, function: str, route: str, connection_id: str, **query: str) -> int:
        """Send an event of a connection to its function; the status that it answers."""
        context = {"routeKey": route, "connectionId": connection_id}
        event: dict[str, Any] = {"requestContext": context, "isBase64Encoded": False}
        event |= {"queryStringParameters": query} if query else {}
        return int(self.invoke(function, event)["statusCode"])

    def route_of(self, method: str, target: str) -> str:
        """The route that a request takes, such as ``GET /api/users/{handle}/short``."""
        route, _ = self._match(method, urlsplit(target).path)
        return f"{route.method} {route.path}"

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Call the handler of a function, in this process."""
        module = importlib.import_module(f"functions.{self.functions[function].name}.app")
        return module.lambda_handler(event, Context())

    def _match(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        for route in self.routes:
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path)
            match = re.fullmatch(pattern, path)
            if match and route.method == method:
                return route, {name: unquote(value) for name, value in match.groupdict().items()}
        raise LookupError(f"no route for {method} {path}")
