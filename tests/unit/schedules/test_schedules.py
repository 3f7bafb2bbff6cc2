"""Every schedule leaves every list as the messages say.

A schedule is how the stream is cut into batches, which records come again, where the function
crashes, which calls are refused or lose their answer, where a second invocation of the same
records runs in between, and which version of which row the index shows. Exhaustive up to two
faults, seeded random beyond.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from random import Random

import pytest

from messaging import keys
from messaging.stream import update_message_groups
from tests.unit.schedules.mutants import MUTANTS
from tests.unit.schedules.scheduler import Scheduler, explore, shrink
from tests.unit.schedules.world import BrokenError, Story, Update, World, Written

FAULTS = 2
RANDOM_SCHEDULES = 400  # a story
RANDOM_FAULTS = 12

STORIES = [
    Story("one message", (Written("reef", "grahams", 1),)),
    Story("an answer", (Written("reef", "grahams", 1), Written("reef", "reef", 2))),
    Story(
        "out of order",
        (Written("reef", "grahams", 2), Written("reef", "reef", 1), Written("reef", "reef", 3)),
    ),
    Story(
        "two groups",
        (Written("reef", "grahams", 1), Written("bayko", "bayko", 2), Written("reef", "reef", 3)),
    ),
    # In the string order of these keys the last message is not the last.
    Story(
        "mixed offsets",
        (Written("reef", "grahams", 1, -4), Written("reef", "reef", 2)),
        offset=5.5,
    ),
]


LONG_STORY = Story(
    "four messages",
    (
        Written("reef", "reef", 2, -4),
        Written("reef", "grahams", 1),
        Written("bayko", "bayko", 3, 9),
        Written("reef", "reef", 4),
    ),
    offset=5.5,
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No logs, and no key read twice: that is half of the time."""
    logging.disable(logging.CRITICAL)
    monkeypatch.setattr(keys, "canonical_uuid", cache(keys.canonical_uuid))
    monkeypatch.setattr(keys, "parse_message_sk", cache(keys.parse_message_sk))
    yield
    logging.disable(logging.NOTSET)


def run(
    story: Story,
    scheduler: Scheduler,
    world: type[World] = World,
    update: Update = update_message_groups,
) -> None:
    world(story, scheduler, update).deliver()


def failure(
    story: Story, world: type[World], update: Update, *, faults: int
) -> tuple[BrokenError, Scheduler] | None:
    """Return the first schedule with at most so many faults that breaks something."""
    scheduler = Scheduler(faults=faults)

    def attempt(next_scheduler: Scheduler) -> None:
        nonlocal scheduler
        scheduler = next_scheduler
        run(story, scheduler, world, update)

    try:
        for _ in explore(attempt, faults=faults):
            pass
    except BrokenError as broken:
        return broken, scheduler
    return None


def shortest(
    story: Story, world: type[World], update: Update, scheduler: Scheduler
) -> tuple[str, list[str]]:
    """Return what breaks, and the decisions of the shortest schedule that breaks it."""

    def broken(plan: Sequence[int]) -> tuple[str, Scheduler] | None:
        again = Scheduler(plan, faults=RANDOM_FAULTS)
        try:
            run(story, again, world, update)
        except BrokenError as error:
            return str(error), again
        return None

    plan = shrink(lambda plan: broken(plan) is not None, [d.taken for d in scheduler.trace])
    found = broken(plan)
    assert found
    message, again = found
    return message, [decision.name for decision in again.trace if decision.taken]


def explore_all(stories: Sequence[Story]) -> str:
    """Run every schedule with up to two faults, and random ones; return how many there were."""
    seen: set[tuple[str, tuple[int, ...]]] = set()
    for story in stories:
        scheduler = Scheduler(faults=FAULTS)

        def attempt(next_scheduler: Scheduler, story: Story = story) -> None:
            nonlocal scheduler
            scheduler = next_scheduler
            run(story, scheduler)
            seen.add((story.name, tuple(d.taken for d in scheduler.trace)))

        try:
            for _ in explore(attempt, faults=FAULTS):
                pass
            for seed in range(RANDOM_SCHEDULES):
                attempt(Scheduler(faults=RANDOM_FAULTS, random=Random(seed)))
        except BrokenError:
            what, decisions = shortest(story, World, update_message_groups, scheduler)
            pytest.fail(f"{story.name}: {what}, by: {'; '.join(decisions)}")
    assert len(seen) >= 10_000
    longest = max(len(story.messages) for story in stories)
    return (
        f"{len(seen)} schedules: all of {len(stories)} stories of up to {longest} messages "
        f"with up to {FAULTS} faults, random ones with up to {RANDOM_FAULTS}"
    )


def test_every_schedule_leaves_every_list_exact(tell: Callable[[str], None]) -> None:
    tell(explore_all(STORIES))


@pytest.mark.parametrize("mutant", MUTANTS)
def test_schedules_find_what_is_wrong_with(mutant: str, tell: Callable[[str], None]) -> None:
    world, update = MUTANTS[mutant]()
    for faults in range(FAULTS + 1):
        for story in STORIES:
            found = failure(story, world, update, faults=faults)
            if found:
                what, decisions = shortest(story, world, update, found[1])
                assert len(decisions) <= FAULTS + 2
                by = "; ".join(decisions) or "itself"
                tell(f"{mutant}: {story.name}: {what}, by: {by}")
                return
    pytest.fail(f"no schedule tells {mutant} from the real one")
