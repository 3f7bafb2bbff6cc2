"""The ways to run reconcile: one group, the whole table, parked records, or the failure queue.

Each yields one `Result` for each group, in an order in which an interrupted run can continue.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from commands.parallel import in_parallel
from commands.reconcile.destination import (
    Destination,
    Letter,
    Range,
    RangeTrimmedError,
    RangeUnreadableError,
)
from commands.reconcile.digest import Rules
from commands.reconcile.group import Reconciler, Result
from commands.reconcile.plan import Finding, Kind, Write
from commands.reconcile.survey import Survey
from messaging import keys
from messaging.entities import Item

# The number of groups that are repaired at a time; the client has a pool of ten connections.
WORKERS = 8


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Functions that are told how far a run has come.

    Attributes
    ----------
    begin
        Called at the beginning of a part of the run, with its name and its number of steps, or None
        if that is not known.
    advance
        Called with the number of steps since the last call.
    """

    begin: Callable[[str, int | None], None] = lambda _what, _total: None
    advance: Callable[[int], None] = lambda _steps: None


def without_lag(rules: Rules) -> Rules:
    """Return the rules for records that E will not get again.

    Nothing else moves their rows, so that no message counts as young.
    """
    return replace(rules, lag=timedelta(0))


def whole_table(
    reconciler: Reconciler,
    *,
    resume_from: str = "",
    workers: int = WORKERS,
    progress: Progress = Progress(),
) -> Iterator[Result]:
    """Repair every group, in the order of the uuids.

    Parameters
    ----------
    resume_from
        The first group to repair.
    """
    survey = Survey(rules=reconciler.rules)
    progress.begin("reading the table", reconciler.table.item_count())
    survey.read(reconciler.table, now=reconciler.now, advance=progress.advance)
    snapshots = survey.snapshots()
    groups = [group for group in survey.groups() if group >= resume_from]
    progress.begin("comparing groups", len(groups))

    def reconcile(group: str) -> Result:
        return reconciler.reconcile(group, snapshots[group])

    for result in in_parallel(reconcile, groups, workers=workers):
        yield result
        progress.advance(1)
    strays = [*survey.strays, *survey.pairs_of_nothing(reconciler.table)]
    if strays:
        yield Result(message_group_uuid="", left=strays)


def one_group(reconciler: Reconciler, message_group_uuid: str) -> Iterator[Result]:
    """Repair one group."""
    yield reconciler.reconcile(message_group_uuid)


def parked(reconciler: Reconciler, *, progress: Progress = Progress()) -> Iterator[Result]:
    """Repair the groups of all FAILED items, and delete the items of those that are equal then."""
    items: dict[str | None, list[Item]] = {}
    for item in reconciler.table.failed():
        items.setdefault(_group_of_parked(item), []).append(item)
    strays = items.pop(None, [])
    progress.begin("comparing parked groups", len(items))
    for group, failed in items.items():
        result = _without_missing_group(reconciler.reconcile(str(group)))
        if result.is_equal and not reconciler.dry_run:
            for item in failed:
                # The write fails if it was parked again meanwhile, so that it stays.
                reconciler.table.write([Write(old=item, new=None)])
        yield result
        progress.advance(1)
    if strays:
        kind = Kind.PARKED_WITHOUT_GROUP
        left = [Finding(kind=kind, detail=f"{item['pk']} {item['sk']}") for item in strays]
        yield Result(message_group_uuid="", left=left)


def _group_of_parked(item: Item) -> str | None:
    record_keys = item.get("record_keys")
    pk = record_keys.get("pk") if isinstance(record_keys, dict) else None
    try:
        return keys.uuid_in(str(pk), keys.MESSAGE_PREFIX)
    except ValueError:
        return None


def failure_queue(
    reconciler: Reconciler,
    destination: Destination,
    *,
    progress: Progress = Progress(),
) -> Iterator[Result]:
    """Repair the groups of all records in a failure queue, and delete its messages about them."""
    kept: list[Letter] = []
    progress.begin("reading ranges", None)
    try:
        for letter in destination.letters():
            kept.append(letter)
            is_equal = True
            for result in _letter(reconciler, destination, letter):
                is_equal &= result.is_equal
                yield result
            progress.advance(1)
            if is_equal and not reconciler.dry_run:
                destination.delete(letter)
                kept.remove(letter)
    finally:
        for letter in kept:
            destination.hand_back(letter)


def _letter(reconciler: Reconciler, destination: Destination, letter: Letter) -> Iterator[Result]:
    try:
        range_ = Range.from_body(letter.body)
        groups = destination.groups(range_)
    except RangeTrimmedError as error:
        detail = (
            f"{error} is no longer in the stream; run the whole table, then delete {letter.name}"
        )
        yield Result(message_group_uuid="", left=[Finding(kind=Kind.RANGE_TRIMMED, detail=detail)])
        return
    except RangeUnreadableError as error:
        detail = f"{letter.name}: {error}"
        yield Result(
            message_group_uuid="", left=[Finding(kind=Kind.RANGE_UNREADABLE, detail=detail)]
        )
        return
    for group in sorted(groups):
        yield _without_missing_group(reconciler.reconcile(group))


def _without_missing_group(result: Result) -> Result:
    """Return the result for a group of old records; one that does not exist any more is equal."""
    left = [finding for finding in result.left if finding.kind != Kind.NO_SUCH_GROUP]
    return replace(result, left=left)
