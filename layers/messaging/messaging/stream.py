"""Access pattern E: a batch of the table's stream moves the rows of message groups.

Lambda may deliver a record more than once, and repeats everything from the first that failed. The
rows only go forward (`moves`), so that this does no harm.

A record that is reported as failed holds up its shard, so this is only done when it can succeed
later. What never can (a record that is not a message, a group whose members or rows are missing) is
parked as an item of the table.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from cachetools import LRUCache, cachedmethod

from messaging import keys, repository
from messaging.attributes import from_dynamodb
from messaging.entities import PARKED_FOR, Failed, Message, advances
from messaging.errors import UnreadableItemError
from messaging.moves import move_row
from messaging.repository import Repository
from messaging.unreadable import REASON_CHARACTERS
from runtime import environment, side_by_side
from runtime.errors import TryAgainError

type Record = Mapping[str, Any]

REMEMBERED_GROUPS = 10_000

PAIR_SIZE = 2

logger = Logger()


@dataclass(kw_only=True)
class Report:
    """What became of a batch.

    Attributes
    ----------
    failed
        Sequence numbers to be delivered again.
    parked
        How many records, or groups of records, were parked.
    coalesced
        How many records needed no move of their own, because of a newer one of their group.
    lags_ms
        For each group that moved, how long ago its newest message was written.
    """

    failed: list[str] = field(default_factory=list)
    parked: int = 0
    coalesced: int = 0
    lags_ms: list[float] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the batch's metrics by name."""
        return {
            "Moves": len(self.lags_ms),
            "RecordsCoalesced": self.coalesced,
            "RecordsParked": self.parked,
            "GroupsFailed": len(self.failed),
        }


@dataclass(kw_only=True)
class _Group:
    """The records of one message group in a batch, and what became of its rows.

    Attributes
    ----------
    unreadable
        Why its rows can never be moved.
    """

    first: Record
    messages: list[Message]
    members: frozenset[str] = frozenset()
    moved: bool = False
    failed: bool = False
    unreadable: str = ""

    @property
    def uuid(self) -> str:
        return self.messages[0].message_group_uuid

    @property
    def newest(self) -> Message:
        return max(self.messages, key=lambda message: message.place)


class StreamProcessor:
    """Moves rows, and remembers the members of each group, which never change."""

    def __init__(
        self,
        table: Repository,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        concurrency: int = side_by_side.CONCURRENT_CALLS,
    ) -> None:
        self._table = table
        self._clock = clock
        self._concurrency = concurrency
        self._known: LRUCache[str, frozenset[str]] = LRUCache(maxsize=REMEMBERED_GROUPS)
        self._lock = threading.Lock()

    def process(self, records: Iterable[Record]) -> Report:
        """Move the rows of every group that has a new message in `records`, given in order."""
        report = Report()
        groups = self._groups(records, report)
        side_by_side.run(self._find_members, groups, concurrency=self._concurrency)
        rows = [(group, member) for group in groups for member in sorted(group.members)]
        side_by_side.run(lambda row: self._move(*row), rows, concurrency=self._concurrency)
        for group in groups:
            self._conclude(group, report)
        return report

    def _groups(self, records: Iterable[Record], report: Report) -> Sequence[_Group]:
        """Return the batch by message group; park what cannot be read as a message."""
        groups: dict[str, _Group] = {}
        for record in records:
            if not _is_new_message(record):
                continue
            try:
                message = Message.from_item(from_dynamodb(record["dynamodb"]["NewImage"]))
            except (UnreadableItemError, KeyError) as error:
                self._park(record, report, reason=f"unreadable: {error}")
                continue
            group = groups.setdefault(message.message_group_uuid, _Group(first=record, messages=[]))
            group.messages.append(message)
        report.coalesced = sum(len(group.messages) - 1 for group in groups.values())
        return list(groups.values())

    def _find_members(self, group: _Group) -> None:
        try:
            group.members = self._members(group.uuid)
        except TryAgainError:
            group.failed = True
        except UnreadableItemError as error:
            group.unreadable = str(error)

    @cachedmethod(
        lambda self: self._known, key=lambda _, group: group, lock=lambda self: self._lock
    )
    def _members(self, message_group_uuid: str) -> frozenset[str]:
        """Return the two members: the owners of the rows in the index, or else those in MEMBERS.

        For a new group the index may be behind. MEMBERS is read consistently.
        """
        owners = self._table.query_row_owners(message_group_uuid)
        if len(owners) == PAIR_SIZE:
            return owners
        members = self._table.get_members(message_group_uuid)
        if members is None or len(members.member_uuids) < PAIR_SIZE:
            raise UnreadableItemError("a group without two members")
        return members.member_uuids

    def _move(self, group: _Group, member: str) -> None:
        try:
            steps = advances(group.messages, member)
            if move_row(self._table, member, group.uuid, steps):
                group.moved = True
        except TryAgainError:
            group.failed = True
        except UnreadableItemError as error:
            group.unreadable = f"{error} of {member}"
            # Whoever repairs the group may find that its members are others.
            with self._lock:
                self._known.pop(group.uuid, None)

    def _conclude(self, group: _Group, report: Report) -> None:
        ids = {"message_group_uuid": group.uuid, "sk": group.newest.sk}
        if group.failed:
            logger.warning("the table does not answer for now", extra=ids)
            report.failed.append(_sequence_number(group.first))
            return
        if group.moved:
            lag = self._clock() - group.newest.position.created_at
            report.lags_ms.append(lag.total_seconds() * 1000)
        if group.unreadable:
            self._park(group.first, report, reason=group.unreadable)

    def _park(self, record: Record, report: Report, *, reason: str) -> None:
        """Write `record` as a FAILED item: again under the same key, if its own has a time."""
        now, reason = self._clock(), reason[:REASON_CHARACTERS]
        sequence_number = _sequence_number(record)
        record_keys = from_dynamodb(record["dynamodb"]["Keys"])
        try:
            group = keys.uuid_in(str(record_keys["pk"]), keys.MESSAGE_PREFIX)
            time = keys.parse_message_sk(str(record_keys["sk"])).created_at
        except ValueError:
            group, time = sequence_number, now
        failed = Failed(
            time=time,
            message_group_uuid=group,
            reason=reason,
            record_keys=record_keys,
            expires_at=now + PARKED_FOR,
        )
        try:
            self._table.put_failed(failed)
        except TryAgainError:
            report.failed.append(sequence_number)
            return
        logger.error("parked a record", extra={"reason": reason, "record_keys": record_keys})
        report.parked += 1


@environment.once
def of_environment() -> StreamProcessor:
    """Return the stream processor of this environment."""
    return StreamProcessor(repository.of_environment())


def _is_new_message(record: Record) -> bool:
    """Tell whether `record` is a new message, as the filter in template.yaml does.

    Someone who invokes the function by hand may send records of another table or service, which
    are only logged.
    """
    pk = record.get("dynamodb", {}).get("Keys", {}).get("pk", {}).get("S")
    if not isinstance(pk, str):
        source = record.get("eventSourceARN") or record.get("eventSource")
        logger.warning("not a record of this table", extra={"source": source})
        return False
    return record.get("eventName") == "INSERT" and pk.startswith(keys.MESSAGE_PREFIX)


def _sequence_number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
