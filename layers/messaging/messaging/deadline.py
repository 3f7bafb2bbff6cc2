"""How much time an invocation has left.

Every call to a store is bounded, and none is begun that might not end before Lambda kills the
function: the client then gets an answer that says so instead of the gateway's timeout.
"""

import time
from collections.abc import Callable

from messaging.errors import TryAgainError


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


# One invocation runs in an environment at a time.
deadline = Deadline()
