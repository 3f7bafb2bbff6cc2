"""One scan of the whole table, and what it tells about every group.

The memory that it takes grows with the number of groups, not of messages. A group may change during
the scan, so that one that seems to have a difference is read again. One without needs no more.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from commands.reconcile.digest import Digest, Rules
from commands.reconcile.plan import Finding, Kind
from commands.reconcile.snapshot import (
    PAIR_SIZE,
    Snapshot,
    group_in,
    key_of,
    members_in,
    name_in,
    owner_of,
    place_of,
    two_members,
)
from commands.reconcile.table import Table
from messaging import keys
from messaging.entities import Item
from runtime.user import User


@dataclass(kw_only=True)
class _Group:
    digest: Digest = field(default_factory=Digest)
    rows: list[Item] = field(default_factory=list)
    members: Item | None = None


class Survey:
    """What was found in a scan.

    Attributes
    ----------
    strays
        Findings about items that belong to no group.
    """

    def __init__(self, *, rules: Rules) -> None:
        self._rules = rules
        self._groups: dict[str, _Group] = {}
        self._pairs: dict[str, Item] = {}
        self.strays: list[Finding] = []

    def read(
        self, table: Table, *, now: Callable[[], datetime], advance: Callable[[int], None]
    ) -> None:
        """Scan the table; call `advance` with the number of items that were read since."""
        for page in table.scan():
            time = now()
            for item in page:
                self.add(item, now=time)
            advance(len(page))

    def add(self, item: Item, *, now: datetime) -> None:
        """Take an item into account, if it belongs to a group."""
        pk = str(item["pk"])
        try:
            if pk.startswith(keys.MESSAGE_PREFIX):
                group = self._group(keys.uuid_in(pk, keys.MESSAGE_PREFIX))
                group.digest.add(item, rules=self._rules, now=now)
            elif pk.startswith(keys.MESSAGE_GROUP_PREFIX):
                uuid = keys.canonical_uuid(str(item.get("message_group_uuid")))
                self._group(uuid).rows.append(item)
            elif pk.startswith(keys.MEMBERS_PREFIX):
                self._group(_group_of_members(item)).members = item
            elif pk.startswith(keys.PAIR_PREFIX):
                self._pairs[pk] = item
        except ValueError:
            is_row = pk.startswith(keys.MESSAGE_GROUP_PREFIX)
            kind = Kind.ROW_OF_NOBODY if is_row else Kind.MESSAGE_UNREADABLE
            self.strays.append(Finding(kind=kind, detail=f"{pk} {item['sk']}"))

    def groups(self) -> list[str]:
        """Return the uuids of all groups, in order."""
        return sorted(self._groups)

    def snapshots(self) -> dict[str, Snapshot]:
        """Return what the scan has of every group."""
        names = self._names()
        places = self._places_by_pair()
        result = {}
        for uuid, group in self._groups.items():
            pair_pk = _pair_pk_of(group) or ""
            others = places.get(pair_pk, {})
            result[uuid] = Snapshot(
                message_group_uuid=uuid,
                digest=group.digest,
                rows=group.rows,
                members=group.members,
                pair=self._pairs.get(pair_pk),
                rivals={other: place for other, place in others.items() if other != uuid},
                names=names,
            )
        return result

    def pairs_of_nothing(self, table: Table) -> Iterator[Finding]:
        """Yield the PAIR items of groups that do not exist. C would write into such a group."""
        paired = self._places_by_pair()
        for pk in sorted(self._pairs.keys() - paired.keys()):
            item = table.get(pk, keys.PAIR_SK)
            group = group_in(item)
            members = table.get(keys.members_pk(group), keys.MEMBERS_SK) if group else None
            # The group may have been made during the scan.
            if item and pk != _pair_pk(members_in(members)):
                yield Finding(kind=Kind.PAIR_OF_NOTHING, detail=f"{pk} names {group}")

    def _group(self, uuid: str) -> _Group:
        return self._groups.setdefault(uuid, _Group())

    def _places_by_pair(self) -> dict[str, dict[str, str]]:
        """Return the groups of each pair with the place of their newest message.

        Groups without a message are left out.
        """
        pairs: dict[str, dict[str, str]] = {}
        for uuid, group in self._groups.items():
            if pair_pk := _pair_pk_of(group):
                places = pairs.setdefault(pair_pk, {})
                if newest := group.digest.newest:
                    places[uuid] = newest.sk
        return pairs

    def _names(self) -> dict[str, User]:
        """Return the names of all users, from their newest message or else from the newest row."""
        written: dict[str, tuple[str, User]] = {}
        shown: dict[str, tuple[str, User]] = {}

        def keep_newest(names: dict[str, tuple[str, User]], place: str, user: User) -> None:
            if user.uuid not in names or names[user.uuid][0] < place:
                names[user.uuid] = place, user

        for group in self._groups.values():
            for message in group.digest.newest_by.values():
                keep_newest(written, message.sk, message.sender)
            for row in group.rows:
                if (user := name_in(row)) and owner_of(row) != user.uuid:
                    keep_newest(shown, place_of(row, self._rules), user)
        return {uuid: user for uuid, (_, user) in (shown | written).items()}


def _group_of_members(item: Item) -> str:
    """Return the group of a MEMBERS item; raise ValueError where the API does not look for it."""
    uuid = keys.uuid_in(item["pk"], keys.MEMBERS_PREFIX)
    if key_of(item) != (keys.members_pk(uuid), keys.MEMBERS_SK):
        raise ValueError("the API asks for another spelling of this key")
    return uuid


def _pair_pk(users: frozenset[str]) -> str | None:
    """Return the pk of a pair; None if these are not two users."""
    return keys.pair_pk(*users) if len(users) == PAIR_SIZE else None


def _pair_pk_of(group: _Group) -> str | None:
    return _pair_pk(two_members(group.digest, group.rows, group.members))
