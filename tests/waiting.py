"""Waiting for what is going to happen: so many looks, never so many seconds.

A busy machine does less in a second, but it also looks less often. What hangs all the same is
ended by the one limit in pyproject.toml, which nothing that works comes near.
"""

import time
from collections.abc import Callable

import pytest

LOOKS = 2000
_PAUSE_SECONDS = 0.05


def eventually[T](value: Callable[[], T | None]) -> T:
    """Return what `value` gives once it gives something."""
    for _ in range(LOOKS):
        if (found := value()) is not None:
            return found
        time.sleep(_PAUSE_SECONDS)
    pytest.fail("it did not happen")
