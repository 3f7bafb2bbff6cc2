"""What a command prints: lines and tables for people, one JSON object a line for machines."""

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer
from rich.cells import set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from commands.terminal import plain

# Wider than any table, so that no value is cut in a pipe.
_WIDTH_OF_A_PIPE = 100_000
# Calls whose answers have a secret or a token.
_SECRET = frozenset({"GetSecretValue", "InitiateAuth"})

type Row = Mapping[str, Any]


class Output:
    """Writes to stdout; with `as_json` nothing but JSON objects."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def table(self, rows: Iterable[Row], columns: Sequence[str], *, empty: str) -> None:
        """Print rows: for people their `columns`, or the sentence `empty` if there are none."""
        rows = list(rows)
        if self.as_json:
            for row in rows:
                self.json(row)
        elif not rows:
            typer.echo(plain(empty))
        else:
            table = Table(*columns, box=None, pad_edge=False)
            for row in rows:
                table.add_row(*(Text(plain(row.get(column))) for column in columns))
            width = None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE
            console = Console(width=width, highlight=False)
            with console.capture() as captured:
                console.print(table)
            for line in captured.get().splitlines():
                typer.echo(line.rstrip())

    def result(self, sentence: str, **values: Any) -> None:
        """Print what was done: `sentence` for people, `values` as JSON."""
        if self.as_json:
            self.json(values)
        else:
            typer.echo(plain(sentence))

    def line(self, text: str, row: Row, *, cut: bool = True) -> None:
        """Print a row: for people as `text`, cut to the terminal's width where `cut`."""
        if self.as_json:
            self.json(row)
            return
        text = plain(text)
        if cut and sys.stdout.isatty():
            text = set_cell_size(text, shutil.get_terminal_size().columns).rstrip()
        typer.echo(text)

    def json(self, row: Row) -> None:
        """Print one JSON object on one line."""
        typer.echo(json.dumps(row, default=_json))


def quantity(number: int, noun: str) -> str:
    """Return a number with its noun, as in "1 group" and "2 groups"."""
    nouns = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else nouns}"


def watch(operation: str, answer: Any) -> None:
    """Print an answer of AWS on stderr, unless it holds a secret."""
    shown = "(not shown)" if operation in _SECRET else answer
    typer.echo(json.dumps({operation: shown}, indent=2, default=_json), err=True)


def _json(value: Any) -> Any:
    """Return what stands in JSON for a value of another kind: a Decimal, a set, bytes, a time."""
    if isinstance(value, set | frozenset):
        return sorted(value)
    try:
        return int(value) if value == int(value) else float(value)
    except (TypeError, ValueError):
        return str(value)
