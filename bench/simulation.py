"""Lag and write units of E, computed for rates, windows and parallel batches.

    bin/python -m bench.simulation

The simulation follows a shard for a minute:

- Messages come at random (Poisson), one every `PAUSE` seconds in each conversation.
- Lambda polls a shard four times a second, waits for the window, and takes at most 100 records.
- A message goes to any of the shard's parallel batches: Lambda keeps the records of an item
  together, not those of a partition.
- A batch takes an overhead and the time of its updates, ten at a time.
- There are as many shards as the table has partitions. A partition takes a thousand write units a
  second.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from bench.figures import table

SECONDS = 60.0
PAUSE = 10.0
POLL = 0.25
BATCH_SIZE = 100
CONCURRENT_CALLS = 10
OVERHEAD = 0.015
CALL = 0.010
UNITS_OF_MOVE = 6
UNITS_OF_MESSAGE = 1
UNITS_OF_PARTITION = 1000

RATES = (10, 10_000, 1_000_000)
WINDOWS = (0, 1, 5)
FACTORS = (1, 2, 5, 10)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one setting: times in seconds, and numbers of all shards together."""

    rate: int
    shards: int
    window: float
    factor: int
    lag: float
    behind: float
    units_a_message: float
    invocations: float

    @property
    def holds(self) -> bool:
        """Whether the lag does not grow from minute to minute."""
        return self.behind < max(1.0, 2 * (self.window + POLL))


def shards_of(rate: float) -> int:
    """Return how many partitions a table of this rate has at least, spread evenly."""
    return max(1, math.ceil(rate * (UNITS_OF_MESSAGE + UNITS_OF_MOVE) / UNITS_OF_PARTITION))


def simulate(rate: int, window: float, factor: int) -> Outcome:
    """Follow one of a shard's parallel batches."""
    shards = shards_of(rate)
    own = rate / shards / factor
    random = Random(rate * 100 + int(window * 10) + factor)
    groups = max(1, round(own * factor * PAUSE))
    arrivals, now = [], 0.0
    while (now := now + random.expovariate(own)) < SECONDS:
        arrivals.append((now, random.randrange(groups)))
    free, first, moves, invocations = 0.0, 0, 0, 0
    lags: list[float] = []
    while first < len(arrivals):
        seen = max(free, math.ceil(arrivals[first][0] / POLL) * POLL)
        full = arrivals[min(first + BATCH_SIZE, len(arrivals)) - 1][0]
        begins = max(free, min(seen + window, max(seen, full)) if window else seen)
        last = first
        while last < len(arrivals) and last < first + BATCH_SIZE and arrivals[last][0] <= begins:
            last += 1
        batch = arrivals[first:last]
        moved = len({group for _, group in batch})
        free = begins + OVERHEAD + math.ceil(2 * moved / CONCURRENT_CALLS) * CALL
        lags += [free - came for came, _ in batch]
        moves, invocations, first = moves + moved, invocations + 1, last
    return Outcome(
        rate=rate,
        shards=shards,
        window=window,
        factor=factor,
        lag=statistics.median(lags),
        behind=max(0.0, free - SECONDS),
        units_a_message=UNITS_OF_MESSAGE + moves * UNITS_OF_MOVE / len(arrivals),
        invocations=invocations / SECONDS * shards * factor,
    )


def simulate_all() -> list[Outcome]:
    """Try every setting at every rate."""
    return [simulate(rate, w, factor) for rate in RATES for w in WINDOWS for factor in FACTORS]


def report(outcomes: Sequence[Outcome]) -> str:
    """Return them as a table in Markdown."""
    head = ["messages/s", "shards", "window", "parallel", "median lag", "", "units a message"]
    rows = [
        [
            *(f"{one.rate:,}", f"{one.shards:,}", f"{one.window:g} s", str(one.factor)),
            *(f"{one.lag:.2f} s", "holds" if one.holds else "falls behind"),
            *(f"{one.units_a_message:.2f}", f"{one.invocations:,.0f}"),
        ]
        for one in outcomes
    ]
    return table([*head, "invocations/s"], rows)


if __name__ == "__main__":
    print(report(simulate_all()))
