"""``bin/ddb/scan``: prints every item; the memory it takes does not grow with the table."""

import itertools
from typing import Annotated

import typer

from commands.command import Run
from commands.ddb.paging import Reading, cost
from commands.output import quantity
from commands.terminal import note


def scan(
    run: Run,
    *,
    limit: Annotated[
        int, typer.Option(min=0, help="Stop after this number of items; 0 prints all.")
    ] = 0,
) -> None:
    """Print every item of the table, one on a line."""
    client = run.target.client("dynamodb")
    page = {"Limit": limit} if limit else {}
    reading = Reading(client.scan, TableName=run.target.output("TableName"), **page)
    items = 0
    for item in itertools.islice(reading.items(), limit or None):
        items += 1
        rest = "  ".join(f"{name}={item[name]}" for name in sorted(item.keys() - {"pk", "sk"}))
        run.output.line(f"{item['pk']}  {item['sk']}  {rest}", item, cut=False)
    note(f"{quantity(items, 'item')}{cost(run, reading)}.")
