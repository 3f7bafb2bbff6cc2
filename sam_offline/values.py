"""Values as CloudFormation writes them: the template may have true or "true", 5 or "5"."""

import json
from collections.abc import Sequence
from typing import Any

__all__ = ["is_true", "text_of"]


def is_true(value: Any) -> bool:
    """Tell whether a value stands for true."""
    return value is True or value == "true"


def text_of(value: Any) -> str:
    """Return a value as CloudFormation writes it into a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(map(text_of, value))
    return value if isinstance(value, str) else json.dumps(value)
