"""What people do with message groups: list them, read one, begin one, go on writing.

Every function may raise `TryAgainError`.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

from messaging import keys, membership
from messaging.entities import SENT_FOR, Members, Message, MessageGroupRow, NamedSend, Pair
from messaging.errors import MessageGroupNotFoundError
from messaging.repository import NewMessageGroup, Page, PageRequest, Repository
from messaging.unreadable import report
from runtime.errors import InvalidRequestError, TryAgainError
from runtime.user import User

# A message gets its position just before it is written: what is stored behind a mark, because it
# was long under way, counts as read.
type Clock = Callable[[], datetime]


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
    now: Clock,
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
    send = _Send(sender=sender, request=request, receiver=f"group {group}", now=now)
    return _send_to_group(repository, group, send)


def create_message_group(
    repository: Repository, sender: User, receiver: User, request: SendRequest, *, now: Clock
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
    group, send = str(uuid4()), _Send(sender=sender, request=request, receiver=to, now=now)
    name, both = request.message_uuid, ((sender, receiver), (receiver, sender))

    def begin() -> NewMessageGroup:
        first = send.stamp(group, first=True)
        return NewMessageGroup(
            pair=Pair(user_uuids=(sender.uuid, receiver.uuid), message_group_uuid=group),
            members=Members(
                message_group_uuid=group,
                member_uuids=frozenset({sender.uuid, receiver.uuid}),
                created_at=first.position.created_at,
            ),
            rows=[MessageGroupRow.for_owner(one.uuid, other=two, last=first) for one, two in both],
            first=first,
            named=send.named(name) if name else None,
        )

    standing = repository.create_message_group(begin)
    if isinstance(standing, Pair):
        return _send_to_group(repository, _group_of(repository, standing, sender), send)
    if standing:
        return _answer_again(repository, send, standing)
    return SendResult(message=send.message, created=True)


def _group_of(repository: Repository, pair: Pair, sender: User) -> str:
    """Return the group of a pair, if these two are its members.

    PAIR is written together with MEMBERS, but somebody may have restored or changed one of them.
    A message would then go where nobody can read it, or where somebody else can.

    Raises
    ------
    TryAgainError
        They are not. Just after the pair's other member began the group, it may be that MEMBERS
        cannot be read yet; otherwise `reconcile` tells what is wrong.
    """
    with suppress(MessageGroupNotFoundError):
        members = membership.require(repository, pair.message_group_uuid, sender)
        if members.member_uuids == set(pair.user_uuids):
            return members.message_group_uuid
    reason = "the members of the group are not these two"
    report(keys.pair_pk(*pair.user_uuids), keys.PAIR_SK, reason=reason)
    raise TryAgainError


def _send_to_group(repository: Repository, group: str, send: "_Send") -> SendResult:
    """Write a message into an existing group."""
    name = send.request.message_uuid
    if name is None:
        repository.put_message(send.stamp(group))
    elif earlier := repository.put_named_message(lambda: (send.stamp(group), send.named(name))):
        return _answer_again(repository, send, earlier)
    return SendResult(message=send.message)


@dataclass(kw_only=True)
class _Send:
    """A message that gets its time, and so its position, at each attempt to write it.

    Attributes
    ----------
    receiver
        Whom it is for, as the digest of a named send has it.
    message
        As it was stamped last.
    """

    sender: User
    request: SendRequest
    receiver: str
    now: Clock
    message: Message = field(init=False)

    def stamp(self, group: str, *, first: bool = False) -> Message:
        """Return the message as it is to be written now."""
        position = keys.Position(self.now(), self.request.message_uuid or str(uuid4()))
        self.message = Message.from_sender(
            self.sender,
            message_group_uuid=group,
            sk=keys.message_sk(position),
            message=self.request.message,
            first=first,
        )
        return self.message

    def named(self, name: str) -> NamedSend:
        """Return the item that lets the message be stored only once under its client's name."""
        return NamedSend(
            user_uuid=self.sender.uuid,
            message_uuid=name,
            group=self.message.message_group_uuid,
            created=self.message.first,
            message_sk=self.message.sk,
            digest=self.digest,
            expires_at=self.message.position.created_at + SENT_FOR,
        )

    @property
    def digest(self) -> str:
        """What tells whether a repetition under the same name is one."""
        return NamedSend.digest_of(self.receiver, self.request.message)


def _answer_again(repository: Repository, send: _Send, earlier: NamedSend) -> SendResult:
    """Return the result that the `earlier` send of the same name had. Nothing was written now.

    Raises InvalidRequestError when that send was of another text, or to somebody else.
    """
    if earlier.digest != send.digest:
        raise InvalidRequestError(["message_uuid_reused"])
    stored = repository.get_message(earlier.group, earlier.message_sk)
    if stored is None:  # somebody has deleted it since: the repeat does not bring it back
        stored = replace(send.message, message_group_uuid=earlier.group, sk=earlier.message_sk)
    return SendResult(message=stored, created=earlier.created)
