"""The way to connected clients, in memory."""

from collections.abc import Mapping
from typing import Any

from runtime.web_socket import Channel, Outcome

type Sent = list[tuple[str, Mapping[str, Any]]]


class MemoryChannel(Channel):
    """Sends to the connections that are in `open`; those in `broken` do not answer."""

    def __init__(self) -> None:
        self.open = set[str]()
        self.broken = set[str]()
        self.sent: Sent = []

    def send(self, connection_id: str, body: Mapping[str, Any]) -> Outcome:
        if connection_id in self.broken:
            return Outcome.FAILED
        if connection_id not in self.open:
            return Outcome.GONE
        self.sent.append((connection_id, body))
        return Outcome.SENT

    def close(self, connection_id: str) -> Outcome:
        self.open.discard(connection_id)
        return Outcome.SENT

    def take(self) -> Sent:
        """What was sent since this was last asked."""
        taken, self.sent = self.sent, []
        return taken
