"""Every schedule leaves every list as the messages say.

A schedule is how the stream is cut into batches, which records come again, where the function
crashes, which calls are refused, lose their answer, are sent twice or land late, where a run hangs
and goes on later, where another runs beside it, where reconcile does, which rows the index shows,
and where a row's owner reads, flags and mutes it, with one client or several. Exhaustive up to one
fault, in the proof up to two (test_long_schedules), seeded random beyond.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from random import Random
from typing import Any

import pytest

from messaging import attributes, calls, keys, repository, stream
from messaging.entities import Message
from tests.unit.schedules.mutants import MUTANTS, UnboundRepair
from tests.unit.schedules.scheduler import Scheduler, explore, shrink
from tests.unit.schedules.world import (
    BrokenError,
    Story,
    World,
    Written,
    cold_environment,
)

FAULTS = 2
RANDOM_FAULTS = 12

STORIES = [
    Story("one message", (Written("reef", "grahams", 1),)),
    Story(
        "a missing row that is repaired",
        (Written("reef", "grahams", 1), Written("reef", "grahams", 2)),
        missing=("reef", "grahams"),
        repaired=True,
    ),
    Story(
        "an answer",
        (Written("reef", "grahams", 1), Written("reef", "reef", 2)),
        several_clients=True,
    ),
    Story(
        "out of order",
        (Written("reef", "reef", 2), Written("reef", "grahams", 3), Written("reef", "reef", 1)),
    ),
    Story(
        "two groups",
        (Written("reef", "grahams", 1), Written("bayko", "bayko", 2), Written("reef", "reef", 3)),
    ),
    Story(
        "a new name",
        (Written("reef", "reef", 1, name="Coral"), Written("reef", "reef", 2, name="Atoll")),
    ),
    # In the string order of these keys the last message is not the last.
    Story(
        "mixed offsets",
        (Written("reef", "grahams", 1, 9), Written("reef", "reef", 2)),
        offset=5.5,
    ),
    Story(
        "a missing row",
        (Written("reef", "grahams", 1), Written("bayko", "bayko", 2)),
        missing=("reef", "grahams"),
    ),
    Story(
        "a record that cannot be read",
        (Written("bayko", "bayko", 1, poison=True), Written("reef", "reef", 2)),
    ),
    Story(
        "four messages",
        (
            Written("reef", "reef", 2, -4, name="Coral"),
            Written("reef", "grahams", 1),
            Written("bayko", "bayko", 3, 9),
            Written("reef", "reef", 4),
        ),
        offset=5.5,
        several_clients=True,
    ),
]


def once[Answer](function: Callable[[Any], Answer]) -> Callable[[Any], Answer]:
    """Return `function`, which is called once for each object."""
    known: dict[int, tuple[Any, Answer]] = {}  # with the object, so that its id stays its own

    def answer(argument: Any) -> Answer:
        if id(argument) not in known:
            known[id(argument)] = argument, function(argument)
        return known[id(argument)][1]

    return answer


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No logs, and no key or record read twice: that is half of the time."""
    logging.disable(logging.CRITICAL)
    monkeypatch.setattr(keys, "canonical_uuid", cache(keys.canonical_uuid))
    monkeypatch.setattr(keys, "parse_message_sk", cache(keys.parse_message_sk))
    from_dynamodb = once(attributes.from_dynamodb)
    for module in (calls, repository, stream):
        monkeypatch.setattr(module, "from_dynamodb", from_dynamodb)
    monkeypatch.setattr(Message, "from_item", staticmethod(once(Message.from_item)))
    yield
    logging.disable(logging.NOTSET)


def run(story: Story, scheduler: Scheduler, world: type[World] = World) -> None:
    world(story, scheduler, cold_environment).deliver()


def failure(
    story: Story, world: type[World], *, faults: int
) -> tuple[BrokenError, Scheduler] | None:
    """Return the first schedule with at most so many faults that breaks something."""
    scheduler = Scheduler(faults=faults)

    def attempt(next_scheduler: Scheduler) -> None:
        nonlocal scheduler
        scheduler = next_scheduler
        run(story, scheduler, world)

    try:
        for _ in explore(attempt, faults=faults):
            pass
    except BrokenError as broken:
        return broken, scheduler
    return None


def shortest(story: Story, world: type[World], scheduler: Scheduler) -> tuple[str, list[str]]:
    """Return what breaks, and the decisions of the shortest schedule that breaks it."""

    def broken(plan: Sequence[int]) -> tuple[str, Scheduler] | None:
        again = Scheduler(plan, faults=scheduler.budget)
        try:
            run(story, again, world)
        except BrokenError as error:
            return str(error), again
        return None

    plan = shrink(lambda plan: broken(plan) is not None, [d.taken for d in scheduler.trace])
    found = broken(plan)
    assert found
    message, again = found
    return message, [decision.name for decision in again.trace if decision.taken]


def explore_all(*, faults: int, random_schedules: int, at_least: int) -> str:
    """Run every schedule with so many faults, and random ones; return how many there were."""
    seen: set[tuple[str, tuple[int, ...]]] = set()
    for story in STORIES:
        scheduler = Scheduler(faults=faults)

        def attempt(next_scheduler: Scheduler, story: Story = story) -> None:
            nonlocal scheduler
            scheduler = next_scheduler
            run(story, scheduler)
            seen.add((story.name, tuple(d.taken for d in scheduler.trace)))

        try:
            for _ in explore(attempt, faults=faults):
                pass
            for seed in range(random_schedules):
                attempt(Scheduler(faults=RANDOM_FAULTS, random=Random(seed)))
        except BrokenError:
            what, decisions = shortest(story, World, scheduler)
            pytest.fail(f"{story.name}: {what}, by: {'; '.join(decisions)}")
    assert len(seen) >= at_least
    longest = max(len(story.messages) for story in STORIES)
    return (
        f"{len(seen)} schedules: all of {len(STORIES)} stories of up to {longest} messages "
        f"with up to {faults} faults, random ones with up to {RANDOM_FAULTS}"
    )


def test_every_schedule_with_a_fault_leaves_every_list_exact(tell: Callable[[str], None]) -> None:
    tell(explore_all(faults=1, random_schedules=100, at_least=2_000))


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(name, marks=pytest.mark.proof if world is UnboundRepair else ())
        for name, world in MUTANTS.items()
    ],
)
def test_schedules_find_what_is_wrong_with(mutant: str, tell: Callable[[str], None]) -> None:
    world = MUTANTS[mutant]
    # Who repairs wrongly does no harm where nothing is repaired.
    stories = [story for story in STORIES if story.repaired or world is not UnboundRepair]
    for faults in range(FAULTS + 1):
        for story in stories:
            found = failure(story, world, faults=faults)
            if found:
                what, decisions = shortest(story, world, found[1])
                assert len(decisions) <= FAULTS + 2
                by = "; ".join(decisions) or "itself"
                tell(f"{mutant}: {story.name}: {what}, by: {by}")
                return
    pytest.fail(f"no schedule tells {mutant} from the real one")
