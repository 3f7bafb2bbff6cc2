"""HTTP: what comes in, what goes out, and which error has which answer.

The wire format is the bootcamp reference's, so that existing Cruddur front ends keep working;
where it has no counterpart the field's standards serve: problem objects (RFC 9457), Link
headers (RFC 8288).
"""

import base64
import binascii
import json
import re
import time
import traceback
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeIs
from urllib.parse import quote, urlencode

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response, content_types
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.utilities.typing import LambdaContext

from messaging import keys, sam_local
from messaging.deadline import deadline
from messaging.entities import Message, MessageGroup, User
from messaging.errors import (
    BadRequestError,
    ForeignEventError,
    InvalidRequestError,
    RequestError,
    RouteNotFoundError,
    TokenUseError,
    UnauthorizedError,
)
from messaging.message_groups import NewMessage, SentMessage
from messaging.ping import is_ping
from messaging.repository import Page, PageRequest

MAX_MESSAGE_CHARS = 1024
# A time of 32 characters, a separator, a uuid; DynamoDB itself refuses more than 1,024 bytes.
MAX_SK_CHARS = 128
DEFAULT_LIMIT = "20"
LIMITS = frozenset(str(limit) for limit in range(1, 101))
# Time to shape and send an answer before Lambda kills the function.
MARGIN_SECONDS = 0.5

# What is answered is for one person: nothing on the way keeps it, no browser shows it to a page
# of another origin or takes it for something else than it says.
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
        # An exception's message may hold what people write or who they are; where it was raised
        # does not.
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
            logger.set_correlation_id(None)  # that of the request before
            logger.error(str(error), extra={"error": type(error).__name__})  # noqa: TRY400  # where it was raised tells nothing
            problem = _problem(error.status, error.codes)
            # This shape is understood by every kind of API that may have sent the event.
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

    The gateway has chosen the route. Its rawPath is decoded and may hold anything, which the
    resolver's patterns do not let through.

    Raises
    ------
    ForeignEventError
        No HTTP API has sent this, or one with another payload format.
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


def subject(app: APIGatewayHttpResolver) -> str:
    """Return the ``sub`` of the access token that the gateway verified.

    An event without the gateway's word is nobody's; only `sam local` sends such events.

    Raises
    ------
    UnauthorizedError
        The event carries no verified token.
    TokenUseError
        It is another kind of token.
    """
    context = app.current_event.raw_event["requestContext"]
    if "authorizer" in context:
        claims = ((context["authorizer"] or {}).get("jwt") or {}).get("claims") or {}
    else:
        claims = sam_local.claims(app.current_event.headers.get("authorization"), now=time.time())
    if not claims.get("sub"):
        raise UnauthorizedError
    if claims.get("token_use") != "access":
        raise TokenUseError
    return str(claims["sub"])


@dataclass(frozen=True, kw_only=True)
class Query:
    """The query parameters of a list: which page of it, and in which order."""

    page: PageRequest
    ascending: bool


def query(app: APIGatewayHttpResolver, *, sortable: bool = False) -> Query:
    """Return the query parameters ``limit``, ``cursor`` and, if `sortable`, ``order``.

    Raises
    ------
    InvalidRequestError
        ``limit_invalid``, ``cursor_invalid``, ``order_invalid``.
    """
    parameters = app.current_event.query_string_parameters
    codes = []
    limit = parameters.get("limit", DEFAULT_LIMIT)
    if limit not in LIMITS:
        codes.append("limit_invalid")
    cursor = parameters.get("cursor")
    newer, sk = False, None
    if cursor is not None:
        try:
            newer, sk = _parse_cursor(cursor)
        except ValueError:
            codes.append("cursor_invalid")
    order = parameters.get("order", "desc") if sortable else "desc"
    if order not in {"asc", "desc"}:
        codes.append("order_invalid")
    if codes:
        raise InvalidRequestError(codes)
    return Query(page=PageRequest(limit=int(limit), sk=sk, newer=newer), ascending=order == "asc")


# A cursor is one letter for the direction and a position (an sk) in the list. It names nothing
# else: the partition comes from the authenticated request, so there is nothing to forge.
_NEWER, _OLDER = "n", "o"


def _cursor(direction: str, sk: str) -> str:
    return base64.urlsafe_b64encode(f"{direction}{sk}".encode()).decode().rstrip("=")


def _parse_cursor(cursor: str) -> tuple[bool, str]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (UnicodeError, binascii.Error) as error:
        raise ValueError("not base64url") from error
    direction, sk = text[:1], text[1:]
    if len(sk) > MAX_SK_CHARS:
        raise ValueError("no sk is as long")
    keys.parse_message_sk(sk)
    if direction not in {_NEWER, _OLDER} or _cursor(direction, sk) != cursor.rstrip("="):
        raise ValueError("not a cursor")
    return direction == _NEWER, sk


def page_response[Row: (Message, MessageGroup)](
    app: APIGatewayHttpResolver, page: Page[Row], query: Query, body: Callable[[Row], Any]
) -> Response[str]:
    """Return a page as a bare JSON array, with links to the pages on both sides of it.

    ``next`` is there when something older is; ``prev`` whenever the page has a row, so that a
    client can ask later what is newer.
    """
    parameters = {"limit": str(query.page.limit)} | ({"order": "asc"} if query.ascending else {})
    links = []

    def link(relation: str, direction: str, row: Row) -> None:
        target = urlencode(parameters | {"cursor": _cursor(direction, row.list_sk)})
        links.append(f'<{app.current_event.path}?{target}>; rel="{relation}"')

    if page.rows and page.has_older:
        link("next", _OLDER, page.rows[-1])
    if page.rows:
        link("prev", _NEWER, page.rows[0])
    rows = page.rows[::-1] if query.ascending else page.rows
    return _response(HTTPStatus.OK, [body(row) for row in rows], {"Link": ", ".join(links)})


def message_body(message: Message) -> dict[str, str]:
    """Return a message as the list of messages shows it."""
    return {
        "uuid": message.message_uuid,
        "display_name": message.user_display_name,
        "handle": message.user_handle,
        "message": message.message,
        "created_at": keys.format_time(message.position.created_at),
    }


def message_group_body(row: MessageGroup) -> dict[str, str]:
    """Return a message group as the list of message groups shows it."""
    return {
        "uuid": row.message_group_uuid,
        "display_name": row.user_display_name,
        "handle": row.user_handle,
        "message": row.message,
        "created_at": keys.format_time(row.position.created_at),
    }


def sent_response(sent: SentMessage, *, created: HTTPStatus = HTTPStatus.OK) -> Response[str]:
    """Return what was sent; `created` is the status when the send made the message group."""
    body = {"message_group_uuid": sent.message.message_group_uuid} | message_body(sent.message)
    return _response(created if sent.created else HTTPStatus.OK, body)


def user_response(user: User) -> Response[str]:
    """Return a user as others see them."""
    body = {"uuid": user.uuid, "handle": user.handle, "display_name": user.display_name}
    return _response(HTTPStatus.OK, body)


def json_body(app: APIGatewayHttpResolver) -> dict[str, Any]:
    """Return the body, a JSON object.

    Raises
    ------
    BadRequestError
        ``body_not_utf8``, ``body_not_json``, ``body_not_object``.
    """
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


def to_group(body: Mapping[str, Any]) -> tuple[str, NewMessage] | None:
    """Return the group and the message of a body for an existing group.

    Return None when it names a handle in place of a group: the reference's form sends every
    message to one route.

    Raises
    ------
    InvalidRequestError
        Every rule that the body breaks.
    """
    group, handle = body.get("message_group_uuid"), body.get("handle")
    if _is_blank(group) and not _is_blank(handle):
        return None
    new, codes = _new_message(body)
    if _is_blank(group):
        codes.insert(0, "message_group_uuid_blank")
    elif not isinstance(group, str):
        codes.insert(0, "message_group_uuid_invalid")
    if codes:
        raise InvalidRequestError(codes)
    return str(group), new


def to_user(body: Mapping[str, Any], sender: User) -> tuple[str, NewMessage]:
    """Return the receiver's handle and the message of a body for someone.

    Raises
    ------
    InvalidRequestError
        Every rule that the body breaks.
    """
    new, codes = _new_message(body)
    handle = body.get("handle")
    if _is_blank(handle):
        codes.insert(0, "user_reciever_handle_blank")
    elif not isinstance(handle, str):
        codes.insert(0, "user_reciever_handle_invalid")
    elif bare_handle(handle).lower() == sender.handle.lower():
        codes.insert(0, "message_to_self")
    if codes:
        raise InvalidRequestError(codes)
    return bare_handle(str(handle)), new


def bare_handle(handle: str) -> str:
    """Return `handle` without the @ that people put before it."""
    return handle.strip().removeprefix("@")


def _new_message(body: Mapping[str, Any]) -> tuple[NewMessage, list[str]]:
    codes = []
    text = "" if (given := body.get("message")) is None else given
    if not _is_storable(text):
        codes.append("message_invalid")
    elif _is_blank(text):
        codes.append("message_blank")
    elif len(text) > MAX_MESSAGE_CHARS:
        codes.append("message_exceed_max_chars_1024")
    message_uuid = body.get("message_uuid")
    if message_uuid is not None:
        try:
            message_uuid = keys.canonical_uuid(message_uuid)
        except (ValueError, TypeError, AttributeError):
            codes.append("message_uuid_invalid")
    return NewMessage(message=str(text), message_uuid=message_uuid), codes


# Spaces and line ends; what controls and formats, as the zero-width space does; marks, which need
# a letter to stand on (https://www.unicode.org/reports/tr44/#General_Category_Values).
_NOTHING_TO_SEE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Mn"})
# The Hangul fillers and the empty Braille pattern: letters and a symbol, but without a shape.
_SHAPELESS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def _is_blank(value: object) -> bool:
    """Tell whether there is nothing in `value` that a reader could see."""
    return value is None or (
        isinstance(value, str)
        # Each letter once: a body of megabytes costs no more than a sentence.
        and all(unicodedata.category(c) in _NOTHING_TO_SEE or c in _SHAPELESS for c in set(value))
    )


def _is_storable(value: object) -> TypeIs[str]:
    """Tell whether `value` is text that UTF-8 can hold, and that every client can show."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate: JSON can spell it
        return False
    return "\0" not in value


def _response(
    status: HTTPStatus, body: object, headers: Mapping[str, str] | None = None
) -> Response[str]:
    return Response(
        status_code=status,
        content_type=content_types.APPLICATION_JSON,
        body=json.dumps(body, ensure_ascii=False),
        headers=_PRIVATE | {name: value for name, value in (headers or {}).items() if value},
    )


def _problem(
    status: HTTPStatus, codes: list[str], headers: Mapping[str, str] | None = None
) -> Response[str]:
    problem = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "errors": codes,
    }
    return Response(
        status_code=status,
        content_type="application/problem+json",
        body=json.dumps(problem),
        headers=_PRIVATE | dict(headers or {}),
    )
