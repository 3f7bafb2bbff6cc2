"""Waiting for processes that are to end: as long as they work, however long that is."""

from collections.abc import Sequence

import psutil

from local.console import say

__all__ = ["wait_while_they_work"]

_LOOK_SECONDS = 6.0
# A process that only waits, too, uses a little.
_IDLE = 0.02


def wait_while_they_work(processes: Sequence[psutil.Process], name: str) -> bool:
    """Wait until the processes have ended; False when one lives on and does nothing any more."""
    used = sum(map(_cpu_seconds, processes))
    while True:
        _, alive = psutil.wait_procs(processes, timeout=_LOOK_SECONDS)
        if not alive:
            return True
        before, used = used, sum(map(_cpu_seconds, alive))
        if used - before < _IDLE * _LOOK_SECONDS:
            return False
        say(f"local: waiting for {name}, which saves what was written")


def _cpu_seconds(process: psutil.Process) -> float:
    """What the process and its children have used."""
    total = 0.0
    try:
        for one in (process, *process.children(recursive=True)):
            times = one.cpu_times()
            total += times.user + times.system
    except psutil.NoSuchProcess:
        pass
    return total
