"""The HTTP side of a function: its resolver, JSON bodies, and the answer to each error.

Routes and bodies are those of the bootcamp's application, so that Cruddur front ends keep working.
Errors are problem objects (RFC 9457).
"""

import base64
import binascii
import json
import re
import traceback
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response, content_types
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
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

type Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]

logger = Logger()


def create_app() -> APIGatewayHttpResolver:
    """Return a resolver that answers every error of this project, and hides every other."""
    app = APIGatewayHttpResolver()
    app.use([_answer_errors])

    @app.not_found
    def answer_no_route(_: Exception) -> Response[str]:
        error = RouteNotFoundError()
        return _problem(error.status, error.codes)

    return app


def _answer_errors(app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[str]:
    try:
        return next_middleware(app)
    except RequestError as error:
        return _problem(error.status, error.codes, error.headers)
    except Exception as error:  # noqa: BLE001  # the last place before the client
        # The message of an exception may hold what people write or who they are, so that only
        # its type and where it was raised are logged.
        frames = traceback.format_list(traceback.extract_tb(error.__traceback__))
        logger.error("unexpected", extra={"error": type(error).__name__, "frames": frames})  # noqa: TRY400  # for the same reason
        return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, ["internal_server_error"])


def handler(app: APIGatewayHttpResolver) -> Handler:
    """Return the Lambda handler of `app`. Path parameters reach its routes percent-encoded."""

    def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        if is_ping(event):
            return {}
        deadline.start(context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS)
        try:
            path = _path(event)
        except ForeignEventError as error:
            logger.set_correlation_id(None)  # it is still that of the last request
            logger.error(str(error), extra={"error": type(error).__name__})  # noqa: TRY400  # where it was raised tells nothing
            problem = _problem(error.status, error.codes)
            # Whatever kind of API has sent the event understands an answer of this form.
            return {
                "statusCode": problem.status_code,
                "headers": {"Content-Type": problem.content_type},
                "body": problem.body,
            }
        logger.set_correlation_id(event["requestContext"].get("requestId"))
        return app.resolve(event | {"rawPath": path}, context)

    return lambda_handler


def _path(event: Any) -> str:
    """Return the path of a request, its parameters percent-encoded.

    The rawPath of the event is decoded, and the resolver's patterns refuse some of what it may
    contain. So the path is made again from the route that the gateway has chosen.

    Raises ForeignEventError when the event is not one of an HTTP API in payload format 2.0.
    """
    match event:
        case {
            "version": "2.0",
            "routeKey": str(route_key),
            "requestContext": {"http": {"method": str()}},
        }:
            _, _, route = route_key.partition(" ")
        case _:
            raise ForeignEventError("an event of an HTTP API in payload format 2.0")
    parameters = event.get("pathParameters") or {}
    try:
        return _PARAMETER.sub(lambda found: quote(parameters[found[1]], safe=""), route)
    except KeyError as error:
        raise ForeignEventError(f"the path parameter {error} of {route}") from None


def json_body(app: APIGatewayHttpResolver) -> dict[str, Any]:
    """Return the body of a request; raise BadRequestError when it is not a JSON object."""
    event = app.current_event.raw_event
    raw = (event.get("body") or "").encode("utf-8", "surrogatepass")
    try:
        text = (base64.b64decode(raw) if event.get("isBase64Encoded") else raw).decode()
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


def json_response(
    status: HTTPStatus,
    body: object,
    headers: Mapping[str, str] | None = None,
    *,
    content_type: str = content_types.APPLICATION_JSON,
) -> Response[str]:
    """Return an answer that only the caller may keep; a header without a value is left out."""
    return Response(
        status_code=status,
        content_type=content_type,
        body=json.dumps(body, ensure_ascii=False),
        headers=_PRIVATE | {name: value for name, value in (headers or {}).items() if value},
    )


def _problem(
    status: HTTPStatus, codes: list[str], headers: Mapping[str, str] | None = None
) -> Response[str]:
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "errors": codes}
    return json_response(status, body, headers, content_type="application/problem+json")
