"""What is unequal in one message group, and the one transaction that makes it equal.

Pure: what was read goes in (`Snapshot`), what to write comes out (`Plan`). A write is bound to
exactly what was read at its key, so a plan that the table has overtaken fails as a whole.

The messages decide. From them follow the two group rows, MEMBERS and PAIR; a message itself is
never written or deleted. Where the messages leave something open (who the silent member is, how
they are called) the rows that survived are asked; what nobody knows is a `Problem`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cruddur.reconcile.digest import Digest, Name, Rules, Seen
from messaging import keys
from messaging.entities import Item, Members, MessageGroup, Pair, User, preview
from messaging.errors import UnreadableItemError

type Order = tuple[keys.Position, str]

PAIR_SIZE = 2


class Kind(StrEnum):
    """What is unequal, and what keeps it so."""

    ROW_MISSING = "row_missing"
    ROW_BEHIND = "row_behind"
    ROW_AHEAD = "row_ahead"
    ROW_DIFFERS = "row_differs"
    ROW_SURPLUS = "row_surplus"
    MEMBERS_MISSING = "members_missing"
    MEMBERS_DIFFER = "members_differ"
    PAIR_MISSING = "pair_missing"
    PAIR_DIFFERS = "pair_differs"
    # Only a person can do something about these.
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
    # Worth knowing, and equal.
    SEVERAL_GROUPS_OF_PAIR = "several_groups_of_pair"
    MESSAGE_IN_FUTURE = "message_in_future"
    YOUNG = "young"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something to tell the operator; ids and keys only, never what people wrote."""

    kind: Kind
    detail: str
    user_uuid: str | None = None


@dataclass(frozen=True, kw_only=True)
class Write:
    """Put `new` (or delete, when None) where exactly `old` stands (or nothing, when None)."""

    old: Item | None
    new: Item | None

    @property
    def key(self) -> tuple[str, str]:
        """The pk and sk that are written."""
        item = self.new or self.old or {}
        return item["pk"], item["sk"]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """All that was read about a group.

    Attributes
    ----------
    rows
        Every item of the group under ``GRP#``, ghosts included.
    members, pair
        The items; None when there are none.
    rivals
        Other groups of the same two members, each with the place of its newest message.
    taken
        Keys at which another group's row stands.
    names
        How people are called elsewhere in the table, as far as that is known.
    """

    message_group_uuid: str
    digest: Digest
    rows: Sequence[Item] = ()
    members: Item | None = None
    pair: Item | None = None
    rivals: Mapping[str, Order] = field(default_factory=dict)
    taken: frozenset[tuple[str, str]] = frozenset()
    names: Mapping[str, Name] = field(default_factory=dict)


@dataclass(kw_only=True)
class Plan:
    """What is unequal, the writes that end it, what they cannot end, and what else was seen."""

    differences: list[Finding] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        """Nothing is left to do or to report."""
        return not self.differences and not self.problems


def owner_of(item: Mapping[str, object]) -> str | None:
    """Return whose group row `item` is; None when its key does not tell."""
    try:
        return keys.uuid_in(str(item["pk"]), keys.MESSAGE_GROUP_PREFIX)
    except ValueError:
        return None


def other_in(row: Mapping[str, object]) -> str | None:
    """Return the other member that a group row names; None when it names none."""
    try:
        return keys.canonical_uuid(str(row.get("user_uuid")))
    except ValueError:
        return None


def members_in(item: Item | None) -> frozenset[str]:
    """Return who stands in a MEMBERS item, in canonical form; nobody when it is unreadable."""
    if item is None:
        return frozenset()
    try:
        return frozenset(map(keys.canonical_uuid, Members.from_item(item).member_uuids))
    except (UnreadableItemError, ValueError, KeyError, TypeError, AttributeError):
        return frozenset()


def group_in(pair: Item | None) -> str | None:
    """Return the group that a PAIR item names; None when it names none."""
    try:
        return keys.canonical_uuid(Pair.group_in(pair or {}))
    except (UnreadableItemError, ValueError):
        return None


def mentioned_in(digest: Digest, rows: Iterable[Item], members: Item | None) -> frozenset[str]:
    """Return everyone who may be a member: senders, rows' owners and others, MEMBERS."""
    found = set(digest.newest_by) | members_in(members)
    for row in rows:
        found |= {user for user in (owner_of(row), other_in(row)) if user}
    return frozenset(found)


def two_members(digest: Digest, rows: Sequence[Item], members: Item | None) -> frozenset[str]:
    """Return the two members of a group, or nobody when they are not known for certain.

    MEMBERS decides who may read a group, so it is never widened: without it, senders and rows
    have to agree on two people; with it, nobody else may have written.
    """
    users = members_in(members) or mentioned_in(digest, rows, None)
    strangers = mentioned_in(digest, (), None) - users
    return users if len(users) == PAIR_SIZE and not strangers else frozenset()


def make_plan(snapshot: Snapshot, *, rules: Rules, now: datetime) -> Plan:
    """Return what is unequal in a group and what makes it equal."""
    plan, digest = Plan(), snapshot.digest
    plan.problems += [
        Finding(kind=Kind.MESSAGE_UNREADABLE, detail=f"{pk} {sk}") for pk, sk in digest.unreadable
    ]
    newest, floor = digest.newest, digest.floor(rules=rules, now=now)
    if newest is None:
        is_there = snapshot.rows or snapshot.members or digest.unreadable
        kind = Kind.NO_MESSAGES if is_there else Kind.NO_SUCH_GROUP
        plan.problems.append(Finding(kind=kind, detail=f"{len(snapshot.rows)} rows, left alone"))
        return plan
    if newest.position.created_at > now + rules.lag:
        plan.notes.append(
            Finding(kind=Kind.MESSAGE_IN_FUTURE, detail=f"{newest.message.sk}: is the zone right?")
        )
    if floor is None:
        plan.notes.append(Finding(kind=Kind.YOUNG, detail=newest.message.sk))
        return plan
    problem = _problem_with_members(snapshot)
    if problem:
        plan.problems.append(problem)
        return plan
    _Rows(snapshot, newest, floor, rules, now, plan).compare()
    _compare_members(snapshot, now, plan)
    _compare_pair(snapshot, newest, plan)
    return plan


def _problem_with_members(snapshot: Snapshot) -> Finding | None:
    """Return why the group's two members are not certain."""
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


@dataclass(frozen=True)
class _Rows:
    """The comparison of both members' rows with the messages."""

    snapshot: Snapshot
    newest: Seen
    floor: Seen
    rules: Rules
    now: datetime
    plan: Plan

    def compare(self) -> None:
        snapshot = self.snapshot
        members = two_members(snapshot.digest, snapshot.rows, snapshot.members)
        for owner in sorted(members):
            (other,) = members - {owner}
            rows = [row for row in snapshot.rows if owner_of(row) == owner]
            rows.sort(key=lambda row: (self._position(row) is not None, self._position(row)))
            self._compare(owner, other, rows)

    def _compare(self, owner: str, other: str, rows: list[Item]) -> None:
        """Compare the rows of one member, the newest last."""
        pk = keys.message_group_pk(owner)
        if len(rows) == 1 and rows[0]["pk"] == pk and self._may_lag(rows[0], other):
            if rows[0]["sk"] not in self.newest.sks:
                detail = f"{rows[0]['sk']} → {self.newest.message.sk}"
                self.plan.notes.append(Finding(kind=Kind.YOUNG, detail=detail, user_uuid=owner))
            return
        name = self._name(other, rows)
        if name is None:
            detail = f"how the other member {other} is called stands nowhere here"
            self.plan.problems.append(
                Finding(kind=Kind.NAME_UNKNOWN, detail=detail, user_uuid=owner)
            )
            return
        sk = self._sk(pk, rows)
        to = User(uuid=other, handle=name.handle, display_name=name.display_name)
        row = MessageGroup.for_owner(owner, other=to, last=self.newest.message)
        standing = [row for row in rows if _key(row) == (pk, sk)]
        base = (standing or rows)[-1] if rows else {}
        desired = {**base, **row.to_item(), "sk": sk}
        if rows == [desired]:
            return
        self._replace(owner, rows, desired)

    def _replace(self, owner: str, rows: list[Item], desired: Item) -> None:
        """Replace all `rows` of a member by the one that is desired."""

        def found(kind: Kind, row: Item | None) -> None:
            place = row["sk"] if row else "nothing"
            detail = f"{place} → {desired['sk']}" if kind != Kind.ROW_SURPLUS else place
            self.plan.differences.append(Finding(kind=kind, detail=detail, user_uuid=owner))

        standing = next((row for row in rows if _key(row) == _key(desired)), None)
        best = standing or (rows[-1] if rows else None)
        if best != desired:
            found(self._kind(best), best)
            self.plan.writes.append(Write(old=standing, new=desired))
        for row in rows:
            if row is not best:
                found(Kind.ROW_SURPLUS, row)
            if row is not standing:
                self.plan.writes.append(Write(old=row, new=None))

    def _kind(self, row: Item | None) -> Kind:
        if row is None:
            return Kind.ROW_MISSING
        position = self._position(row)
        if position is None or row["sk"] in self.newest.sks:
            return Kind.ROW_DIFFERS
        if position.created_at == self.newest.position.created_at:
            return Kind.ROW_DIFFERS
        return Kind.ROW_BEHIND if position < self.newest.position else Kind.ROW_AHEAD

    def _may_lag(self, row: Item, other: str) -> bool:
        """Tell whether a member's only row is as right as it can be beside young messages.

        It has to stand at or past the newest message that is not young; what a move does not
        mend has to be right already.
        """
        position = self._position(row)
        if self.newest is self.floor or position is None or other_in(row) != other:
            return False
        shown = [seen for seen in (self.newest, self.floor) if row["sk"] in seen.sks]
        if shown and row.get("message") != preview(shown[0].message.message):
            return False
        if not shown and not self.floor.position < position < self.newest.position:
            return False
        digest = self.snapshot.digest
        names = [by[other] for by in (digest.newest_by, digest.settled_by) if other in by]
        called = (row.get("user_display_name"), row.get("user_handle"))
        # Without a message of theirs any name will do, but there must be one: E parks the
        # record of a group whose row it cannot read.
        if not names:
            return all(isinstance(text, str) for text in called)
        return called in [(name.display_name, name.handle) for name in names]

    def _name(self, other: str, rows: list[Item]) -> Name | None:
        """Return how `other` is called: in their newest message, in a row, elsewhere."""
        name = self.snapshot.digest.newest_by.get(other)
        for row in reversed(rows):
            name = name or (name_in(row, self.rules) if other_in(row) == other else None)
        return name or self.snapshot.names.get(other)

    def _sk(self, pk: str, rows: list[Item]) -> str:
        """Return where the row belongs: where it stands, if that will do, else where there is room.

        The last one ends in the message's uuid and cannot be another group's.
        """
        standing = {row["sk"] for row in rows if row["pk"] == pk}
        for sk in self.newest.sks:
            if sk in standing:
                return sk
        free = (sk for sk in self.newest.sks if (pk, sk) not in self.snapshot.taken)
        return next(free, self.newest.sks[-1])

    def _position(self, row: Item) -> keys.Position | None:
        return position_of(row, self.rules)


def position_of(row: Item, rules: Rules) -> keys.Position | None:
    """Return where a group row stands; None when its sk does not tell."""
    try:
        return rules.position(str(row["sk"]))
    except ValueError:
        return None


def name_in(row: Item, rules: Rules) -> Name | None:
    """Return how a group row calls its other member; None when it does not."""
    handle, display_name = row.get("user_handle"), row.get("user_display_name")
    position = position_of(row, rules)
    if position is None or not isinstance(handle, str) or not isinstance(display_name, str):
        return None
    return Name(position=position, display_name=display_name, handle=handle)


def _key(item: Item) -> tuple[str, str]:
    return item["pk"], item["sk"]


def _compare_members(snapshot: Snapshot, now: datetime, plan: Plan) -> None:
    found = snapshot.members
    users = two_members(snapshot.digest, snapshot.rows, found)
    desired = Members(
        message_group_uuid=snapshot.message_group_uuid,
        member_uuids=users,
        created_at=snapshot.digest.first or now,
    ).to_item()
    if found is None:
        plan.differences.append(Finding(kind=Kind.MEMBERS_MISSING, detail=", ".join(sorted(users))))
        plan.writes.append(Write(old=None, new=desired))
    elif not _is_members_of(found, users):
        plan.differences.append(Finding(kind=Kind.MEMBERS_DIFFER, detail=", ".join(sorted(users))))
        plan.writes.append(Write(old=found, new={**found, **desired}))


def _is_members_of(item: Item, users: frozenset[str]) -> bool:
    """Tell whether the API reads exactly `users` in a MEMBERS item."""
    return bool(members_in(item)) and Members.from_item(item).member_uuids == users


def _compare_pair(snapshot: Snapshot, newest: Seen, plan: Plan) -> None:
    """Compare PAIR: it names the pair's group with the newest message."""
    group = snapshot.message_group_uuid
    named = group_in(snapshot.pair)
    orders = {**snapshot.rivals, group: newest.order}
    best = max(orders, key=lambda uuid: (orders[uuid], uuid == named, uuid))
    if len(orders) > 1:
        detail = f"{', '.join(sorted(orders))}; PAIR names the newest, {best}"
        plan.notes.append(Finding(kind=Kind.SEVERAL_GROUPS_OF_PAIR, detail=detail))
    one, other = sorted(two_members(snapshot.digest, snapshot.rows, snapshot.members))
    desired = Pair(user_uuids=(one, other), message_group_uuid=best).to_item()
    if snapshot.pair is None:
        plan.differences.append(Finding(kind=Kind.PAIR_MISSING, detail=best))
        plan.writes.append(Write(old=None, new=desired))
    elif snapshot.pair != {**snapshot.pair, **desired}:
        detail = f"{named} → {best}"
        plan.differences.append(Finding(kind=Kind.PAIR_DIFFERS, detail=detail))
        plan.writes.append(Write(old=snapshot.pair, new={**snapshot.pair, **desired}))
