"""What people do with message groups: list them, read one, begin one, go on writing.

Every function may raise `TryAgainError`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from messaging import keys, membership
from messaging.entities import SENT_FOR, Members, Message, MessageGroupRow, NamedSend, Pair
from messaging.repository import Page, PageRequest, Repository
from runtime.errors import InvalidRequestError
from runtime.user import User


@dataclass(frozen=True, kw_only=True)
class SendRequest:
    """The request to send a message: its text, and the name that its client gave to the send.

    Attributes
    ----------
    message_uuid
        The name of the send (an idempotency key), in canonical form. For seven days the same send
        under the same name stores nothing more and gets the same answer.
    """

    message: str
    message_uuid: str | None = None


@dataclass(frozen=True, kw_only=True)
class SendResult:
    """The result of a send: the stored message, and whether it began its message group."""

    message: Message
    created: bool = False


def list_message_groups(
    repository: Repository, caller: User, request: PageRequest
) -> Page[MessageGroupRow]:
    """Return a page of the caller's message groups, each once.

    While a group moves, the index may show it at its old and at its new place; the newer counts.
    """
    page = repository.list_message_groups(caller.uuid, request)
    newest: dict[str, MessageGroupRow] = {}
    for row in page.rows:
        newest.setdefault(row.message_group_uuid, row)
    return replace(page, rows=list(newest.values()))


def list_messages(
    repository: Repository, caller: User, message_group_uuid: str, request: PageRequest
) -> Page[Message]:
    """Return a page of a group's messages.

    Raises MessageGroupNotFoundError when there is no such group, or the caller is not in it.
    """
    group = membership.require(repository, message_group_uuid, caller).message_group_uuid
    return repository.list_messages(group, request)


def create_message(
    repository: Repository,
    sender: User,
    message_group_uuid: str,
    request: SendRequest,
    *,
    now: datetime,
) -> SendResult:
    """Write a message into a group the sender is in.

    Raises
    ------
    MessageGroupNotFoundError
        There is no such group, or the sender is not in it.
    InvalidRequestError
        ``message_uuid_reused``: the sender has sent something else under that name.
    """
    group = membership.require(repository, message_group_uuid, sender).message_group_uuid
    return _send_to_group(repository, sender, group, request, receiver=f"group {group}", now=now)


def create_message_group(
    repository: Repository, sender: User, receiver: User, request: SendRequest, *, now: datetime
) -> SendResult:
    """Write a message to someone, into the group that the two have or into a new one.

    Both may do so at the same time: the condition on the PAIR item lets only one group begin.

    Raises
    ------
    InvalidRequestError
        ``message_to_self``, or ``message_uuid_reused``: the sender has sent something else under
        that name.
    """
    if receiver.uuid == sender.uuid:
        raise InvalidRequestError(["message_to_self"])
    to = f"user {receiver.uuid}"
    message = _message(sender, str(uuid4()), request, now=now, first=True)
    group = message.message_group_uuid
    named = _named_send(message, request, receiver=to, now=now)
    standing = repository.create_message_group(
        Pair(user_uuids=(sender.uuid, receiver.uuid), message_group_uuid=group),
        Members(
            message_group_uuid=group,
            member_uuids=frozenset({sender.uuid, receiver.uuid}),
            created_at=now,
        ),
        [
            MessageGroupRow.for_owner(sender.uuid, other=receiver, last=message),
            MessageGroupRow.for_owner(receiver.uuid, other=sender, last=message),
        ],
        message,
        named,
    )
    if isinstance(standing, Pair):
        group = standing.message_group_uuid
        return _send_to_group(repository, sender, group, request, receiver=to, now=now)
    if named and standing:
        return _answer_again(repository, message, named, standing)
    return SendResult(message=message, created=True)


def _send_to_group(
    repository: Repository,
    sender: User,
    group: str,
    request: SendRequest,
    *,
    receiver: str,
    now: datetime,
) -> SendResult:
    """Write a message into an existing group."""
    message = _message(sender, group, request, now=now)
    named = _named_send(message, request, receiver=receiver, now=now)
    if named is None:
        repository.put_message(message)
    elif earlier := repository.put_named_message(message, named):
        return _answer_again(repository, message, named, earlier)
    return SendResult(message=message)


def _message(
    sender: User, group: str, request: SendRequest, *, now: datetime, first: bool = False
) -> Message:
    sk = keys.message_sk(keys.Position(now, request.message_uuid or str(uuid4())))
    return Message.from_sender(
        sender, message_group_uuid=group, sk=sk, message=request.message, first=first
    )


def _named_send(
    message: Message, request: SendRequest, *, receiver: str, now: datetime
) -> NamedSend | None:
    """Return the item that lets `message` be stored only once, if its client gave it a name."""
    if request.message_uuid is None:
        return None
    return NamedSend(
        user_uuid=message.user_uuid,
        message_uuid=message.message_uuid,
        group=message.message_group_uuid,
        created=message.first,
        message_sk=message.sk,
        digest=NamedSend.digest_of(receiver, request.message),
        expires_at=now + SENT_FOR,
    )


def _answer_again(
    repository: Repository, message: Message, named: NamedSend, earlier: NamedSend
) -> SendResult:
    """Return the result that the `earlier` send of the same name had. Nothing was written now.

    Raises InvalidRequestError when that send was of another text, or to somebody else.
    """
    if earlier.digest != named.digest:
        raise InvalidRequestError(["message_uuid_reused"])
    stored = repository.get_message(earlier.group, earlier.message_sk)
    if stored is None:  # somebody has deleted it since: the repeat does not bring it back
        stored = replace(message, message_group_uuid=earlier.group, sk=earlier.message_sk)
    return SendResult(message=stored, created=earlier.created)
