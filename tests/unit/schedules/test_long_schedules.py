"""The same with four messages: a file of its own, so that it has a process of its own."""

from collections.abc import Callable

import pytest

from tests.unit.schedules.test_schedules import LONG_STORY, explore_all, quick

__all__ = ["quick"]


@pytest.mark.proof
def test_every_schedule_of_four_messages_leaves_every_list_exact(
    tell: Callable[[str], None],
) -> None:
    tell(explore_all([LONG_STORY]))
