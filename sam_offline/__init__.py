"""Runs the application of a SAM template on one machine, without Docker and without an account.

`Offline` starts it in a test or a script, `python -m sam_offline` from a terminal.
"""

from typing import TYPE_CHECKING, Any

from sam_offline.errors import OfflineError

if TYPE_CHECKING:
    from sam_offline.app import Offline as Offline

__all__ = ["Offline", "OfflineError"]


def __getattr__(name: str) -> Any:
    """Import `Offline` only when it is used.

    The AWS engine's Python imports this package, too, and has no package that `Offline` needs.
    """
    if name != "Offline":
        raise AttributeError(name)
    from sam_offline.app import Offline  # noqa: PLC0415

    return Offline
