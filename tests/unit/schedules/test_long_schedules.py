"""The same with two faults: many more schedules of each story."""

from collections.abc import Callable

import pytest

from tests.unit.schedules.test_schedules import FAULTS, explore_all, quick

__all__ = ["quick"]


@pytest.mark.proof
def test_every_schedule_with_two_faults_leaves_every_list_exact(
    tell: Callable[[str], None],
) -> None:
    tell(explore_all(faults=FAULTS, random_schedules=400, at_least=100_000))
