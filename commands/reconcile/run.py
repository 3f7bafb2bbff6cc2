"""The ways to run reconcile: one group, the whole table, what was parked, the failure queue.

Each yields one `Result` for each group, in an order that lets an interrupted run continue.
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

# Groups that are repaired at a time; the client's pool has ten connections.
WORKERS = 8


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Functions that are told how far a run has come.

    Attributes
    ----------
    begin
        Is called when a part of the run begins, with its name and its number of steps, None when
        that is not known.
    advance
        Is called with the number of steps that were done since the last call.
    """

    begin: Callable[[str, int | None], None] = lambda _what, _total: None
    advance: Callable[[int], None] = lambda _steps: None


def without_lag(rules: Rules) -> Rules:
    """Return the rules for records that the stream's function does not try again.

    Nothing moves their rows any more, so that no difference counts as young.
    """
    return replace(rules, lag=timedelta(0))


def whole_table(
    reconciler: Reconciler,
    *,
    resume_from: str = "",
    workers: int = WORKERS,
    progress: Progress = Progress(),
) -> Iterator[Result]:
    """Make every group equal, in the order of their uuids.

    Parameters
    ----------
    resume_from
        The first group to look at.
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
    """Make one group equal."""
    yield reconciler.reconcile(message_group_uuid)


def parked(reconciler: Reconciler, *, progress: Progress = Progress()) -> Iterator[Result]:
    """Make the groups of all FAILED items equal, and delete the items of those that are."""
    items: dict[str | None, list[Item]] = {}
    for item in reconciler.table.failed():
        items.setdefault(_group_of_parked(item), []).append(item)
    strays = items.pop(None, [])
    progress.begin("comparing parked groups", len(items))
    for group, failed in items.items():
        result = _that_is_there(reconciler.reconcile(str(group)))
        if result.is_equal and not reconciler.dry_run:
            for item in failed:
                # One that was parked anew in the meantime stays.
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
    """Make the groups of all ranges in a failure destination equal; delete the ranges of those."""
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
        yield _that_is_there(reconciler.reconcile(group))


def _that_is_there(result: Result) -> Result:
    """Return the result for a group of old records; a group that no longer exists is equal."""
    left = [finding for finding in result.left if finding.kind != Kind.NO_SUCH_GROUP]
    return replace(result, left=left)
