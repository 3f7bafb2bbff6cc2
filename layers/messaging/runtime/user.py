"""Who writes and who is written to."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class User:
    """Someone in the directory."""

    uuid: str
    handle: str
    display_name: str


def bare_handle(handle: str) -> str:
    """Return `handle` without the @ that people put before it."""
    return handle.strip().removeprefix("@")
