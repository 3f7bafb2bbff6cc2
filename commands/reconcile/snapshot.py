"""What was read about a group, and what its items say about its members.

Rows and keys of an existing table may have other forms; what is returned is in canonical form.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from commands.reconcile.digest import Digest, Rules
from messaging import keys
from messaging.entities import Item, Members
from messaging.errors import UnreadableItemError
from runtime.user import User

type Key = tuple[str, str]

PAIR_SIZE = 2


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything that was read about a group.

    Attributes
    ----------
    rows
        Every item of the group under ``GRP#``, also those whose key has another form.
    members, pair
        The items; None if there are none.
    rivals
        Other groups of the same two members, with the place of their newest message.
    names
        The names of users in other groups, if they are known.
    """

    message_group_uuid: str
    digest: Digest
    rows: Sequence[Item] = ()
    members: Item | None = None
    pair: Item | None = None
    rivals: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, User] = field(default_factory=dict)


def key_of(item: Mapping[str, Any]) -> Key:
    """Return an item's pk and sk."""
    return item["pk"], item["sk"]


def row_key(owner_uuid: str, message_group_uuid: str) -> Key:
    """Return the key of a member's row."""
    return keys.message_group_pk(owner_uuid), keys.message_group_sk(message_group_uuid)


def uuid_or_none(value: object) -> str | None:
    """Return `value` in canonical form; None if it is no uuid."""
    try:
        return keys.canonical_uuid(str(value))
    except ValueError:
        return None


def owner_of(row: Mapping[str, object]) -> str | None:
    """Return the owner of a group row; None if its key has none."""
    return keys.owner_in(str(row["pk"]))


def other_in(row: Mapping[str, object]) -> str | None:
    """Return the other member that a group row names; None if it names none."""
    return uuid_or_none(row.get("user_uuid"))


def members_in(item: Item | None) -> frozenset[str]:
    """Return the members in a MEMBERS item, in canonical form; none if it is unreadable."""
    try:
        return Members.from_item(item or {}).member_uuids
    except UnreadableItemError:
        return frozenset()


def group_in(pair: Item | None) -> str | None:
    """Return the group that a PAIR item names; None if it names none."""
    return uuid_or_none((pair or {}).get("group"))


def mentioned_in(digest: Digest, rows: Iterable[Item], members: Item | None) -> frozenset[str]:
    """Return all possible members: senders, owners of rows, the others in rows, and MEMBERS."""
    found = set(digest.newest_by) | members_in(members)
    for row in rows:
        found |= {user for user in (owner_of(row), other_in(row)) if user}
    return frozenset(found)


def two_members(digest: Digest, rows: Sequence[Item], members: Item | None) -> frozenset[str]:
    """Return the two members of a group; none if they are not certain.

    MEMBERS decides who may read a group, so that nobody is ever added to it: nobody else may have
    written. Without MEMBERS, senders and rows have to name just two people.
    """
    users = members_in(members) or mentioned_in(digest, rows, None)
    strangers = mentioned_in(digest, (), None) - users
    return users if len(users) == PAIR_SIZE and not strangers else frozenset()


def name_in(row: Mapping[str, object]) -> User | None:
    """Return the other member that a group row describes; None if a part is missing."""
    uuid, handle, name = other_in(row), row.get("user_handle"), row.get("user_display_name")
    if uuid is None or not isinstance(handle, str) or not isinstance(name, str):
        return None
    return User(uuid=uuid, handle=handle, display_name=name)


def place_of(row: Mapping[str, object], rules: Rules) -> str:
    """Return the place of a group row in its list; rows of an existing table have it in their key.

    If there is none, return the empty string, which sorts before all places.
    """
    try:
        return rules.place(str(row.get("last_sk", row["sk"])))
    except ValueError:
        return ""
