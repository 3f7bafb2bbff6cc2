"""What people do with message groups: list them, read one, begin one, go on writing.

Every function gets its repository, its caller as the directory knows them, and the time, and
may raise `TryAgainError`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from cachetools import LRUCache, cached

from messaging import keys
from messaging.entities import SENT_FOR, Members, Message, MessageGroup, Pair, Sent, User
from messaging.errors import InvalidRequestError, MessageGroupNotFoundError
from messaging.repository import Page, PageRequest, Repository


@dataclass(frozen=True, kw_only=True)
class NewMessage:
    """What a sender writes.

    Attributes
    ----------
    message_uuid
        The client's name for this send, in canonical form: sent again under it, the message is
        stored once and the answer is the same, for seven days.
    """

    message: str
    message_uuid: str | None = None


@dataclass(frozen=True, kw_only=True)
class SentMessage:
    """What became of a send.

    Attributes
    ----------
    created
        The send made the message group.
    """

    message: Message
    created: bool = False


def list_message_groups(
    repository: Repository, caller: User, request: PageRequest
) -> Page[MessageGroup]:
    """Return a page of the caller's message groups, each once.

    Beside a move a list may show a group at its old and at its new place; the newest counts.
    """
    page = repository.list_message_groups(caller.uuid, request)
    newest: dict[str, MessageGroup] = {}
    for row in page.rows:
        newest.setdefault(row.message_group_uuid, row)
    return replace(page, rows=list(newest.values()))


def list_messages(
    repository: Repository, caller: User, message_group_uuid: str, request: PageRequest
) -> Page[Message]:
    """Return a page of the messages of a group the caller is in.

    Raises
    ------
    MessageGroupNotFoundError
        There is no such group, or the caller is not in it.
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
        ``message_uuid_reused``: the sender sent something else under that name.
    """
    group = _require_member(repository, message_group_uuid, sender)
    send = _begin(repository, sender, f"group {group}", new, now=now)
    return SentMessage(message=_finish(repository, send, sender, group, new))


def create_message_group(
    repository: Repository, sender: User, receiver: User, new: NewMessage, *, now: datetime
) -> SentMessage:
    """Write a message to someone: into the group of the two, made if there is none.

    However many callers race, the pair has one group: the condition on the PAIR item decides.

    Raises
    ------
    InvalidRequestError
        ``message_uuid_reused``: the sender sent something else under that name;
        ``message_to_self``.
    """
    if receiver.uuid == sender.uuid:
        raise InvalidRequestError(["message_to_self"])
    send = _begin(repository, sender, f"user {receiver.uuid}", new, now=now)
    first = Message.from_sender(
        sender, message_group_uuid=send.group, sk=send.sk, message=new.message
    )
    group = repository.create_message_group(
        Pair(user_uuids=(sender.uuid, receiver.uuid), message_group_uuid=send.group),
        Members(
            message_group_uuid=send.group,
            member_uuids=frozenset({sender.uuid, receiver.uuid}),
            created_at=first.position.created_at,
        ),
        [
            MessageGroup.for_owner(sender.uuid, other=receiver, last=first),
            MessageGroup.for_owner(receiver.uuid, other=sender, last=first),
        ],
        first,
    )
    if group == send.group and not send.repeated:
        return SentMessage(message=first, created=True)
    # The pair has its group: another's, or the one that an earlier attempt of this send made.
    message = _finish(repository, send, sender, group, new)
    return SentMessage(message=message, created=group == send.group)


@dataclass(frozen=True, kw_only=True)
class _Send:
    """Where a message is to stand.

    Attributes
    ----------
    group
        The uuid of a new group, should the send need one.
    repeated
        An earlier attempt fixed the place; the message may stand there already.
    """

    sk: str
    group: str
    repeated: bool = False


def _begin(
    repository: Repository, sender: User, receiver: str, new: NewMessage, *, now: datetime
) -> _Send:
    """Fix the key of a message before anything is written under it."""
    message_uuid = new.message_uuid or str(uuid4())
    sk = keys.message_sk(keys.Position(now, message_uuid))
    group = str(uuid4())
    if new.message_uuid is None:
        return _Send(sk=sk, group=group)
    sent = Sent(
        user_uuid=sender.uuid,
        message_uuid=message_uuid,
        message_sk=sk,
        group=group,
        digest=Sent.digest_of(receiver, new.message),
        expires_at=now + SENT_FOR,
    )
    earlier = repository.put_sent(sent)
    if earlier is None:
        return _Send(sk=sk, group=group)
    if earlier.digest != sent.digest:
        raise InvalidRequestError(["message_uuid_reused"])
    return _Send(sk=earlier.message_sk, group=earlier.group, repeated=True)


def _finish(
    repository: Repository, send: _Send, sender: User, group: str, new: NewMessage
) -> Message:
    """Write the message at its key; what an earlier attempt wrote there stays as it is."""
    if send.repeated and (stored := repository.get_message(group, send.sk)):
        return stored
    message = Message.from_sender(sender, message_group_uuid=group, sk=send.sk, message=new.message)
    repository.put_message(message)
    return message


def _require_member(repository: Repository, message_group_uuid: str, user: User) -> str:
    """Return the group's uuid in canonical form."""
    try:
        group = keys.canonical_uuid(message_group_uuid)
    except ValueError:
        raise MessageGroupNotFoundError from None
    _members(repository, group, user.uuid)
    return group


# A member stays one, so what a member was shown is remembered for them. Whoever is refused is
# not remembered, nor does a member's request spare them the reading: each refusal costs the same
# one read, so that its time does not tell whether the group exists.
@cached(LRUCache(maxsize=1024), key=lambda _, group, user_uuid: (group, user_uuid))
def _members(repository: Repository, group: str, user_uuid: str) -> Members:
    """Return the members of a group that the user is in."""
    members = repository.get_members(group)
    if members is None or user_uuid not in members.member_uuids:
        raise MessageGroupNotFoundError
    return members
