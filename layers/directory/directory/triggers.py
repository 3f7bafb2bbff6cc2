"""The events of a user pool's triggers: told from those that are none before anything is done."""

from collections.abc import Mapping
from typing import Any

from runtime.errors import ForeignEventError


def source(event: Any, *triggers: str) -> str:
    """Return what has set off one of `triggers`, as ``PostConfirmation_ConfirmSignUp``.

    Raises
    ------
    ForeignEventError
        The event is of another trigger, or of no user pool.
    """
    match event:
        case {
            "triggerSource": str(found),
            "userName": str(),
            "request": {"userAttributes": Mapping()},
        } if found.partition("_")[0] in triggers:
            return found
    raise ForeignEventError(f"the event of a user pool's {' or '.join(triggers)} trigger")
