"""Who decides what happens next: a schedule is the list of those decisions.

At every point where the world can go more than one way, the code under test asks `choose`. The
first way is always the ordinary one and costs nothing; every other is a fault. A plan says which
way to take at which point; behind its end the ordinary way is taken. `explore` makes plan after
plan until all schedules with so many faults have been seen; `shrink` makes a failing plan short.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Decision:
    """A way that was taken at a point, of so many."""

    taken: int
    ways: int
    name: str


class Scheduler:
    """Takes decisions by plan, within a budget of faults.

    Parameters
    ----------
    plan
        The number of the way at each point.
    faults
        How many faults may happen; it goes down with each.
    random
        Decides behind the end of the plan, instead of the ordinary way.
    """

    def __init__(
        self, plan: Sequence[int] = (), *, faults: int, random: Random | None = None
    ) -> None:
        self._plan = plan
        self.budget = self.faults = faults
        self._random = random
        self.trace: list[Decision] = []

    def choose(self, ordinary: str, faults: Sequence[str]) -> str:
        """Return `ordinary` or one of `faults`, while there are any left."""
        return self._take(ordinary, faults if self.faults else ())

    def choose_freely(self, ways: Sequence[str]) -> str:
        """Return one of `ways`; none of them is a fault."""
        return self._take(ways[0], ways[1:], cost=0)

    def _take(self, ordinary: str, others: Sequence[str], *, cost: int = 1) -> str:
        ways = [ordinary, *others]
        if len(ways) == 1:
            return ordinary
        at = len(self.trace)
        if at < len(self._plan):
            taken = min(self._plan[at], len(ways) - 1)
        elif self._random and (cost == 0 or self._random.random() < 0.15):
            taken = self._random.randrange(len(ways))
        else:
            taken = 0
        if taken:
            self.faults -= cost
        self.trace.append(Decision(taken, len(ways), ways[taken]))
        return ways[taken]


type Run = Callable[[Scheduler], None]


def explore(run: Run, *, faults: int) -> Iterator[Scheduler]:
    """Run every schedule with at most so many faults."""
    plan: list[int] = []
    while True:
        scheduler = Scheduler(plan, faults=faults)
        run(scheduler)
        yield scheduler
        trace = scheduler.trace
        while trace and trace[-1].taken + 1 == trace[-1].ways:
            trace.pop()
        if not trace:
            return
        plan = [decision.taken for decision in trace]
        plan[-1] += 1


def shrink(fails: Callable[[Sequence[int]], bool], plan: Sequence[int]) -> list[int]:
    """Return the shortest plan that still fails: fewest faults, earliest end."""
    best = list(plan)
    progress = True
    while progress:
        progress = False
        for at in [at for at, taken in enumerate(best) if taken]:
            for shorter in (best[:at], [*best[:at], 0, *best[at + 1 :]]):
                if fails(shorter):
                    best, progress = shorter, True
                    break
            if progress:
                break
    while best and best[-1] == 0:
        best.pop()
    return best
