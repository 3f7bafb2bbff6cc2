"""The HTTP side of a function: its request, JSON bodies, and the answer to each error.

Routes and bodies are those of the bootcamp's application, so that Cruddur front ends keep working.
Errors are problem objects (RFC 9457). API Gateway has matched the route before it calls a function,
so nothing here does it again (docs/decisions.md has what a resolver would cost).
"""

import base64
import binascii
import json
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from runtime.deadline import deadline
from runtime.errors import (
    BadRequestError,
    ForeignEventError,
    RequestError,
    RouteNotFoundError,
)
from runtime.ping import is_ping

# Time to shape and send an answer before Lambda kills the function.
MARGIN_SECONDS = 0.5

# An answer is for one person: no cache keeps it, no browser gives it to a page of another origin
# or takes it for another type than it has.
_PRIVATE = {"Cache-Control": "no-store", "Vary": "Origin", "X-Content-Type-Options": "nosniff"}

_PARAMETER = re.compile(r"\{(\w+)\}")

logger = Logger()


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as an HTTP API hands it on, in payload format 2.0.

    Attributes
    ----------
    path
        With its parameters percent-encoded.
    parameters
        The parameters of the path, decoded: they may hold anything.
    query
        Where a name is given more than once, its values are joined by commas.
    headers
        Names are in lower case.
    context
        What the gateway knows of it: ``authorizer``, ``requestId`` and others.
    """

    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    context: Mapping[str, Any]
    body: str
    is_base64: bool

    @classmethod
    def of(cls, event: Any, route: str) -> "Request":
        """Return the request in `event`, which is for ``METHOD /path/{parameter}``.

        Raises
        ------
        ForeignEventError
            The event is not one of an HTTP API in payload format 2.0.
        RouteNotFoundError
            The event is one of another route.
        """
        match event:
            case {
                "version": "2.0",
                "routeKey": str(route_key),
                "requestContext": {"http": {"method": str()}} as context,
            }:
                parameters = event.get("pathParameters") or {}
            case _:
                raise ForeignEventError("an event of an HTTP API in payload format 2.0")
        if route_key != route:
            raise RouteNotFoundError
        try:
            # The rawPath of the event is decoded.
            path = _PARAMETER.sub(lambda found: quote(parameters[found[1]], safe=""), route)
        except KeyError as error:
            raise ForeignEventError(f"the path parameter {error} of {route}") from None
        headers = event.get("headers") or {}
        return cls(
            path=path.partition(" ")[2],
            parameters=parameters,
            query=event.get("queryStringParameters") or {},
            headers={name.lower(): value for name, value in headers.items()},
            context=context,
            body=event.get("body") or "",
            is_base64=bool(event.get("isBase64Encoded")),
        )

    def json_body(self) -> dict[str, Any]:
        """Return the body; raise BadRequestError when it is not a JSON object."""
        raw = self.body.encode("utf-8", "surrogatepass")
        try:
            text = (base64.b64decode(raw) if self.is_base64 else raw).decode()
        except (UnicodeDecodeError, binascii.Error):
            raise BadRequestError(["body_not_utf8"]) from None
        try:
            body = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise BadRequestError(["body_not_json"]) from None
        if not isinstance(body, dict):
            raise BadRequestError(["body_not_object"])
        return body


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True, kw_only=True)
class Response:
    """An answer that only the caller may keep.

    Attributes
    ----------
    body
        What becomes JSON.
    headers
        Further ones; one without a value is left out.
    """

    status: HTTPStatus
    body: object
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def to_gateway(self) -> dict[str, Any]:
        """Return what API Gateway takes for an answer."""
        further = {name: value for name, value in self.headers.items() if value}
        return {
            "statusCode": self.status.value,
            "headers": {"Content-Type": self.content_type, **_PRIVATE, **further},
            "body": json.dumps(self.body, ensure_ascii=False),
            "isBase64Encoded": False,
        }


type Handler = Callable[[Any, LambdaContext], dict[str, Any]]


def handles(route: str) -> Callable[[Callable[[Request], Response]], Handler]:
    """Make a Lambda handler of a function that answers the requests of one route.

    `route` is written as in the template: ``GET /api/messages/{message_group_uuid}``. The handler
    answers every error of this project, and hides every other.
    """

    def decorate(answer: Callable[[Request], Response]) -> Handler:
        @wraps(answer)
        def lambda_handler(event: Any, context: LambdaContext) -> dict[str, Any]:
            if is_ping(event):
                return {}
            deadline.start(context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS)
            logger.set_correlation_id(None)  # it is still that of the last request
            try:
                request = Request.of(event, route)
                logger.set_correlation_id(request.context.get("requestId"))
                response = answer(request)
            except RequestError as error:
                if isinstance(error, ForeignEventError):
                    logger.error(str(error), extra={"error": type(error).__name__})  # noqa: TRY400  # where it was raised tells nothing
                response = _problem(error.status, error.codes, error.headers)
            except Exception as error:  # noqa: BLE001  # the last place before the client
                # The message of an exception may hold what people write or who they are, so that
                # only its type and where it was raised are logged.
                frames = traceback.format_list(traceback.extract_tb(error.__traceback__))
                logger.error("unexpected", extra={"error": type(error).__name__, "frames": frames})  # noqa: TRY400  # for the same reason
                response = _problem(HTTPStatus.INTERNAL_SERVER_ERROR, ["internal_server_error"])
            return response.to_gateway()

        lambda_handler.route = route  # type: ignore[attr-defined]  # for who compares it with the template
        return lambda_handler

    return decorate


def _problem(
    status: HTTPStatus, codes: list[str], headers: Mapping[str, str] | None = None
) -> Response:
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "errors": codes}
    return Response(
        status=status, body=body, headers=headers or {}, content_type="application/problem+json"
    )
