"""How much time an invocation has left.

Every call to a store is bounded so that it ends before Lambda kills the function: it is not begun
when its worst case might not (`Deadline.require`), or waits no longer than what is left
(`Deadline.bound`). The client then gets an answer that says so instead of the gateway's timeout.
"""

import time
from collections.abc import Callable

from runtime.errors import TryAgainError


class Deadline:
    """The end of the running invocation; without one, time is not bounded.

    Parameters
    ----------
    clock
        Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = float("inf")

    def start(self, seconds: float) -> None:
        """Set the end to `seconds` from now."""
        self._end = self._clock() + seconds

    def seconds_left(self) -> float:
        """Return the seconds until the end."""
        return self._end - self._clock()

    def require(self, seconds: float) -> None:
        """Make sure that `seconds` are left.

        Raises
        ------
        TryAgainError
            They are not.
        """
        if self.seconds_left() < seconds:
            raise TryAgainError

    def bound(self, seconds: float) -> float:
        """Return how long a wait may take that takes `seconds` at most: no longer than is left.

        Raises
        ------
        TryAgainError
            Nothing is left.
        """
        left = self.seconds_left()
        if left <= 0:
            raise TryAgainError
        return min(seconds, left)


# One invocation runs in an environment at a time.
deadline = Deadline()
