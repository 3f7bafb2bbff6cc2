"""The measurements in one table: ours, the reference's design, the floor.

    bin/python -m bench.summary

It reads the results of the last `make bench`.
"""

import json
from collections.abc import Iterator
from typing import Any

from bench.figures import Spread, table
from local.settings import ROOT

RESULTS = ROOT / ".build" / "results" / "results.json"
# The least that E can do: one write of each of the two rows, with its entry in the list index.
LEAST_CALLS, LEAST_UNITS = 2, 6
SHOWN_K = (1, 10)


def report(results: dict[str, Any]) -> str:
    """Return the table in Markdown."""
    rows = [*_cold(results), *_warm(results), *_moves(results), *_growth(results)]
    return table(["", "ours", "the reference's", "floor"], rows)


def _cold(results: dict[str, Any]) -> Iterator[list[str]]:
    cpu = {start["name"]: Spread(**start["cpu"]) for start in results["cold start"]}
    for pattern in ("A", "E"):
        spreads = cpu[pattern], cpu[f"{pattern} reference"], cpu["bare"]
        yield [f"{pattern}, cold, CPU ms", *(f"{spread:.0f}" for spread in spreads)]


def _warm(results: dict[str, Any]) -> Iterator[list[str]]:
    for request in results["warm"]:
        spreads = [Spread(**request[design]) for design in ("ours", "reference", "bare")]
        yield [f"{request['pattern']}, warm, CPU ms", *(f"{spread:.2f}" for spread in spreads)]


def _moves(results: dict[str, Any]) -> Iterator[list[str]]:
    for k in SHOWN_K:
        ours, reference = (
            next(
                one
                for one in results["E"]
                if (one["design"], one["groups"], one["k"]) == (design, 1, k)
            )
            for design in ("ours", "reference")
        )
        speeds = [f"{Spread(**one['per_second']):,.0f}" for one in (ours, reference)]
        yield [f"E at K = {k}, messages/s", *speeds, ""]
        for what, name, least in (
            ("calls", "calls", LEAST_CALLS),
            ("write units", "units", LEAST_UNITS),
        ):
            numbers = (ours[name], reference[name], least / k)
            yield [f"E at K = {k}, {what} a message", *(f"{number:g}" for number in numbers)]


def _growth(results: dict[str, Any]) -> Iterator[list[str]]:
    most = max(one["rows"] for one in results["growth"])
    for one in results["growth"]:
        if one["rows"] == most:
            units = [f"{one[f'{design}_units']:g}" for design in ("ours", "reference")]
            yield [f"{one['pattern']}, read units of a page among {most:,} rows", *units, ""]


if __name__ == "__main__":
    print(report(json.loads(RESULTS.read_text())))
