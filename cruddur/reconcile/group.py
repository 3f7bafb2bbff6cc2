"""Reading one group, and making it equal: read, plan, write, until a fresh reading is equal.

Beside live traffic nothing is lost or doubled: a plan is written in one transaction that is
bound to exactly what was read, so a move of the stream's function in between makes it fail as a
whole, and the group is read again. After a write it is read again, too: only what is found equal
is called equal.
"""

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cruddur.reconcile.digest import Digest, Name, Rules
from cruddur.reconcile.plan import (
    Finding,
    Kind,
    Order,
    Plan,
    Snapshot,
    group_in,
    make_plan,
    members_in,
    mentioned_in,
    position_of,
    two_members,
)
from cruddur.reconcile.table import Table
from messaging import keys
from messaging.entities import Item
from messaging.errors import TryAgainError

ATTEMPTS = 20
LONGEST_PAUSE_SECONDS = 1.0
# Within this time all items of a transaction are seen that one of them was seen of.
SETTLE_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a group before it is read by itself: what a scan came across.

    Attributes
    ----------
    rivals
        Other groups of the same pair, each with the place of its newest message.
    names
        How people are called in the newest place of the whole table that names them.
    """

    digest: Digest | None = None
    rows: tuple[Item, ...] = ()
    members: Item | None = None
    pair: Item | None = None
    rivals: Mapping[str, Order] = field(default_factory=dict)
    names: Mapping[str, Name] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a group.

    Attributes
    ----------
    repaired
        Differences that were found and are gone.
    left
        Differences and problems that are still there.
    notes
        Worth knowing, and equal.
    """

    message_group_uuid: str
    repaired: list[Finding] = field(default_factory=list)
    left: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        """The group's rows, MEMBERS and PAIR are what its messages say."""
        return not self.left


class Reconciler:
    """Makes groups equal, one at a time.

    Parameters
    ----------
    dry_run
        Only find the differences.
    """

    def __init__(
        self,
        table: Table,
        *,
        rules: Rules,
        dry_run: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.table = table
        self.rules = rules
        self.dry_run = dry_run
        self.now = now
        self._sleep = sleep

    def reconcile(self, message_group_uuid: str, known: Known | None = None) -> Result:
        """Make a group equal; `known` spares reading it when that is equal already.

        A table that does not answer leaves the group as `Kind.NO_ANSWER`.
        """
        known = known or Known()
        plan = self.plan_of_known(message_group_uuid, known)
        if plan and plan.is_equal:
            return Result(message_group_uuid=message_group_uuid, notes=plan.notes)
        repaired: list[Finding] = []
        try:
            plan = self._repair(message_group_uuid, known, repaired)
        except TryAgainError:
            left = [Finding(kind=Kind.NO_ANSWER, detail="the table does not answer; run again")]
            return Result(message_group_uuid=message_group_uuid, repaired=repaired, left=left)
        return Result(
            message_group_uuid=message_group_uuid,
            repaired=repaired,
            left=plan.differences + plan.problems,
            notes=plan.notes,
        )

    def plan_of_known(self, message_group_uuid: str, known: Known) -> Plan | None:
        """Return the plan for what a scan came across; None when there was no scan."""
        if known.digest is None:
            return None
        snapshot = Snapshot(
            message_group_uuid=message_group_uuid,
            digest=known.digest,
            rows=known.rows,
            members=known.members,
            pair=known.pair,
            rivals=known.rivals,
            names=known.names,
        )
        return self._plan(snapshot)

    def digest(self, message_group_uuid: str) -> Digest:
        """Read a group's messages."""
        digest, now = Digest(), self.now()
        for item in self.table.messages(message_group_uuid):
            digest.add(item, rules=self.rules, now=now)
        return digest

    def _plan(self, snapshot: Snapshot) -> Plan:
        return make_plan(snapshot, rules=self.rules, now=self.now())

    def _repair(self, message_group_uuid: str, known: Known, repaired: list[Finding]) -> Plan:
        reading = _Reading(self, message_group_uuid, known, self._sleep)
        plan = self._plan(reading.snapshot())
        for attempt in range(ATTEMPTS):
            if self.dry_run or not plan.writes:
                break
            if self.table.write(plan.writes):
                repaired += [found for found in plan.differences if found not in repaired]
            else:
                self._sleep(random.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.05 * 2**attempt)))  # noqa: S311  # jitter
            plan = self._plan(reading.snapshot())
        return plan


class _Reading:
    """Reads a group as often as it takes.

    Its messages are read once, if a scan has not read them already: they are only ever added
    to, and a row that stands past all of them makes them be read again.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        message_group_uuid: str,
        known: Known,
        sleep: Callable[[float], None],
    ) -> None:
        self._reconciler = reconciler
        self._table = reconciler.table
        self._group = message_group_uuid
        self._known = known
        self._digest = known.digest
        self._rivals: dict[str, Order | None] = dict(known.rivals)
        self._sleep = sleep

    def snapshot(self) -> Snapshot:
        digest = self._digest or self._reconciler.digest(self._group)
        members = self._table.get(keys.members_pk(self._group), keys.MEMBERS_SK)
        rows, rivals = self._rows(digest, members)
        if self._is_past(rows, digest):
            # Rows never move ahead of their messages: there is a newer one by now.
            digest = self._reconciler.digest(self._group)
        self._digest = digest
        pair = None
        users = two_members(digest, rows, members)
        if users:
            pair = self._table.get(keys.pair_pk(*users), keys.PAIR_SK)
            rivals |= {group for group in (group_in(pair), *self._known.rivals) if group}
        return Snapshot(
            message_group_uuid=self._group,
            digest=digest,
            rows=rows,
            members=members,
            pair=pair,
            rivals=self._orders(rivals - {self._group}, users),
            taken=self._taken(digest, users),
            names=self._known.names,
        )

    def _rows(self, digest: Digest, members: Item | None) -> tuple[list[Item], set[str]]:
        """Return the group's rows, and other groups of its members.

        The index and the scan only say whose partitions to read; in these everything is seen.
        """
        hints = [*self._known.rows, *self._table.query_group_rows(self._group)]
        hints = [row for row in hints if row["pk"].startswith(keys.MESSAGE_GROUP_PREFIX)]
        rows: dict[tuple[str, str], Item] = {}
        rivals: set[str] = set()
        read: set[str] = set()
        while missing := mentioned_in(digest, [*hints, *rows.values()], members) - read:
            for user in sorted(missing):
                others = mentioned_in(digest, [*hints, *rows.values()], members) - {user}
                mine, theirs = self._rows_of(user, others)
                rows |= {(row["pk"], row["sk"]): row for row in mine}
                rivals |= theirs
            read |= missing
        for pk, sk in {(hint["pk"], hint["sk"]) for hint in hints} - rows.keys():
            # Moved by now, or a uuid in a spelling that the partitions were not asked for.
            if (row := self._table.get(pk, sk)) and self._is_mine(row):
                rows[pk, sk] = row
        return list(rows.values()), rivals

    def _rows_of(self, user: str, others: Iterable[str]) -> tuple[list[Item], set[str]]:
        """Return a user's rows of the group, and their other groups with one of `others`."""
        mine: list[Item] = []
        rivals: set[str] = set()
        # A row that is being moved may be missed at its old and at its new place by one reading.
        for _ in range(2):
            for row in self._table.rows_of(user, message_group_uuid=self._group, others=others):
                if self._is_mine(row):
                    mine.append(row)
                else:
                    rivals |= _uuids(row.get("message_group_uuid"))
            if mine:
                break
        return mine, rivals

    def _is_mine(self, row: Item) -> bool:
        return self._group in _uuids(row.get("message_group_uuid"))

    def _is_past(self, rows: Iterable[Item], digest: Digest) -> bool:
        """Tell whether a row stands past the newest message."""
        newest = digest.newest
        for row in rows:
            position = position_of(row, self._reconciler.rules)
            if newest is None or (
                position and position > newest.position and row["sk"] not in newest.sks
            ):
                return True
        return False

    def _orders(self, rivals: Iterable[str], users: frozenset[str]) -> dict[str, Order]:
        """Return the place of the newest message of each rival that has one."""
        rivals = rivals if users else ()
        for rival in rivals:
            if rival not in self._rivals:
                self._rivals[rival] = self._order(rival, users)
        return {rival: order for rival in rivals if (order := self._rivals[rival])}

    def _order(self, rival: str, users: frozenset[str]) -> Order | None:
        """Return the place of a group's newest message; None when it is not a group of `users`."""
        digest = self._reconciler.digest(rival)
        if digest.newest is None:
            # PAIR may be seen before the first message of the same transaction.
            self._sleep(SETTLE_SECONDS)
            digest = self._reconciler.digest(rival)
        members = members_in(self._table.get(keys.members_pk(rival), keys.MEMBERS_SK))
        if digest.newest is None or (members or users) != users:
            return None
        return digest.newest.order if digest.newest_by.keys() <= users else None

    def _taken(self, digest: Digest, users: Iterable[str]) -> frozenset[tuple[str, str]]:
        """Return the keys at which another group's row stands: only bare ones can be."""
        bare = digest.newest.sks[:-1] if digest.newest else ()
        places = [(keys.message_group_pk(user), sk) for user in users for sk in bare]
        found = [(place, self._table.get(*place)) for place in places]
        return frozenset(place for place, row in found if row and not self._is_mine(row))


def _uuids(value: object) -> set[str]:
    """Return `value` in canonical form, in a set; an empty one when it is no uuid."""
    try:
        return {keys.canonical_uuid(str(value))}
    except ValueError:
        return set()
