"""How much time an invocation has left.

A call to a store has to end before Lambda kills the function, so that the client gets our answer
and not the gateway's timeout. It is not begun with less time than its worst case takes
(`Deadline.require`), or waits no longer than there is time left (`Deadline.bound`).
"""

import time
from collections.abc import Callable

from runtime.errors import TryAgainError


class Deadline:
    """The end of the running invocation; until it is set there is time without end."""

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
        """Raise TryAgainError when fewer `seconds` are left."""
        if self.seconds_left() < seconds:
            raise TryAgainError

    def bound(self, seconds: float) -> float:
        """Return `seconds`, or less when less is left; raise TryAgainError when nothing is."""
        left = self.seconds_left()
        if left <= 0:
            raise TryAgainError
        return min(seconds, left)


# An environment runs one invocation at a time.
deadline = Deadline()
