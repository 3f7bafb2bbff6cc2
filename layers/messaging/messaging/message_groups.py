"""What people do with message groups: list them, read one, begin one, go on writing.

Every function may raise `TryAgainError`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from cachetools import LRUCache

from messaging import keys
from messaging.entities import SENT_FOR, Members, Message, MessageGroup, Pair, Sent
from messaging.errors import MessageGroupNotFoundError
from messaging.repository import Page, PageRequest, Repository
from runtime import environment
from runtime.errors import InvalidRequestError
from runtime.user import User


@dataclass(frozen=True, kw_only=True)
class NewMessage:
    """What a sender writes.

    Attributes
    ----------
    message_uuid
        The client's name for this send, in canonical form. For seven days the same send under the
        same name stores nothing more and gets the same answer.
    """

    message: str
    message_uuid: str | None = None


@dataclass(frozen=True, kw_only=True)
class SentMessage:
    """A message that was sent, and whether that began its message group."""

    message: Message
    created: bool = False


def list_message_groups(
    repository: Repository, caller: User, request: PageRequest
) -> Page[MessageGroup]:
    """Return a page of the caller's message groups, each once.

    While a group moves, the index may show it at its old and at its new place; the newer counts.
    """
    page = repository.list_message_groups(caller.uuid, request)
    newest: dict[str, MessageGroup] = {}
    for row in page.rows:
        newest.setdefault(row.message_group_uuid, row)
    return replace(page, rows=list(newest.values()))


def list_messages(
    repository: Repository, caller: User, message_group_uuid: str, request: PageRequest
) -> Page[Message]:
    """Return a page of a group's messages.

    Raises MessageGroupNotFoundError when there is no such group, or the caller is not in it.
    """
    group = _require_member(repository, message_group_uuid, caller)
    return repository.list_messages(group, request)


def create_message(
    repository: Repository, sender: User, message_group_uuid: str, new: NewMessage, *, now: datetime
) -> SentMessage:
    """Write a message into a group the sender is in.

    Raises
    ------
    MessageGroupNotFoundError
        There is no such group, or the sender is not in it.
    InvalidRequestError
        ``message_uuid_reused``: the sender has sent something else under that name.
    """
    group = _require_member(repository, message_group_uuid, sender)
    return _send(repository, sender, group, new, receiver=f"group {group}", now=now)


def create_message_group(
    repository: Repository, sender: User, receiver: User, new: NewMessage, *, now: datetime
) -> SentMessage:
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
    message = _message(sender, str(uuid4()), new, now=now, first=True)
    group = message.message_group_uuid
    sent = _name(message, new, receiver=to, now=now)
    standing = repository.create_message_group(
        Pair(user_uuids=(sender.uuid, receiver.uuid), message_group_uuid=group),
        Members(
            message_group_uuid=group,
            member_uuids=frozenset({sender.uuid, receiver.uuid}),
            created_at=now,
        ),
        [
            MessageGroup.for_owner(sender.uuid, other=receiver, last=message),
            MessageGroup.for_owner(receiver.uuid, other=sender, last=message),
        ],
        message,
        sent,
    )
    if isinstance(standing, Pair):
        group = standing.message_group_uuid
        return _send(repository, sender, group, new, receiver=to, now=now)
    if sent and standing:
        return _repeated(repository, message, sent, standing)
    return SentMessage(message=message, created=True)


def _send(
    repository: Repository,
    sender: User,
    group: str,
    new: NewMessage,
    *,
    receiver: str,
    now: datetime,
) -> SentMessage:
    """Write a message into an existing group."""
    message = _message(sender, group, new, now=now)
    sent = _name(message, new, receiver=receiver, now=now)
    if sent is None:
        repository.put_message(message)
    elif earlier := repository.put_named_message(message, sent):
        return _repeated(repository, message, sent, earlier)
    return SentMessage(message=message)


def _message(
    sender: User, group: str, new: NewMessage, *, now: datetime, first: bool = False
) -> Message:
    sk = keys.message_sk(keys.Position(now, new.message_uuid or str(uuid4())))
    return Message.from_sender(
        sender, message_group_uuid=group, sk=sk, message=new.message, first=first
    )


def _name(message: Message, new: NewMessage, *, receiver: str, now: datetime) -> Sent | None:
    """Return the item that lets `message` be stored only once, if its client gave it a name."""
    if new.message_uuid is None:
        return None
    return Sent(
        user_uuid=message.user_uuid,
        message_uuid=message.message_uuid,
        group=message.message_group_uuid,
        created=message.first,
        message_sk=message.sk,
        digest=Sent.digest_of(receiver, new.message),
        expires_at=now + SENT_FOR,
    )


def _repeated(repository: Repository, message: Message, sent: Sent, earlier: Sent) -> SentMessage:
    """Give the answer that the `earlier` send of the same name got; nothing was written now.

    Raises InvalidRequestError when that was another message, or one to somebody else.
    """
    if earlier.digest != sent.digest:
        raise InvalidRequestError(["message_uuid_reused"])
    stored = repository.get_message(earlier.group, earlier.message_sk)
    if stored is None:  # somebody has deleted it since: the repeat does not bring it back
        stored = replace(message, message_group_uuid=earlier.group, sk=earlier.message_sk)
    return SentMessage(message=stored, created=earlier.created)


def _require_member(repository: Repository, message_group_uuid: str, user: User) -> str:
    """Return the group's uuid in canonical form."""
    try:
        group = keys.canonical_uuid(message_group_uuid)
    except ValueError:
        raise MessageGroupNotFoundError from None
    _members(repository, group, user.uuid)
    return group


# Who is a member stays one, so each member is remembered. Who is refused is not, even where a
# member of the group is: every refusal takes one read, so that the time it takes does not tell
# whether the group exists.
@environment.cached(
    lambda: LRUCache(maxsize=1024), key=lambda _, group, user_uuid: (group, user_uuid)
)
def _members(repository: Repository, group: str, user_uuid: str) -> Members:
    """Return the members of a group that the user is in."""
    members = repository.get_members(group)
    if members is None or user_uuid not in members.member_uuids:
        raise MessageGroupNotFoundError
    return members
