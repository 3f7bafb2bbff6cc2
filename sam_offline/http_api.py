"""The HTTP API: routes requests to functions as API Gateway does, payload format 2.0.

Only what the template says is served: its routes, its authorizer, its CORS settings.
"""

import base64
import binascii
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from sam_offline.authorizer import JwtAuthorizer, UnauthorizedError, claims_as_strings
from sam_offline.functions import Result
from sam_offline.server import Answer, Handler, Request
from sam_offline.stack import Cors, Route
from sam_offline.template import ACCOUNT

__all__ = ["NOT_FOUND", "SERVICE_UNAVAILABLE", "TIMEOUT_SECONDS", "TOO_LARGE", "HttpApi"]

# The gateway's own limit for an integration, and what it answers by itself.
TIMEOUT_SECONDS = 30.0
SERVICE_UNAVAILABLE = Answer.json(503, '{"message":"Service Unavailable"}')
TOO_LARGE = Answer.json(413, '{"message":"Request Entity Too Large"}')
NOT_FOUND = Answer.json(404, '{"message":"Not Found"}')
_FORBIDDEN = Answer.json(403, '{"message":"Forbidden"}')
_UNAUTHORIZED = Answer.json(401, '{"message":"Unauthorized"}', ("www-authenticate", "Bearer"))
_SERVER_ERROR = Answer.json(500, '{"message":"Internal Server Error"}')

# Bodies of these types reach a function as text, all others in base64.
_TEXT = re.compile(r"text/.*|application/(json|javascript|xml|.*\+json|.*\+xml)", re.IGNORECASE)


class HttpApi:
    """`invoke` calls a function by name with an event; `otherwise` answers what no route has."""

    def __init__(
        self,
        *,
        routes: tuple[Route, ...],
        authorizers: Mapping[str, JwtAuthorizer],
        cors: Cors | None,
        invoke: Callable[[str, Any], Result],
        otherwise: Handler | None = None,
    ) -> None:
        # The most specific route first: literal segments before variables, greedy ones last.
        ordered = sorted(routes, key=lambda route: (route.path.count("+}"), route.path.count("{")))
        self._routes = [(_pattern(route.path), route) for route in ordered]
        self._authorizers = authorizers
        self._cors = cors
        self._invoke = invoke
        self._otherwise = otherwise or (lambda _request: NOT_FOUND)

    def answer(self, request: Request) -> Answer:
        """Answer one request; whatever a function does, the caller gets an HTTP answer."""
        if self._cors and request.method == "OPTIONS":
            return Answer(status=204, headers=self._preflight(self._cors, request))
        answer = self._route(request)
        return Answer(
            status=answer.status,
            body=answer.body,
            headers=[
                # What a function says about origins is replaced by the API's own settings.
                *(h for h in answer.headers if not h[0].lower().startswith("access-control-")),
                *self._allow_origin(self._cors, request),
                ("apigw-requestid", uuid.uuid4().hex[:16]),
            ],
        )

    def _route(self, request: Request) -> Answer:
        for pattern, route in self._routes:
            match = pattern.fullmatch(request.path)
            if match and route.method in {request.method, "ANY"}:
                break
        else:
            return self._otherwise(request)
        claims = None
        if route.authorizer:
            authorizer = self._authorizers[route.authorizer]
            try:
                claims = authorizer.claims(request.header(authorizer.header))
            except UnauthorizedError:
                return _UNAUTHORIZED
            granted = str(claims.get("scope", "")).split()
            if route.scopes and not set(route.scopes).intersection(granted):
                return _FORBIDDEN
        variables = {name: unquote(value) for name, value in match.groupdict().items()}
        result = self._invoke(route.function, _event(request, route, variables, claims))
        return _SERVER_ERROR if result.failed else _converted(result.payload)

    def _preflight(self, cors: Cors, request: Request) -> list[tuple[str, str]]:
        headers = self._allow_origin(cors, request)
        if not headers or not request.header("access-control-request-method"):
            return []
        headers = [header for header in headers if header[0] != "access-control-expose-headers"]
        headers.append(("access-control-allow-methods", ",".join(cors.methods)))
        headers.append(("access-control-allow-headers", ",".join(cors.headers)))
        if cors.max_age is not None:
            headers.append(("access-control-max-age", str(cors.max_age)))
        return headers

    @staticmethod
    def _allow_origin(cors: Cors | None, request: Request) -> list[tuple[str, str]]:
        origin = request.header("origin")
        if not cors or not origin or not {origin, "*"}.intersection(cors.origins):
            return []
        headers = [("access-control-allow-origin", "*" if "*" in cors.origins else origin)]
        if cors.credentials:
            headers.append(("access-control-allow-credentials", "true"))
        if cors.exposed:
            headers.append(("access-control-expose-headers", ",".join(cors.exposed)))
        return headers


def _pattern(path: str) -> re.Pattern[str]:
    """A template's path as an expression: {name} is one segment, {name+} the rest."""
    parts = re.split(r"(\{[^}]+\})", path)
    return re.compile(
        "".join(
            f"(?P<{part[1:-1].rstrip('+')}>{'.+' if part.endswith('+}') else '[^/]+'})"
            if part.startswith("{")
            else re.escape(part)
            for part in parts
        )
    )


def _event(
    request: Request, route: Route, variables: dict[str, str], claims: dict[str, Any] | None
) -> dict[str, Any]:
    """A payload of format 2.0; what the request does not have is absent, as in the cloud."""
    now = time.time()
    host = request.header("host") or ""
    path = unquote(request.path)
    names = dict.fromkeys(name for name, _ in request.headers)
    headers = {name: request.header(name) or "" for name in names if name != "cookie"}
    key = f"{route.method} {route.path}"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": key,
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": {
            **headers,
            "x-forwarded-for": request.source_ip,
            "x-forwarded-port": host.partition(":")[2] or "80",
            "x-forwarded-proto": "http",
        },
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": host.partition(":")[0],
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": request.method,
                "path": path,
                "protocol": request.protocol,
                "sourceIp": request.source_ip,
                "userAgent": request.header("user-agent") or "",
            },
            "requestId": uuid.uuid4().hex[:16],
            "routeKey": key,
            "stage": "$default",
            "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if claims is not None:
        event["requestContext"]["authorizer"] = {
            "jwt": {"claims": claims_as_strings(claims), "scopes": None}
        }
    if variables:
        event["pathParameters"] = variables
    if request.query:
        query: dict[str, str] = {}
        for name, value in parse_qsl(request.query, keep_blank_values=True):
            query[name] = f"{query[name]},{value}" if name in query else value
        event["queryStringParameters"] = query
    cookies = [part.strip() for part in (request.header("cookie") or "").split(";") if part.strip()]
    if cookies:
        event["cookies"] = cookies
    if request.body:
        event["body"], event["isBase64Encoded"] = _event_body(request)
    return event


def _event_body(request: Request) -> tuple[str, bool]:
    kind = (request.header("content-type") or "text/plain").partition(";")[0].strip()
    if _TEXT.fullmatch(kind):
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass  # not text, whatever it is called
    return base64.b64encode(request.body).decode(), True


def _converted(payload: Any) -> Answer:
    """A function's return value as an HTTP answer; what is no such value becomes the body."""
    if not isinstance(payload, dict) or "statusCode" not in payload:
        return Answer.json(200, json.dumps(payload))
    body = payload.get("body") or ""
    headers = {str(name).lower(): value for name, value in (payload.get("headers") or {}).items()}
    headers.setdefault("content-type", "text/plain;charset=UTF-8")
    try:
        encoded = payload.get("isBase64Encoded") is True
        return Answer(
            status=int(payload["statusCode"]),
            body=base64.b64decode(body, validate=True) if encoded else body.encode(),
            headers=[
                *((name, _header(value)) for name, value in headers.items()),
                *(("set-cookie", _header(cookie)) for cookie in payload.get("cookies") or ()),
            ],
        )
    except (AttributeError, TypeError, ValueError, binascii.Error):
        return _SERVER_ERROR


def _header(value: Any) -> str:
    """A header's value; ValueError for what does not fit into one."""
    text = value if isinstance(value, str) else json.dumps(value)
    if "\r" in text or "\n" in text:
        raise ValueError("a header has one line")
    text.encode("latin-1")
    return text
