"""Repairs one group: read, plan and write, until a new reading shows no difference.

While people go on writing, nothing is lost or doubled:

- Rows that are behind go forward by the conditional update that E makes, too.
- Everything else is written in one transaction, on condition that nothing of what was read has
  changed. Otherwise it fails as a whole, and the group is read again.
- E cannot move a row that is missing or wrong. So after a write the messages are read again, and
  the rows are moved to the newest one, however young.

Rows are repaired before messages get their canonical keys. To E such a message is a new one; it
then finds rows that are past it, and changes nothing.
"""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from commands.reconcile.digest import Digest, Rules
from commands.reconcile.plan import (
    Finding,
    Kind,
    Plan,
    Write,
    make_plan,
)
from commands.reconcile.snapshot import (
    Key,
    Snapshot,
    group_in,
    key_of,
    members_in,
    mentioned_in,
    row_key,
    two_members,
    uuid_or_none,
)
from commands.reconcile.table import Table
from messaging import keys
from messaging.entities import Item
from messaging.errors import UnreadableItemError
from messaging.moves import move_row
from runtime.errors import TryAgainError

ATTEMPTS = 20
LONGEST_PAUSE_SECONDS = 1.0
# Within this time after one item of a transaction can be read, all of them can.
SETTLE_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result for a group.

    Attributes
    ----------
    repaired
        Differences that were found and repaired.
    left
        Differences and problems that are still there.
    notes
        What an operator may want to know, although it is no difference.
    """

    message_group_uuid: str
    repaired: list[Finding] = field(default_factory=list)
    left: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        """Whether rows, MEMBERS and PAIR are as they follow from the messages."""
        return not self.left


class Reconciler:
    """Repairs groups, one at a time.

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

    def reconcile(self, message_group_uuid: str, scanned: Snapshot | None = None) -> Result:
        """Repair a group. If it has no difference in what was `scanned`, it is not read again.

        The result is `Kind.NO_ANSWER` if the table does not answer, and `Kind.WRITE_REFUSED` if it
        refuses a write.
        """
        if scanned and (plan := self._plan(scanned)).is_equal:
            return Result(message_group_uuid=message_group_uuid, notes=plan.notes)
        seen = scanned or Snapshot(message_group_uuid=message_group_uuid, digest=Digest())
        found: list[Finding] = []
        try:
            plan = self._repair(seen, found)
        except TryAgainError:
            detail = "the table does not answer; the repair may be half done: run it again"
            left = [Finding(kind=Kind.NO_ANSWER, detail=detail)]
            return Result(message_group_uuid=message_group_uuid, left=left)
        except UnreadableItemError as error:
            left = [*found, Finding(kind=Kind.WRITE_REFUSED, detail=str(error))]
            return Result(message_group_uuid=message_group_uuid, left=left)
        return Result(
            message_group_uuid=message_group_uuid,
            repaired=[finding for finding in found if finding not in plan.differences],
            left=plan.differences + plan.problems,
            notes=plan.notes,
        )

    def _plan(self, snapshot: Snapshot) -> Plan:
        return make_plan(snapshot, rules=self.rules, now=self.now())

    def _repair(self, seen: Snapshot, found: list[Finding]) -> Plan:
        """Repair a group as far as possible; return what is left to do.

        It appends to `found` every difference that it tries to repair.
        """
        plan, has_written = self._plan(self._read(seen)), False
        for attempt in range(ATTEMPTS):
            if self.dry_run or not plan.differences:
                break
            found += [finding for finding in plan.differences if finding not in found]
            self._move(seen.message_group_uuid, plan)
            if plan.replaces_messages and not self._replace_messages(seen.message_group_uuid):
                break
            if plan.writes and not self.table.write(plan.writes):
                self._sleep(random.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.05 * 2**attempt)))  # noqa: S311  # jitter
            has_written |= bool(plan.writes)
            plan = self._plan(self._read(seen))
        if has_written:
            self._move(seen.message_group_uuid, plan)
        return plan

    def _move(self, message_group_uuid: str, plan: Plan) -> None:
        for owner, steps in plan.moves.items():
            try:
                move_row(self.table, owner, message_group_uuid, steps)
            except UnreadableItemError:
                # The row has been removed since; the next reading shows that.
                continue

    def _replace_messages(self, message_group_uuid: str) -> int:
        """Give messages their canonical keys, each in one transaction; return how many got one.

        A message keeps its key if another one has the canonical key.
        """
        replaced = 0
        for item in self.table.messages(message_group_uuid):
            try:
                placed = item | {"sk": self.rules.message(item).sk}
            except (UnreadableItemError, ValueError):
                continue
            if placed != item:
                writes = [Write(old=None, new=placed), Write(old=item, new=None)]
                replaced += self.table.write(writes)
        return replaced

    def _read(self, seen: Snapshot) -> Snapshot:
        """Read a group. An earlier reading and the index only tell where its rows may be.

        Rows are read before messages. So a row that is ahead of the messages really is.
        """
        group, table = seen.message_group_uuid, self.table
        members = table.get(keys.members_pk(group), keys.MEMBERS_SK)
        places = {key_of(row) for row in seen.rows} | set(table.row_keys(group))
        places |= {row_key(user, group) for user in members_in(members)}
        rows = self._rows(group, places)
        digest = self._digest(group)
        mentioned = mentioned_in(digest, rows, members)
        rows += self._rows(group, {row_key(user, group) for user in mentioned} - places)
        users = two_members(digest, rows, members)
        pair = table.get(keys.pair_pk(*users), keys.PAIR_SK) if users else None
        rivals = {*seen.rivals, *self._groups_of(users), group_in(pair)} - {group, None}
        newest = {rival: self._newest_place(rival, users) for rival in rivals if rival}
        return Snapshot(
            message_group_uuid=group,
            digest=digest,
            rows=rows,
            members=members,
            pair=pair,
            rivals={rival: place for rival, place in newest.items() if place},
            names=seen.names,
        )

    def _rows(self, message_group_uuid: str, places: Iterable[Key]) -> list[Item]:
        """Return the rows of the group at `places`."""
        items = [self.table.get(pk, sk) for pk, sk in sorted(places)]
        return [
            item
            for item in items
            if item
            and message_group_uuid in (item["sk"], uuid_or_none(item.get("message_group_uuid")))
        ]

    def _digest(self, message_group_uuid: str) -> Digest:
        digest, now = Digest(), self.now()
        for item in self.table.messages(message_group_uuid):
            digest.add(item, rules=self.rules, now=now)
        return digest

    def _groups_of(self, users: frozenset[str]) -> set[str | None]:
        """Return the groups that two users have with each other, according to their lists."""
        return {
            uuid_or_none(row.get("message_group_uuid"))
            for user in users
            for other in users - {user}
            for row in self.table.rows_with(user, other)
        }

    def _newest_place(self, rival: str, users: frozenset[str]) -> str | None:
        """Return the place of a group's newest message; None if it is no group of `users`."""
        digest = self._digest(rival)
        if digest.newest is None:
            # PAIR may be readable before the first message, which is in the same transaction.
            self._sleep(SETTLE_SECONDS)
            digest = self._digest(rival)
        members = members_in(self.table.get(keys.members_pk(rival), keys.MEMBERS_SK))
        if digest.newest is None or (members or users) != users:
            return None
        return digest.newest.sk if digest.newest_by.keys() <= users else None
