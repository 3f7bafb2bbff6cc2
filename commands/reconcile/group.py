"""Reading one group, and making it equal: read, plan, write, until a fresh reading is equal.

Beside live traffic nothing is lost or doubled:

- Rows that are behind go forward by the stream function's own conditional update.
- All else is written in one transaction that is bound to what was read; what came in between
  makes it fail as a whole, and the group is read again.
- A message that came in while a row was not in its place has not moved it. So after a write the
  messages are read again, and the rows moved to the newest, however young.

Rows get into their places before messages do: each message that gets its key is a new one for the
stream's function, which then finds the rows past it.
"""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from commands.reconcile.digest import Digest, Rules
from commands.reconcile.plan import (
    Finding,
    Key,
    Kind,
    Plan,
    Snapshot,
    Write,
    group_in,
    key_of,
    make_plan,
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
# When one item of a transaction can be read, all of them can within this time.
SETTLE_SECONDS = 0.2


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
        What is worth knowing, although it is no difference.
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

    def reconcile(self, message_group_uuid: str, scanned: Snapshot | None = None) -> Result:
        """Make a group equal; if it is equal in what was `scanned`, it is not read again.

        A table that does not answer leaves the group as `Kind.NO_ANSWER`, one that refuses what
        there is to write as `Kind.WRITE_REFUSED`.
        """
        if scanned and (plan := self._plan(scanned)).is_equal:
            return Result(message_group_uuid=message_group_uuid, notes=plan.notes)
        seen = scanned or Snapshot(message_group_uuid=message_group_uuid, digest=Digest())
        found: list[Finding] = []
        try:
            plan = self._repair(seen, found)
        except TryAgainError:
            detail = "the table does not answer; what was begun may be done; run again"
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
        """Make a group equal as far as possible; return what is left to do.

        Parameters
        ----------
        found
            Every difference that is worked on is appended to it.
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
                # Somebody has taken the row away since; the next reading shows it.
                continue

    def _replace_messages(self, message_group_uuid: str) -> int:
        """Move misplaced messages to their keys, each in one transaction; return how many moved.

        A message stays where it is when another one has that key.
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
        """Read a group; what was seen of it before, and the index, only say where to look.

        Its rows are read before its messages, so that none can be ahead of what is read later.
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
        """Return those rows at `places` that are of the group."""
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
        """Return the groups that the lists of two users have with the other."""
        return {
            uuid_or_none(row.get("message_group_uuid"))
            for user in users
            for other in users - {user}
            for row in self.table.rows_with(user, other)
        }

    def _newest_place(self, rival: str, users: frozenset[str]) -> str | None:
        """Return the place of a group's newest message; None when it is not a group of `users`."""
        digest = self._digest(rival)
        if digest.newest is None:
            # PAIR may be seen before the first message of the same transaction.
            self._sleep(SETTLE_SECONDS)
            digest = self._digest(rival)
        members = members_in(self.table.get(keys.members_pk(rival), keys.MEMBERS_SK))
        if digest.newest is None or (members or users) != users:
            return None
        return digest.newest.sk if digest.newest_by.keys() <= users else None
