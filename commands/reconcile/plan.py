"""The differences in one message group, and the writes that end them.

This is a function of what was read (`Snapshot`) to what has to be done (`Plan`). A row that is only
behind goes forward as E moves it. Everything else is a write with a condition on exactly what was
read, so that it fails if the table has changed meanwhile.

Messages are always right. Both group rows, MEMBERS and PAIR follow from them. Only attributes of a
row that follow from messages are compared or written; the others belong to its owner. Messages do
not tell who the other member is, or their name, if only one has written. Then rows that are there
may tell it. What is not known from anywhere is a problem.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum

from commands.reconcile.digest import Rules
from commands.reconcile.snapshot import (
    PAIR_SIZE,
    Key,
    Snapshot,
    group_in,
    key_of,
    members_in,
    mentioned_in,
    name_in,
    owner_of,
    place_of,
    row_key,
    two_members,
)
from messaging import keys
from messaging.entities import Advance, Item, Members, Message, MessageGroupRow, Pair, advances
from runtime.user import User

# The attributes of a row that follow from messages. Others are its owner's (`Marks`), or unknown.
_OWN = frozenset({"pk", "sk"}).union(attribute.name for attribute in fields(MessageGroupRow))


class Kind(StrEnum):
    """The kinds of differences, of problems, and of notes."""

    ROW_MISSING = "row_missing"
    ROW_BEHIND = "row_behind"
    ROW_AHEAD = "row_ahead"
    ROW_DIFFERS = "row_differs"
    ROW_SURPLUS = "row_surplus"
    READ_MARK_MISSING = "read_mark_missing"
    READ_MARK_UNREADABLE = "read_mark_unreadable"
    MESSAGES_MISPLACED = "messages_misplaced"
    MEMBERS_MISSING = "members_missing"
    MEMBERS_DIFFER = "members_differ"
    PAIR_MISSING = "pair_missing"
    PAIR_DIFFERS = "pair_differs"
    # Problems: only a person can do something about them.
    NO_SUCH_GROUP = "no_such_group"
    NO_MESSAGES = "no_messages"
    MESSAGE_UNREADABLE = "message_unreadable"
    OTHER_MEMBER_UNKNOWN = "other_member_unknown"
    TOO_MANY_MEMBERS = "too_many_members"
    NOT_A_MEMBER = "not_a_member"
    NAME_UNKNOWN = "name_unknown"
    ROW_OF_NOBODY = "row_of_nobody"
    PAIR_OF_NOTHING = "pair_of_nothing"
    PARKED_WITHOUT_GROUP = "parked_without_group"
    RANGE_TRIMMED = "range_trimmed"
    RANGE_UNREADABLE = "range_unreadable"
    NO_ANSWER = "no_answer"
    WRITE_REFUSED = "write_refused"
    # Notes.
    SEVERAL_GROUPS_OF_PAIR = "several_groups_of_pair"
    MESSAGE_IN_FUTURE = "message_in_future"
    YOUNG = "young"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something to tell the operator: ids and keys only, never the text of a message."""

    kind: Kind
    detail: str
    user_uuid: str | None = None


@dataclass(frozen=True, kw_only=True)
class Write:
    """A put of `new`, if `old` is None; a delete of `old`, if `new` is None; otherwise a change.

    Its condition is what was read: no item, or one with every attribute of `old` and none that only
    `new` has. Attributes that are in neither of them stay as they are.
    """

    old: Item | None
    new: Item | None

    @property
    def key(self) -> Key:
        """The pk and sk of the item."""
        return key_of(self.new or self.old or {})


@dataclass(kw_only=True)
class Plan:
    """What has to be done for a group.

    Attributes
    ----------
    differences
        What can be repaired, by `writes`, `moves` and `replaces_messages`.
    moves
        The steps that E still has to take, by the row's owner. Steps for young messages are no
        difference.
    replaces_messages
        Messages can get their canonical keys now, since the rows are right.
    problems
        What cannot be repaired.
    notes
        What an operator may want to know.
    """

    differences: list[Finding] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    moves: dict[str, list[Advance]] = field(default_factory=dict)
    replaces_messages: bool = False
    problems: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        """Whether there is neither a difference nor a problem."""
        return not self.differences and not self.problems


def make_plan(snapshot: Snapshot, *, rules: Rules, now: datetime) -> Plan:
    """Return the differences in a group, and the writes that end them."""
    plan, digest = Plan(), snapshot.digest
    plan.problems += [
        Finding(kind=Kind.MESSAGE_UNREADABLE, detail=f"{pk} {sk}") for pk, sk in digest.unreadable
    ]
    newest, settled = digest.newest, digest.settled(rules=rules, now=now)
    if newest is None:
        is_there = snapshot.rows or snapshot.members or digest.unreadable
        kind = Kind.NO_MESSAGES if is_there else Kind.NO_SUCH_GROUP
        plan.problems.append(Finding(kind=kind, detail=f"{len(snapshot.rows)} rows, left alone"))
        return plan
    if newest.position.created_at > now + rules.lag:
        plan.notes.append(
            Finding(kind=Kind.MESSAGE_IN_FUTURE, detail=f"{newest.sk}: is the zone right?")
        )
    if not settled:
        plan.notes.append(Finding(kind=Kind.YOUNG, detail=newest.sk))
        return plan
    if digest.misplaced:
        detail = f"{digest.misplaced}, {digest.misplaced_example} for one"
        plan.differences.append(Finding(kind=Kind.MESSAGES_MISPLACED, detail=detail))
    if problem := _problem_with_members(snapshot):
        plan.problems.append(problem)
        return plan
    members = two_members(snapshot.digest, snapshot.rows, snapshot.members)
    rows = _Rows(snapshot, newest, settled, rules, plan)
    surplus = [write for owner in sorted(members) for write in rows.compare(owner, members)]
    _compare_members(snapshot, members, now, plan)
    _compare_pair(snapshot, members, newest, plan)
    # Last, since of more writes than a transaction takes the last ones wait for the next.
    plan.writes += surplus
    plan.replaces_messages = rows.are_known and not plan.writes and digest.misplaced > 0
    return plan


def _problem_with_members(snapshot: Snapshot) -> Finding | None:
    """Return why the group's two members are not certain; None if they are."""
    for row in snapshot.rows:
        if owner_of(row) is None:
            return Finding(kind=Kind.ROW_OF_NOBODY, detail=f"{row['pk']} {row['sk']}")
    known = members_in(snapshot.members)
    mentioned = mentioned_in(snapshot.digest, snapshot.rows, snapshot.members)
    if known:
        owners = {owner for row in snapshot.rows if (owner := owner_of(row))}
        strangers = sorted((owners | set(snapshot.digest.newest_by)) - known)
        if strangers:
            detail = "writes or has a row, and is not in MEMBERS"
            return Finding(kind=Kind.NOT_A_MEMBER, detail=detail, user_uuid=strangers[0])
    users = known or mentioned
    if len(users) > PAIR_SIZE:
        return Finding(kind=Kind.TOO_MANY_MEMBERS, detail=", ".join(sorted(users)))
    if len(users) < PAIR_SIZE:
        detail = "neither a message, nor a row, nor MEMBERS names them"
        user_uuid = next(iter(users), None)
        return Finding(kind=Kind.OTHER_MEMBER_UNKNOWN, detail=detail, user_uuid=user_uuid)
    return None


@dataclass
class _Rows:
    """Compares the members' rows with the messages.

    Attributes
    ----------
    are_known
        Whether the right contents of both rows are known.
    """

    snapshot: Snapshot
    newest: Message
    settled: list[Message]
    rules: Rules
    plan: Plan
    are_known: bool = True

    def compare(self, owner: str, members: frozenset[str]) -> list[Write]:
        """Compare the row of `owner`; return the deletions of their other rows of this group."""
        (other,) = members - {owner}
        key = row_key(owner, self.snapshot.message_group_uuid)
        rows = [row for row in self.snapshot.rows if owner_of(row) == owner]
        row = next((row for row in rows if key_of(row) == key), None)
        surplus = sorted(
            (row for row in rows if key_of(row) != key),
            key=lambda row: place_of(row, self.rules),
        )
        called = self._called(other, [*surplus, row] if row else surplus)
        if called is None:
            self.are_known = False
            detail = f"how the other member {other} is called stands nowhere here"
            finding = Finding(kind=Kind.NAME_UNKNOWN, detail=detail, user_uuid=owner)
            self.plan.problems.append(finding)
            return []
        steps = advances(list(self.snapshot.digest.newest_by.values()), owner)
        whole = MessageGroupRow.for_owner(owner, other=called, last=self.newest).to_item()
        desired = {name: value for name, value in whole.items() if name in _OWN}
        for step in steps:
            desired |= step.attributes
        if row is None:
            self._found(Kind.ROW_MISSING, owner, f"nothing → {desired['last_sk']}")
            base = surplus[-1] if surplus else {}
            kept = {name: value for name, value in base.items() if name not in _OWN}
            _, mark = _read_mark(kept, desired["last_sk"])
            new = kept | desired | mark
            self.plan.writes.append(Write(old=None, new=new))
        else:
            self._compare_in_place(owner, row, desired, steps)
        for other_row in surplus:
            self._found(Kind.ROW_SURPLUS, owner, " ".join(key_of(other_row)))
        return [Write(old=other_row, new=None) for other_row in surplus]

    def _compare_in_place(
        self, owner: str, row: Item, desired: Item, steps: Sequence[Advance]
    ) -> None:
        """Compare the row that has the right key."""
        own = {name: value for name, value in row.items() if name in _OWN}
        forward = [step for step in steps if self._leads_forward(step, row)]
        moved = dict(own)
        for step in forward:
            moved |= step.attributes
        if moved != desired:
            is_ahead = place_of(row, self.rules) > desired["last_sk"]
            names = [name for name in sorted(_OWN) if own.get(name) != desired.get(name)]
            detail = f"{row.get('last_sk')} → {desired['last_sk']}: {', '.join(names)}"
            self._found(Kind.ROW_AHEAD if is_ahead else Kind.ROW_DIFFERS, owner, detail)
            found, mark = _read_mark(row, desired["last_sk"])
            self.plan.writes.append(Write(old=own | found, new=desired | mark))
            return
        found, mark = _read_mark(row, row["last_sk"])
        if mark:
            kind = Kind.READ_MARK_UNREADABLE if found else Kind.READ_MARK_MISSING
            self._found(kind, owner, f"{found.get('read_sk', 'nothing')} → {row['last_sk']}")
            key = {"pk": row["pk"], "sk": row["sk"]}
            self.plan.writes.append(Write(old=key | found, new=key | mark))
        if forward:
            self.plan.moves[owner] = forward
            detail = ", ".join(f"{s.register} {row.get(s.register)} → {s.to}" for s in forward)
            if all(step.is_done_in(row) for step in advances(self.settled, owner)):
                note = Finding(kind=Kind.YOUNG, detail=detail, user_uuid=owner)
                self.plan.notes.append(note)
            else:
                self._found(Kind.ROW_BEHIND, owner, detail)

    def _leads_forward(self, step: Advance, row: Item) -> bool:
        """Tell whether E would take this step, and rightly: from a place in canonical form."""
        if "last_sk" not in row or step.register not in row:
            return "last_sk" in row
        place = str(row[step.register])
        try:
            return self.rules.place(place) == place < step.to
        except ValueError:
            return False

    def _called(self, other: str, rows: Sequence[Item]) -> User | None:
        """Return `other` with their names: from their newest message, a row, or another group."""
        if message := self.snapshot.digest.newest_by.get(other):
            return message.sender
        for row in reversed(rows):
            if (called := name_in(row)) and called.uuid == other:
                return called
        return self.snapshot.names.get(other)

    def _found(self, kind: Kind, owner: str, detail: str) -> None:
        self.plan.differences.append(Finding(kind=kind, detail=detail, user_uuid=owner))


def _read_mark(row: Item, last_sk: str) -> tuple[Item, Item]:
    """Return the mark that a row has and the one that it should have; nothing if it is right.

    A row without a mark was written before there were marks: all its messages count as read. From
    then on the mark is its owner's. A mark that is no place is replaced: it cannot be compared with
    one, so that its owner would not get a list.
    """
    found = {"read_sk": row["read_sk"]} if "read_sk" in row else {}
    if found and _is_place(found["read_sk"]):
        return {}, {}
    return found, {"read_sk": last_sk}


def _is_place(value: object) -> bool:
    """Tell whether `value` is a place in canonical form."""
    try:
        return keys.message_sk(keys.parse_message_sk(str(value))) == value
    except ValueError:
        return False


def _compare_members(
    snapshot: Snapshot, members: frozenset[str], now: datetime, plan: Plan
) -> None:
    desired = Members(
        message_group_uuid=snapshot.message_group_uuid,
        member_uuids=members,
        created_at=snapshot.digest.first or now,
    ).to_item()
    if members_in(snapshot.members) != members:
        kinds = Kind.MEMBERS_MISSING, Kind.MEMBERS_DIFFER
        _write_item(snapshot.members, desired, kinds, ", ".join(sorted(members)), plan)


def _compare_pair(snapshot: Snapshot, members: frozenset[str], newest: Message, plan: Plan) -> None:
    """Compare PAIR, which has to name that group of the pair that has the newest message."""
    group = snapshot.message_group_uuid
    named = group_in(snapshot.pair)
    places = {**snapshot.rivals, group: newest.sk}
    best = max(places, key=lambda uuid: (places[uuid], uuid == named, uuid))
    if len(places) > 1:
        detail = f"{', '.join(sorted(places))}; PAIR names the newest, {best}"
        plan.notes.append(Finding(kind=Kind.SEVERAL_GROUPS_OF_PAIR, detail=detail))
    one, other = sorted(members)
    desired = Pair(user_uuids=(one, other), message_group_uuid=best).to_item()
    if (snapshot.pair or {}).get("group") != best:
        kinds = Kind.PAIR_MISSING, Kind.PAIR_DIFFERS
        _write_item(snapshot.pair, desired, kinds, f"{named} → {best}", plan)


def _write_item(
    found: Item | None, desired: Item, kinds: tuple[Kind, Kind], detail: str, plan: Plan
) -> None:
    """Put a missing item, or change one that differs; `kinds` are those of the two cases."""
    missing, differs = kinds
    kind = missing if found is None else differs
    plan.differences.append(Finding(kind=kind, detail=detail))
    plan.writes.append(Write(old=found, new={**(found or {}), **desired}))
