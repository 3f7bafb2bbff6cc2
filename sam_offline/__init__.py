"""A SAM template runs on one machine, from source, without Docker and without an account.

`Offline` starts it, in a test or a script; `python -m sam_offline` does so from a terminal.
"""

from typing import TYPE_CHECKING, Any

from sam_offline.errors import OfflineError

if TYPE_CHECKING:
    from sam_offline.app import Offline as Offline

__all__ = ["Offline", "OfflineError"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for.

    The AWS engine's Python imports from here, too, and has none of what `Offline` needs.
    """
    if name != "Offline":
        raise AttributeError(name)
    from sam_offline.app import Offline  # noqa: PLC0415

    return Offline
