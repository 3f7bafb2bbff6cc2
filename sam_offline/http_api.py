"""The HTTP API: routes requests to functions as API Gateway does, payload format 2.0.

Only what the template says is served: its routes, its authorizer, its CORS settings.
"""

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from sam_offline.authorizer import JwtAuthorizer, UnauthorizedError, claims_as_strings
from sam_offline.functions import Result
from sam_offline.server import Handler, message
from sam_offline.stack import Route
from sam_offline.template import ACCOUNT
from sam_offline.values import text_of

__all__ = ["HttpApi"]

# Bodies of these types reach a function as text, all others in base64.
_TEXT = re.compile(r"text/.*|application/(json|javascript|xml|.*\+json|.*\+xml)", re.IGNORECASE)
# The API's CORS settings, by AWS's names, that become headers of a preflight's answer, and those
# that become headers of any other answer.
_IN_PREFLIGHT = {
    "allowCredentials": "access-control-allow-credentials",
    "allowMethods": "access-control-allow-methods",
    "allowHeaders": "access-control-allow-headers",
    "maxAge": "access-control-max-age",
}
_IN_ANSWER = {
    "allowCredentials": "access-control-allow-credentials",
    "exposeHeaders": "access-control-expose-headers",
}


class HttpApi:
    """The HTTP API of a template.

    `invoke` calls a function by name with an event. `cors` are the settings by AWS's names.
    `otherwise` answers requests that no route is for.
    """

    def __init__(
        self,
        *,
        routes: tuple[Route, ...],
        authorizers: Mapping[str, JwtAuthorizer],
        cors: Mapping[str, Any],
        invoke: Callable[[str, Any], Result],
        otherwise: Handler | None = None,
    ) -> None:
        # The most specific route first: literal segments before variables, greedy ones last.
        ordered = sorted(routes, key=lambda route: (route.path.count("+}"), route.path.count("{")))
        self._routes = [(_pattern(route.path), route) for route in ordered]
        self._authorizers = authorizers
        self._cors = cors
        self._invoke = invoke
        self._otherwise = otherwise or (lambda _request, _body: message(404, "Not Found"))

    def answer(self, request: Request, body: bytes) -> Response:
        """Answer one request, whatever its function does."""
        if self._cors and request.method == "OPTIONS":
            asked = "access-control-request-method" in request.headers
            return Response(
                status_code=204, headers=self._cors_headers(request, _IN_PREFLIGHT) if asked else {}
            )
        response = self._route(request, body)
        response.headers.update(self._cors_headers(request, _IN_ANSWER))
        response.headers["apigw-requestid"] = uuid.uuid4().hex[:16]
        return response

    def _route(self, request: Request, body: bytes) -> Response:
        # Still percent-encoded, so that a slash in a value does not end a segment.
        path = request.scope["raw_path"].decode()
        for pattern, route in self._routes:
            match = pattern.fullmatch(path)
            if match and route.method in {request.method, "ANY"}:
                variables = {name: unquote(value) for name, value in match.groupdict().items()}
                return self._call(request, body, route, variables)
        return self._otherwise(request, body)

    def _call(
        self, request: Request, body: bytes, route: Route, variables: dict[str, str]
    ) -> Response:
        headers = {name: ",".join(request.headers.getlist(name)) for name in request.headers}
        claims = None
        if route.authorizer:
            authorizer = self._authorizers[route.authorizer]
            try:
                claims = authorizer.claims(headers.get(authorizer.header))
            except UnauthorizedError:
                return message(401, "Unauthorized", **{"www-authenticate": "Bearer"})
            granted = str(claims.get("scope", "")).split()
            if route.scopes and not set(route.scopes).intersection(granted):
                return message(403, "Forbidden")
        event = _event(request, headers, body, route, variables)
        if claims is not None:
            jwt = {"claims": claims_as_strings(claims), "scopes": None}
            event["requestContext"]["authorizer"] = {"jwt": jwt}
        result = self._invoke(route.function, event)
        try:
            if not result.failed:
                return _response(result.payload)
        except (AttributeError, TypeError, ValueError):
            pass  # the payload cannot be made an HTTP answer
        return message(500, "Internal Server Error")

    def _cors_headers(self, request: Request, settings: Mapping[str, str]) -> dict[str, str]:
        origin = request.headers.get("origin")
        allowed = self._cors.get("allowOrigins", ())
        if origin is None or not {origin, "*"}.intersection(allowed):
            return {}
        return {
            "access-control-allow-origin": "*" if "*" in allowed else origin,
            **{
                header: text_of(self._cors[name])
                for name, header in settings.items()
                if name in self._cors
            },
        }


def _pattern(path: str) -> re.Pattern[str]:
    """Return a template's path as an expression: {name} is one segment, {name+} the rest."""

    def variable(match: re.Match[str]) -> str:
        return f"(?P<{match[1]}>{'.+' if match[2] else '[^/]+'})"

    return re.compile(re.sub(r"\\{(\w+)(\\\+)?\\}", variable, re.escape(path)))


def _event(
    request: Request,
    headers: dict[str, str],
    body: bytes,
    route: Route,
    variables: dict[str, str],
) -> dict[str, Any]:
    """Return a payload of format 2.0. What the request does not have is absent, as on AWS."""
    now = time.time()
    host, _, port = headers.get("host", "").partition(":")
    source_ip = request.client.host if request.client else "127.0.0.1"
    cookies = [part.strip() for part in headers.pop("cookie", "").split(";") if part.strip()]
    key = f"{route.method} {route.path}"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": key,
        "rawPath": request.scope["path"],
        "rawQueryString": request.scope["query_string"].decode("latin-1"),
        "headers": {
            **headers,
            "x-forwarded-for": source_ip,
            "x-forwarded-port": port or "80",
            "x-forwarded-proto": "http",
        },
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": request.method,
                "path": request.scope["path"],
                "protocol": f"HTTP/{request.scope['http_version']}",
                "sourceIp": source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": uuid.uuid4().hex[:16],
            "routeKey": key,
            "stage": "$default",
            "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if variables:
        event["pathParameters"] = variables
    if request.query_params:
        query = request.query_params
        event["queryStringParameters"] = {name: ",".join(query.getlist(name)) for name in query}
    if cookies:
        event["cookies"] = cookies
    if body:
        event["body"], event["isBase64Encoded"] = _event_body(headers.get("content-type"), body)
    return event


def _event_body(content_type: str | None, body: bytes) -> tuple[str, bool]:
    if _TEXT.fullmatch((content_type or "text/plain").partition(";")[0].strip()):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass  # its content type is wrong
    return base64.b64encode(body).decode(), True


def _response(payload: Any) -> Response:
    """Return what a function returned as an HTTP answer; without a status it is the body.

    Its CORS headers are left out, since those of the API's settings replace them.
    """
    if not isinstance(payload, dict) or "statusCode" not in payload:
        return Response(json.dumps(payload), media_type="application/json")
    body = payload.get("body") or ""
    headers = {
        name.lower(): _header(value) for name, value in (payload.get("headers") or {}).items()
    }
    kept = {name: text for name, text in headers.items() if not name.startswith("access-control-")}
    response = Response(
        base64.b64decode(body, validate=True) if payload.get("isBase64Encoded") is True else body,
        int(payload["statusCode"]),
        {"content-type": "text/plain;charset=UTF-8", **kept},
    )
    for cookie in payload.get("cookies") or ():
        response.headers.append("set-cookie", _header(cookie))
    return response


def _header(value: Any) -> str:
    """Return the value of a header as text; ValueError if it has more than one line."""
    text = value if isinstance(value, str) else json.dumps(value)
    if "\r" in text or "\n" in text:
        raise ValueError("a header has one line")
    return text
