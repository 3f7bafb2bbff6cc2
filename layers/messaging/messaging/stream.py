"""What becomes of a batch of the table's stream: E, the group rows follow the messages.

Lambda delivers records at least once and repeats everything from the lowest failed one, so the
rows only ever move forward (`moves`), and a repeat costs one query of the index and no write.

Only what can succeed later is reported as failed, since that holds the shard. What never can
(a record that is not a message, a group with neither rows nor members) is parked as an item.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aws_lambda_powertools import Logger

from messaging import keys
from messaging.entities import PARKED_FOR, Failed, Message
from messaging.errors import MessagingError, TryAgainError, UnreadableItemError
from messaging.moves import Move, Outcome, move_group_rows
from messaging.repository import Repository, from_dynamodb

type Record = Mapping[str, Any]

# As many groups of a batch move at a time; the client's pool has ten connections.
CONCURRENT_MOVES = 8

logger = Logger(child=True)


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
        How many records needed no move of their own, for a newer one of their group was there.
    moves
        One a group that was looked at.
    lags_ms
        For each group that moved: now less the time of its newest message.
    """

    failed: list[str] = field(default_factory=list)
    parked: int = 0
    coalesced: int = 0
    moves: list[Move] = field(default_factory=list)
    lags_ms: list[float] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the batch's metrics by name."""
        return {
            "Moves": len(self.lags_ms),
            "RecordsCoalesced": self.coalesced,
            "RecordsParked": self.parked,
            "GroupsFailed": len(self.failed),
            "Rereads": sum(move.views - 1 for move in self.moves),
            "Conflicts": sum(move.conflicts for move in self.moves),
        }


@dataclass(kw_only=True)
class _Group:
    """The records of one message group in a batch."""

    first: Record
    messages: list[Message]


def update_message_groups(
    records: Iterable[Record],
    repository: Repository,
    *,
    sleep: Callable[[float], None],
    seconds_left: Callable[[], float],
    now: Callable[[], datetime],
    concurrency: int = CONCURRENT_MOVES,
) -> Report:
    """Move the rows of every group that has a new message in `records`.

    Parameters
    ----------
    records
        Records of the stream as Lambda delivers them, in their order.
    seconds_left
        What the invocation has left; a group out of time is reported as failed.
    concurrency
        How many groups move at a time.
    """
    report = Report()
    groups = _groups(records, repository, report, now())

    def move(group: _Group) -> None:
        _move(group, repository, report, sleep=sleep, seconds_left=seconds_left, now=now)

    threads = min(concurrency, len(groups))
    if threads <= 1:  # no thread for the usual batch of one group
        for group in groups:
            move(group)
    else:
        with ThreadPoolExecutor(threads) as executor:
            for _ in executor.map(move, groups):
                pass
    return report


def _groups(
    records: Iterable[Record], repository: Repository, report: Report, now: datetime
) -> Sequence[_Group]:
    """Return the batch by message group; park what is not readable as a message."""
    groups: dict[str, _Group] = {}
    for record in records:
        if not _is_new_message(record):
            continue
        try:
            message = Message.from_item(from_dynamodb(record["dynamodb"]["NewImage"]))
        except (UnreadableItemError, KeyError, TypeError, AttributeError) as error:
            _park(record, repository, report, reason=f"unreadable: {error}", now=now)
            continue
        group = groups.setdefault(message.message_group_uuid, _Group(first=record, messages=[]))
        group.messages.append(message)
    report.coalesced = sum(len(group.messages) - 1 for group in groups.values())
    return list(groups.values())


def _is_new_message(record: Record) -> bool:
    """Tell whether the mapping's filter lets `record` through; tests may hand in any record."""
    pk = str(record["dynamodb"]["Keys"]["pk"].get("S"))
    return bool(record["eventName"] == "INSERT") and pk.startswith(keys.MESSAGE_PREFIX)


def _move(
    group: _Group,
    repository: Repository,
    report: Report,
    *,
    sleep: Callable[[float], None],
    seconds_left: Callable[[], float],
    now: Callable[[], datetime],
) -> None:
    newest = max(group.messages, key=lambda message: message.position)
    ids = {"message_group_uuid": newest.message_group_uuid, "sk": newest.sk}
    try:
        move = move_group_rows(repository, group.messages, sleep=sleep, seconds_left=seconds_left)
    except TryAgainError:
        logger.warning("the table does not answer for now", extra=ids)
        report.failed.append(_sequence_number(group.first))
        return
    except UnreadableItemError as error:
        _park(group.first, repository, report, reason=f"unreadable row: {error}", now=now())
        return
    report.moves.append(move)
    match move.outcome:
        case Outcome.MOVED:
            lag = now() - newest.position.created_at
            report.lags_ms.append(lag.total_seconds() * 1000)
        case Outcome.ALREADY_THERE:
            pass
        case Outcome.INDEX_BEHIND:
            logger.warning("the index does not show every member's row", extra=ids)
            report.failed.append(_sequence_number(group.first))
        case Outcome.NO_MEMBERS:
            _park(group.first, repository, report, reason="neither rows nor members", now=now())


def _park(
    record: Record, repository: Repository, report: Report, *, reason: str, now: datetime
) -> None:
    """Write `record` as a FAILED item, under the same key when it comes again."""
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
        repository.put_failed(failed)
    except MessagingError:
        report.failed.append(sequence_number)
        return
    logger.error("parked a record", extra={"reason": reason, "record_keys": record_keys})
    report.parked += 1


def _sequence_number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
