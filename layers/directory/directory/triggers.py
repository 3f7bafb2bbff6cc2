"""The events of a user pool's triggers."""

from collections.abc import Mapping
from typing import Any

from runtime.errors import ForeignEventError


def source(event: Any, *triggers: str) -> str:
    """Return why one of `triggers` was called, such as ``PostConfirmation_ConfirmSignUp``.

    Raises ForeignEventError when the event is one of another trigger, or of no user pool.
    """
    match event:
        case {
            "triggerSource": str(found),
            "userName": str(),
            "request": {"userAttributes": Mapping()},
        } if found.partition("_")[0] in triggers:
            return found
    raise ForeignEventError(f"the event of a user pool's {' or '.join(triggers)} trigger")
