"""Lets functions in containers, which `sam local` starts, reach the local cloud.

Their name for this machine is `host.docker.internal`. With Docker Desktop it leads to 127.0.0.1.
On Linux it is the address of Docker's bridge, so that the local cloud has to listen there, too.
"""

import socket

import psutil

from sam_offline.everywhere import EVERYWHERE
from sam_offline.processes import bind

__all__ = ["HOST", "bridge_address", "listen_at"]

HOST = "host.docker.internal"
_BRIDGE = "docker0"


def listen_at(address: str | None, listener: socket.socket) -> list[socket.socket]:
    """Take the same port at another address, unless `listener` listens there already."""
    host, port = listener.getsockname()[:2]
    if address is None or host in {*EVERYWHERE, address}:
        return []
    return [bind(address, port, "AWS_PORT")]


def bridge_address() -> str | None:
    """Return the address of Docker's bridge; None if this machine has no bridge."""
    for address in psutil.net_if_addrs().get(_BRIDGE, ()):
        if address.family == socket.AF_INET:
            return address.address
    return None
