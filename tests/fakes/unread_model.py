"""What the two members of a conversation must be shown, as plainly as it can be said."""

from dataclasses import dataclass, field
from typing import Any

MOST_COUNTED = 100

# How a message is shown to clients; as (created_at, uuid) it is in the order of time.
type Position = tuple[str, str]


def position_of(body: dict[str, Any] | None) -> Position | None:
    """Return the position in a message, or in a mark, as clients get it."""
    return (body["created_at"], body["uuid"]) if body else None


@dataclass
class Side:
    """One member's own view."""

    read_up_to: Position | None = None
    marked_unread: bool = False
    muted: bool = False
    read_receipts: bool = True


@dataclass
class Conversation:
    """Messages, each with who wrote it, and what the two people have marked."""

    sides: dict[str, Side]
    messages: list[tuple[Position, str]] = field(default_factory=list)

    def write(self, who: str, position: Position, *, begins: bool = False) -> None:
        self.messages.append((position, who))
        if begins:
            self.sides[who].read_up_to = position

    def read(self, who: str, position: Position) -> None:
        side = self.sides[who]
        side.read_up_to = max(side.read_up_to or position, position)
        side.marked_unread = False

    def row(self, who: str) -> dict[str, Any]:
        """What the list shows to one of them, with the count."""
        side = self.sides[who]
        unread = [
            position
            for position, sender in self.messages
            if sender != who and position > (side.read_up_to or ("", ""))
        ]
        return {
            "unread": bool(unread) or side.marked_unread,
            "muted": side.muted,
            "unread_count": min(len(unread), MOST_COUNTED),
        }

    def group(self, who: str) -> dict[str, Any]:
        """What the group itself shows besides."""
        (other,) = self.sides.keys() - {who}
        shown = self.row(who) | {"read_up_to": self.sides[who].read_up_to}
        if all(side.read_receipts for side in self.sides.values()):
            shown["seen_up_to"] = self.sides[other].read_up_to
        return shown


def shown_in(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a row, or a group, shows of what the model knows."""
    positions = {
        name: position_of(body[name]) for name in ("read_up_to", "seen_up_to") if name in body
    }
    flags = {name: body[name] for name in ("unread", "muted", "unread_count")}
    return flags | positions
