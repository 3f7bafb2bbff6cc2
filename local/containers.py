"""What functions in containers need to reach the local cloud: `sam local` runs them in Docker.

They know this machine as `host.docker.internal`. Docker Desktop leads that name to 127.0.0.1;
on Linux it is the address of Docker's bridge, where somebody has to listen.
"""

import secrets
import socket
from dataclasses import dataclass, field

import psutil

from local.processes import bind

__all__ = ["HOST", "Containers", "bridge_address"]

HOST = "host.docker.internal"
_BRIDGE = "docker0"
_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - asked for, if somebody sets HOST to it


@dataclass(frozen=True, kw_only=True)
class Containers:
    """How containers are let in: at `address`, None where they come to 127.0.0.1 anyway.

    The bridge can be reached by more than this machine, hence the password for PostgreSQL.
    """

    address: str | None
    password: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)

    def listen(self, listener: socket.socket) -> socket.socket | None:
        """Take the port of `listener` at the bridge, too, unless it listens there already."""
        host, port = listener.getsockname()[:2]
        if self.address is None or host in {*_EVERYWHERE, self.address}:
            return None
        return bind(self.address, port, "AWS_PORT")


def bridge_address() -> str | None:
    """The address of Docker's bridge; None where there is no bridge on this machine."""
    for address in psutil.net_if_addrs().get(_BRIDGE, ()):
        if address.family == socket.AF_INET:
            return address.address
    return None
