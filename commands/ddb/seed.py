"""``bin/ddb/seed``: the example conversations, or any number of messages for load tests."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.progress import Progress

from commands.command import Run
from commands.ddb.paging import BATCH_ITEMS, BatchWriter, Reading
from commands.errors import CommandError
from commands.output import quantity
from commands.parallel import in_parallel
from commands.terminal import progress_bar
from messaging.repository import NewMessageGroup, Repository
from runtime.deadline import Deadline
from seed.examples import seed_message_groups
from seed.generated import (
    DEFAULT_RANDOM_SEED,
    GeneratedGroup,
    TooManyGroupsError,
    generated_groups,
    generated_messages,
)
from seed.writing import write_conversations

_WORKERS = 4
# The defaults of a load.
_USERS = 50
_GROUPS = 100


def seed(
    run: Run,
    *,
    messages: Annotated[
        int, typer.Option(min=0, help="The number of messages of a load; 0 writes the examples.")
    ] = 0,
    users: Annotated[
        int | None,
        typer.Option(
            min=2, help=f"With --messages: the number of users who write them. [default: {_USERS}]"
        ),
    ] = None,
    groups: Annotated[
        int | None,
        typer.Option(
            min=1, help=f"With --messages: the number of message groups. [default: {_GROUPS}]"
        ),
    ] = None,
    random_seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="With --messages: the same seed makes the same items. "
            f"[default: {DEFAULT_RANDOM_SEED}]",
        ),
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Empty the table first.")] = False,
    workers: Annotated[
        int, typer.Option(min=1, max=16, help="The number of calls at a time.")
    ] = _WORKERS,
) -> None:
    """Write the example conversations, one long and two short, or a load for tests (--messages).

    Running it again changes nothing, or completes what was interrupted. Group rows show their last
    message from the start. To add the users of a load to the directory: bin/db/seed --users.
    """
    if not messages:
        run.refuse_without("--messages", users=users, groups=groups, random_seed=random_seed)
    try:
        load = messages and generated_groups(
            users=_USERS if users is None else users,
            groups=_GROUPS if groups is None else groups,
            messages=messages,
            random_seed=DEFAULT_RANDOM_SEED if random_seed is None else random_seed,
        )
    except TooManyGroupsError as error:
        raise typer.BadParameter(str(error)) from error
    if reset and run.target.on_aws:
        raise CommandError("A table on AWS is not emptied: --reset is for the local cloud.")
    what = quantity(messages, "message") if messages else "the seeded messages"
    run.confirm(f"This writes {what}.")
    table = _Table(
        client=run.target.client("dynamodb"),
        name=run.target.output("TableName"),
        workers=workers,
    )
    began = time.monotonic()
    deleted = 0
    with progress_bar() as bar:
        if reset:
            deleted = sum(_counted(bar, "emptying the table", None, table.empty()))
        if load:
            table.make_groups(load, bar)
            written = sum(_counted(bar, "messages", messages, table.put(load)))
        else:
            write_conversations(table.repository, datetime.now(UTC))
            written = sum(len(group.messages) for group in seed_message_groups())
    seconds = time.monotonic() - began
    rate = f"{seconds:.1f} s, {written / seconds:.0f} a second"
    run.output.result(
        (f"Deleted {quantity(deleted, 'item')}. " if reset else "")
        + f"Wrote {quantity(written, 'message')} in {rate}.",
        deleted=deleted,
        messages=written,
        seconds=round(seconds, 3),
    )


@dataclass(frozen=True, kw_only=True)
class _Table:
    client: Any
    name: str
    workers: int

    @property
    def repository(self) -> Repository:
        return Repository(self.client, self.name, deadline=Deadline())

    def empty(self) -> Iterator[int]:
        """Delete every item; yield how many at a time."""
        reading = Reading(self.client.scan, TableName=self.name, ProjectionExpression="pk, sk")
        writer = BatchWriter(self.client, self.name)
        batches = itertools.batched(reading.items(), BATCH_ITEMS, strict=False)
        yield from in_parallel(writer.delete, batches, workers=self.workers)

    def make_groups(self, groups: list[GeneratedGroup], bar: Progress) -> None:
        """Write the groups. Their messages come later, so that E finds every group complete."""
        repository = self.repository

        def make(group: GeneratedGroup) -> int:
            new = NewMessageGroup(
                pair=group.pair(),
                members=group.members(),
                rows=group.rows(),
                first=group.message(group.messages - 1),
            )
            repository.create_message_group(lambda: new)
            return 1

        made = in_parallel(make, groups, workers=self.workers)
        for _ in _counted(bar, "groups", len(groups), made):
            pass

    def put(self, groups: list[GeneratedGroup]) -> Iterator[int]:
        """Write the messages of groups; yield how many at a time."""
        writer = BatchWriter(self.client, self.name)
        items = (message.to_item() for message in generated_messages(groups))
        batches = itertools.batched(items, BATCH_ITEMS, strict=False)
        yield from in_parallel(writer.put, batches, workers=self.workers)


def _counted(bar: Progress, what: str, total: int | None, steps: Iterator[int]) -> Iterator[int]:
    task = bar.add_task(what, total=total)
    for step in steps:
        bar.advance(task, step)
        yield step
