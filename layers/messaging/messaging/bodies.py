"""What clients write about messages, and what they are shown."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeIs

from messaging import keys
from messaging.entities import Message, MessageGroupRow
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


def message_group_body(row: MessageGroupRow) -> dict[str, str]:
    """Return what the list of message groups shows of a group."""
    return {
        "uuid": row.message_group_uuid,
        "display_name": row.user_display_name,
        "handle": row.user_handle,
        "message": row.message,
        "created_at": keys.format_time(row.position.created_at),
    }


def send_response(result: SendResult, *, created: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return the answer to a send; `created` is its status when the send began a group."""
    message = result.message
    body = {"message_group_uuid": message.message_group_uuid} | message_body(message)
    return Response(status=created if result.created else HTTPStatus.OK, body=body)


def parse_send_to_group(body: Mapping[str, Any]) -> tuple[str, SendRequest] | None:
    """Return the message group that a body names, and what is to be sent to it.

    Return None for a body that names a handle and no group: the form of the bootcamp's application
    sends every message to one route. Raises InvalidRequestError with every rule that the body
    breaks.
    """
    group, handle = body.get("message_group_uuid"), body.get("handle")
    if is_blank(group) and not is_blank(handle):
        return None
    request, codes = _parse_request(body)
    if is_blank(group):
        codes.insert(0, "message_group_uuid_blank")
    elif not isinstance(group, str):
        codes.insert(0, "message_group_uuid_invalid")
    if codes:
        raise InvalidRequestError(codes)
    return str(group), request


def parse_send_to_user(body: Mapping[str, Any], sender: User) -> tuple[str, SendRequest]:
    """Return the handle that a body names, and what is to be sent to that user.

    Raises InvalidRequestError with every rule that the body breaks.
    """
    request, codes = _parse_request(body)
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


def _parse_request(body: Mapping[str, Any]) -> tuple[SendRequest, list[str]]:
    codes = []
    text = "" if (given := body.get("message")) is None else given
    if not _is_storable(text):
        codes.append("message_invalid")
    elif is_blank(text):
        codes.append("message_blank")
    elif len(text) > MAX_MESSAGE_CHARS:
        codes.append("message_exceed_max_chars_1024")
    message_uuid = body.get("message_uuid")
    if message_uuid is not None:
        try:
            message_uuid = keys.canonical_uuid(message_uuid)
        except (ValueError, TypeError, AttributeError):
            codes.append("message_uuid_invalid")
    return SendRequest(message=str(text), message_uuid=message_uuid), codes


def _is_storable(value: object) -> TypeIs[str]:
    """Tell whether `value` is a text that UTF-8 and every client can handle."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can contain
        return False
    return "\0" not in value
