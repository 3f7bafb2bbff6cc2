"""The same with three and four messages, and with reconcile beside E."""

from collections.abc import Callable

import pytest

from tests.unit.schedules.test_schedules import (
    LONG_STORY,
    SHORT_STORIES,
    STORIES,
    explore_all,
    quick,
)

__all__ = ["quick"]


@pytest.mark.proof
def test_every_schedule_of_the_long_stories_leaves_every_list_exact(
    tell: Callable[[str], None],
) -> None:
    tell(explore_all([LONG_STORY, *(story for story in STORIES if story not in SHORT_STORIES)]))
