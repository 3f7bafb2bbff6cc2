"""``bin/ddb/reconcile``: its options, and its output."""

from collections.abc import Iterator
from datetime import UTC, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich import progress as rich_progress

from commands.command import Run
from commands.output import Output, quantity
from commands.reconcile import run as runs
from commands.reconcile.destination import Destination
from commands.reconcile.digest import Rules
from commands.reconcile.group import Reconciler, Result
from commands.reconcile.plan import Finding
from commands.reconcile.table import Table
from commands.terminal import FAILURE, INTERRUPTED, note, plain, progress_bar
from messaging import keys
from runtime.deadline import Deadline

# As the address of a queue it means the stack's own.
OWN_QUEUE = "stack"


def reconcile(
    run: Run,
    message_group_uuid: Annotated[
        str,
        typer.Argument(
            metavar="MESSAGE_GROUP_UUID", help="Repair this group only.", show_default=False
        ),
    ] = "",
    *,
    all_: Annotated[
        bool, typer.Option("--all", help="Repair the whole table, which is also the default.")
    ] = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="Repair the groups of parked records (FAILED items).")
    ] = False,
    destination: Annotated[
        str | None,
        typer.Option(
            metavar="QUEUE_URL",
            help="Repair the groups of the records in a failure queue, which the stream keeps "
            f"for a day. {OWN_QUEUE} stands for the stack's own queue.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the differences and change nothing.")
    ] = False,
    naive_zone: Annotated[
        str,
        typer.Option(
            metavar="ZONE", help="The time zone of times without an offset, by its IANA name."
        ),
    ] = "UTC",
    resume_from: Annotated[
        str,
        typer.Option(
            metavar="UUID", help="Continue with this group; groups are in the order of their uuids."
        ),
    ] = "",
    workers: Annotated[
        int, typer.Option(min=1, max=16, help="The number of groups that are repaired at a time.")
    ] = runs.WORKERS,
) -> None:
    """Rebuild group rows, members and pairs from the messages, in one group or the whole table.

    It can run while people write, and it can be interrupted and run again at any time. It changes
    nothing of a message, except a key that is not the message's time in UTC. A row that is less
    than a minute behind does not count as a difference.

    Exit status: 0 when no difference is left, 1 when one is, 2 for wrong use, 130 when interrupted.
    """
    if sum(map(bool, (message_group_uuid, all_, failed, destination))) > 1:
        raise typer.BadParameter(
            "give one of MESSAGE_GROUP_UUID, --all, --failed and --destination"
        )
    is_whole = not (message_group_uuid or failed or destination)
    if resume_from and not is_whole:
        raise typer.BadParameter("--resume-from is for the whole table")
    group = _uuid(message_group_uuid) if message_group_uuid else None
    first = _uuid(resume_from) if resume_from else ""
    rules = Rules(naive_zone=_zone(naive_zone))

    target = run.target
    if not dry_run:
        run.confirm("This repairs group rows, MEMBERS, PAIR, and keys of messages.")
    table = Table(target.client("dynamodb"), target.output("TableName"), deadline=Deadline())
    reconciler = Reconciler(
        table, rules=rules if group or is_whole else runs.without_lag(rules), dry_run=dry_run
    )
    report = _Report(run.output, dry_run=dry_run)
    with progress_bar() as bar:
        steps = _progress(bar)
        if group:
            results = runs.one_group(reconciler, group)
        elif failed:
            results = runs.parked(reconciler, progress=steps)
        elif destination:
            url = destination
            if destination == OWN_QUEUE:
                url = target.output("FailedRecordsQueueUrl")
            queue = Destination(target.client("sqs"), target.client("dynamodbstreams"), url)
            results = runs.failure_queue(reconciler, queue, progress=steps)
        else:
            results = runs.whole_table(
                reconciler, resume_from=first, workers=workers, progress=steps
            )
        try:
            report.take(results)
        except KeyboardInterrupt:
            bar.stop()
            note(report.how_to_resume(first if is_whole else None))
            raise typer.Exit(INTERRUPTED) from None
    report.sum_up()
    if report.left:
        raise typer.Exit(FAILURE)


def _uuid(text: str) -> str:
    try:
        return keys.canonical_uuid(text)
    except ValueError:
        raise typer.BadParameter(f"not a uuid: {text}") from None


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(f"not a time zone of the IANA list: {name}") from None


def _progress(bar: rich_progress.Progress) -> runs.Progress:
    tasks: list[rich_progress.TaskID] = []

    def begin(what: str, total: int | None) -> None:
        for task in tasks:
            bar.remove_task(task)
        tasks[:] = [bar.add_task(what, total=total)]

    def advance(steps: int) -> None:
        bar.advance(tasks[0], steps)

    return runs.Progress(begin=begin, advance=advance)


class _Report:
    """Prints results as they come, and counts."""

    def __init__(self, output: Output, *, dry_run: bool) -> None:
        self._output = output
        self._dry_run = dry_run
        self._last = ""
        self.groups = self.repaired = self.left = 0

    def take(self, results: Iterator[Result]) -> None:
        for result in results:
            for state, findings in (
                ("repaired", result.repaired),
                ("left", result.left),
                ("note", result.notes),
            ):
                for finding in findings:
                    self._print(result.message_group_uuid, state, finding)
            self.repaired += len(result.repaired)
            self.left += len(result.left)
            if result.message_group_uuid:
                self.groups += 1
                self._last = result.message_group_uuid

    def _print(self, group: str, state: str, finding: Finding) -> None:
        if self._output.as_json:
            self._output.json(
                {
                    "message_group_uuid": group or None,
                    "state": state,
                    "kind": finding.kind.value,
                    "user_uuid": finding.user_uuid,
                    "detail": finding.detail,
                }
            )
            return
        colour = {"repaired": typer.colors.GREEN, "left": typer.colors.RED}.get(state)
        parts = [group or "-", finding.kind.value, finding.user_uuid, finding.detail]
        shown = plain("  ".join(part for part in parts if part))
        typer.echo(f"{typer.style(f'{state:8}', fg=colour)}  {shown}")

    def sum_up(self) -> None:
        repaired = "" if self._dry_run else f"{quantity(self.repaired, 'difference')} repaired, "
        left = quantity(self.left, "finding") if self._dry_run else f"{self.left} left unequal"
        counts = {"groups": self.groups, "repaired": self.repaired, "left": self.left}
        self._output.result(
            f"{quantity(self.groups, 'group')}, {repaired}{left}.",
            summary=counts | {"dry_run": self._dry_run},
        )

    def how_to_resume(self, resume_from: str | None) -> str:
        """Return the sentence that says how to continue an interrupted run.

        Parameters
        ----------
        resume_from
            The group that the run began with; None when it was not a run of the whole table.
        """
        sentence = "Interrupted: what was repaired stays so. "
        last = self._last or resume_from
        if resume_from is None or not last:
            return sentence + "Run the command again."
        if self.left:
            sentence += f"{quantity(self.left, 'finding')} above left. "
        return sentence + f"Go on with --resume-from {last}"
