"""The keys of the table: the one place where the text of a key is made or read.

===========================  ==============================  ============================
item                         pk                              sk
===========================  ==============================  ============================
message                      ``MSG#<message_group_uuid>``    ``<created_at>#<message_uuid>``
message group row            ``GRP#<user_uuid>``             ``<message_group_uuid>``
members of a group           ``MEMBERS#<group uuid>``        ``MEMBERS``
the one group of a pair      ``PAIR#<lower>#<higher uuid>``  ``PAIR``
a send its client named      ``SENT#<user_uuid>``            ``<message_uuid>``
what a user has set          ``USER#<user_uuid>``            ``SETTINGS``
a ticket for a connection    ``TICKET#<digest>``             ``TICKET``
a connection of a user       ``CONNECTIONS#<user_uuid>``     ``<slot>``
the same, by its id          ``CONNECTION#<connection_id>``  ``CONNECTION``
a record that cannot succeed ``FAILED``                      ``<time>#<message_group_uuid>``
===========================  ==============================  ============================

The place of a message, and of a group row in its list, is ``<created_at>#<message_uuid>``. DynamoDB
compares strings, so times are UTC and of fixed width: string order is then time order. Tables of
the bootcamp's application hold bare timestamps with any offset or none. Those are read, too.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from uuid import UUID

# The rows of a message group: (message_group_uuid, sk), keys only.
ROWS_INDEX = "message-group-sk-index"
# A member's list: (pk, last_sk).
LIST_INDEX = "message-group-list-index"

MESSAGE_PREFIX = "MSG#"
MESSAGE_GROUP_PREFIX = "GRP#"
MEMBERS_PREFIX = "MEMBERS#"
PAIR_PREFIX = "PAIR#"
SENT_PREFIX = "SENT#"
USER_PREFIX = "USER#"
TICKET_PREFIX = "TICKET#"
CONNECTIONS_PREFIX = "CONNECTIONS#"
CONNECTION_PREFIX = "CONNECTION#"

MEMBERS_SK = "MEMBERS"
PAIR_SK = "PAIR"
SETTINGS_SK = "SETTINGS"
TICKET_SK = "TICKET"
CONNECTION_SK = "CONNECTION"
FAILED_PK = "FAILED"

# What DynamoDB takes for a sort key of a table or an index.
SK_BYTES = 1024

_SEPARATOR = "#"

# With or without hyphens, in braces, or as a URN; uuid.UUID lets much more through.
_HEX = r"[0-9a-fA-F]"
_HYPHENATED = rf"{_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
_UUID = re.compile(rf"{_HEX}{{32}}|(urn:uuid:)?{_HYPHENATED}|\{{{_HYPHENATED}\}}")


# A page of messages has forty uuids, but only three different ones.
@lru_cache(maxsize=1024)
def canonical_uuid(text: str) -> str:
    """Return a uuid as it is spelled in keys: lower case, with hyphens.

    Raises ValueError when `text` is not a uuid in any of the usual spellings.
    """
    if not _UUID.fullmatch(text):
        raise ValueError(f"not a uuid: {text!r}")
    return str(UUID(text))


def format_time(time: datetime) -> str:
    """Return an aware `time` as ``2026-01-31T09:05:00.000000+00:00``."""
    if time.tzinfo is None:
        raise ValueError("a time in a key needs its offset")
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def parse_time(text: str, *, naive_zone: tzinfo = UTC) -> datetime:
    """Return an ISO 8601 `text` as a time in UTC; without an offset it is in `naive_zone`.

    Raises ValueError when `text` is not such a date and time.
    """
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=naive_zone)).astimezone(UTC)
    except OverflowError as error:  # in UTC it would be before year 1 or after year 9999
        raise ValueError(f"out of range: {text!r}") from error


@dataclass(frozen=True, order=True)
class Position:
    """When a message was written; its uuid decides between two of the same instant."""

    created_at: datetime
    message_uuid: str = ""


def message_sk(position: Position) -> str:
    """Return the sk of the message at `position`, in canonical form.

    Raises
    ------
    ValueError
        It, or what is just after it, is longer than a sort key may be: what others wrote has uuids
        of any length.
    """
    sk = f"{format_time(position.created_at)}{_SEPARATOR}{position.message_uuid}"
    if len(sk_after(sk).encode()) > SK_BYTES:
        raise ValueError("longer than a sort key may be")
    return sk


def parse_message_sk(sk: str, *, naive_zone: tzinfo = UTC) -> Position:
    """Return the position in the `sk` of a message, or in the ``last_sk`` of a group row.

    A bare timestamp gives an empty uuid. Raises ValueError when `sk` does not begin with a time.
    """
    time, _, message_uuid = sk.partition(_SEPARATOR)
    return Position(parse_time(time, naive_zone=naive_zone), message_uuid)


def sk_before(position: Position) -> str:
    """Return the sk just before the message at `position`: every earlier message is before it."""
    return message_sk(replace(position, message_uuid=""))


def sk_after(sk: str) -> str:
    """Return the sk just after `sk`: no message is between the two."""
    return sk + "\0"


def message_pk(message_group_uuid: str) -> str:
    """Return the pk of all messages of a group."""
    return MESSAGE_PREFIX + canonical_uuid(message_group_uuid)


def message_group_pk(user_uuid: str) -> str:
    """Return the pk of all group rows of a user."""
    return MESSAGE_GROUP_PREFIX + canonical_uuid(user_uuid)


def message_group_sk(message_group_uuid: str) -> str:
    """Return the sk of a group's row in a user's partition. It never changes."""
    return canonical_uuid(message_group_uuid)


def members_pk(message_group_uuid: str) -> str:
    """Return the pk of the members of a group."""
    return MEMBERS_PREFIX + canonical_uuid(message_group_uuid)


def pair_pk(user_uuid: str, other_user_uuid: str) -> str:
    """Return the pk of the one group of two users, the same in both directions."""
    lower, higher = sorted((canonical_uuid(user_uuid), canonical_uuid(other_user_uuid)))
    if lower == higher:
        raise ValueError("a pair has two different users")
    return f"{PAIR_PREFIX}{lower}{_SEPARATOR}{higher}"


def sent_pk(user_uuid: str) -> str:
    """Return the pk of all sends of a user that their client named."""
    return SENT_PREFIX + canonical_uuid(user_uuid)


def user_pk(user_uuid: str) -> str:
    """Return the pk of what a user has set for themselves."""
    return USER_PREFIX + canonical_uuid(user_uuid)


def ticket_pk(digest: str) -> str:
    """Return the pk of a ticket, of which only the digest is stored."""
    return TICKET_PREFIX + digest


def connections_pk(user_uuid: str) -> str:
    """Return the pk of all connections of a user."""
    return CONNECTIONS_PREFIX + canonical_uuid(user_uuid)


def connections_sk(slot: int) -> str:
    """Return the sk of a connection among those of its user."""
    return str(slot)


def connection_pk(connection_id: str) -> str:
    """Return the pk of a connection by the id that API Gateway gave it."""
    return CONNECTION_PREFIX + connection_id


def failed_sk(time: datetime, message_group_uuid: str) -> str:
    """Return the sk of a parked record."""
    return f"{format_time(time)}{_SEPARATOR}{message_group_uuid}"


def uuid_in(pk: str, prefix: str) -> str:
    """Return the uuid after `prefix` in `pk`; raise ValueError for another kind of item."""
    if not pk.startswith(prefix):
        raise ValueError(f"not a key of {prefix}: {pk!r}")
    return canonical_uuid(pk.removeprefix(prefix))


def owner_in(pk: str) -> str | None:
    """Return the owner of the group rows under `pk`, or None when they are other items."""
    try:
        return uuid_in(pk, MESSAGE_GROUP_PREFIX)
    except ValueError:
        return None
