"""What clients write about messages, and what they are shown."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeIs

from messaging import keys
from messaging.entities import Marking, Message, MessageGroupRow, Settings
from messaging.marks import MarkedMessageGroup
from messaging.message_groups import SendRequest, SendResult
from runtime.api import Response
from runtime.errors import InvalidRequestError
from runtime.text import is_blank
from runtime.user import User, bare_handle

MAX_MESSAGE_CHARS = 1024


def message_body(message: Message) -> dict[str, str]:
    """Return what the list of messages shows of a message."""
    return {
        "uuid": message.message_uuid,
        "display_name": message.user_display_name,
        "handle": message.user_handle,
        "message": message.message,
        "created_at": keys.format_time(message.position.created_at),
    }


def message_group_body(row: MessageGroupRow, *, unread_count: int | None = None) -> dict[str, Any]:
    """Return what the list of message groups shows of a group; without a count if there is none."""
    body = {
        "uuid": row.message_group_uuid,
        "display_name": row.user_display_name,
        "handle": row.user_handle,
        "message": row.message,
        "created_at": keys.format_time(row.position.created_at),
        "unread": row.is_unread,
        "muted": row.marks.muted,
    }
    return body if unread_count is None else body | {"unread_count": unread_count}


def marked_message_group_body(group: MarkedMessageGroup) -> dict[str, Any]:
    """Return a group as the list shows it, and how far its two members have read.

    How far the other has read is left out unless both of them share it.
    """
    body = message_group_body(group.row, unread_count=group.unread_count)
    body["read_up_to"] = _position_body(group.row.marks.read_up_to)
    if group.shares_receipts:
        body["seen_up_to"] = _position_body(group.seen_up_to)
    return body


def _position_body(position: keys.Position | None) -> dict[str, str] | None:
    if position is None:
        return None
    return {"created_at": keys.format_time(position.created_at), "uuid": position.message_uuid}


def me_body(user: User, settings: Settings) -> dict[str, Any]:
    """Return who the caller is, and what they have set."""
    return {
        "uuid": user.uuid,
        "handle": user.handle,
        "display_name": user.display_name,
        "read_receipts": settings.read_receipts,
    }


def ticket_body(url: str, ticket: str, *, expires_at: datetime) -> dict[str, str]:
    """Return a ticket, where it is good, and when the connection will end."""
    return {"url": url, "ticket": ticket, "expires_at": keys.format_time(expires_at)}


def send_response(result: SendResult, *, created: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return the answer to a send; `created` is its status when the send began a group."""
    message = result.message
    body = {"message_group_uuid": message.message_group_uuid} | message_body(message)
    return Response(status=created if result.created else HTTPStatus.OK, body=body)


def parse_send_to_group(
    body: Mapping[str, Any], *, idempotency_key: str | None
) -> tuple[str, SendRequest] | None:
    """Return the message group that a body names, and what is to be sent to it.

    The header `idempotency_key` is another way to give the body's ``message_uuid``. Return None for
    a body that names a handle and no group: the form of the bootcamp's application sends every
    message to one route. Raises InvalidRequestError with every rule that the request
    breaks.
    """
    group, handle = body.get("message_group_uuid"), body.get("handle")
    if is_blank(group) and not is_blank(handle):
        return None
    request, codes = _parse_request(body, idempotency_key)
    if is_blank(group):
        codes.insert(0, "message_group_uuid_blank")
    elif not isinstance(group, str):
        codes.insert(0, "message_group_uuid_invalid")
    if codes:
        raise InvalidRequestError(codes)
    return str(group), request


def parse_send_to_user(
    body: Mapping[str, Any], sender: User, *, idempotency_key: str | None
) -> tuple[str, SendRequest]:
    """Return the handle that a body names, and what is to be sent to that user.

    The header `idempotency_key` is another way to give the body's ``message_uuid``. Raises
    InvalidRequestError with every rule that the request breaks.
    """
    request, codes = _parse_request(body, idempotency_key)
    handle = body.get("handle")
    if is_blank(handle):
        codes.insert(0, "user_reciever_handle_blank")
    elif not isinstance(handle, str):
        codes.insert(0, "user_reciever_handle_invalid")
    elif bare_handle(handle).lower() == sender.handle.lower():
        codes.insert(0, "message_to_self")
    if codes:
        raise InvalidRequestError(codes)
    return bare_handle(str(handle)), request


def parse_marking(body: Mapping[str, Any]) -> Marking:
    """Return what a body marks in a message group.

    Who reads takes the flag "unread" away. A body that also sets it ends with the flag set.
    Raises InvalidRequestError with every rule that the body breaks.
    """
    codes = []
    marking: dict[str, Any] = {}
    if "read_up_to" in body:
        try:
            position = _position(body["read_up_to"])
        except (ValueError, TypeError, KeyError):
            codes.append("read_up_to_invalid")
        else:
            marking |= {"read_sk": keys.message_sk(position), "marked_unread": False}
    if "marked_unread" in body:
        if body["marked_unread"] is not True:
            codes.append("marked_unread_invalid")
        marking["marked_unread"] = True
    if "muted" in body:
        if not isinstance(body["muted"], bool):
            codes.append("muted_invalid")
        marking["muted"] = body["muted"]
    if not marking and not codes:
        codes.append("nothing_to_change")
    if codes:
        raise InvalidRequestError(codes)
    return Marking(**marking)


def parse_settings(body: Mapping[str, Any], user: User) -> Settings:
    """Return what a body sets for a user.

    Raises InvalidRequestError with every rule that the body breaks.
    """
    if "read_receipts" not in body:
        raise InvalidRequestError(["nothing_to_change"])
    if not isinstance(body["read_receipts"], bool):
        raise InvalidRequestError(["read_receipts_invalid"])
    return Settings(user_uuid=user.uuid, read_receipts=body["read_receipts"])


def _position(value: Any) -> keys.Position:
    """Return the position of a message as it is shown to clients.

    The time has an offset: what is just before a message by another clock would leave it unread.
    Raises ValueError, TypeError or KeyError when `value` is no such position.
    """
    time = datetime.fromisoformat(value["created_at"])
    if time.tzinfo is None:
        raise ValueError("a time without an offset")
    created_at = keys.parse_time(value["created_at"])
    return keys.Position(created_at, keys.canonical_uuid(value["uuid"]))


def _parse_request(body: Mapping[str, Any], key: str | None) -> tuple[SendRequest, list[str]]:
    codes = []
    text = "" if (given := body.get("message")) is None else given
    if not _is_storable(text):
        codes.append("message_invalid")
    elif is_blank(text):
        codes.append("message_blank")
    elif len(text) > MAX_MESSAGE_CHARS:
        codes.append("message_exceed_max_chars_1024")
    names = set()
    if (message_uuid := body.get("message_uuid")) is not None:
        try:
            names.add(keys.canonical_uuid(message_uuid))
        except (ValueError, TypeError, AttributeError):
            codes.append("message_uuid_invalid")
    if key is not None:
        # The draft of the IETF quotes it; most who use the header do not.
        is_quoted = key.startswith('"') and key.endswith('"')
        try:
            names.add(keys.canonical_uuid(key[1:-1] if is_quoted else key))
        except ValueError:
            codes.append("idempotency_key_invalid")
    if len(names) > 1:
        codes.append("idempotency_key_differs")
    return SendRequest(message=str(text), message_uuid=min(names, default=None)), codes


def _is_storable(value: object) -> TypeIs[str]:
    """Tell whether `value` is a text that UTF-8 and every client can handle."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can contain
        return False
    return "\0" not in value
