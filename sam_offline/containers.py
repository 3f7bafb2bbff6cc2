"""What functions in containers need to reach the local cloud: `sam local` runs them in Docker.

They know this machine as `host.docker.internal`. Docker Desktop leads that name to 127.0.0.1;
on Linux it is the address of Docker's bridge, where somebody has to listen.
"""

import socket

import psutil

from sam_offline.everywhere import EVERYWHERE
from sam_offline.processes import bind

__all__ = ["HOST", "bridge_address", "listen_at"]

HOST = "host.docker.internal"
_BRIDGE = "docker0"


def listen_at(address: str | None, listener: socket.socket) -> list[socket.socket]:
    """Take the port of `listener` at the bridge, too, unless it listens there already."""
    host, port = listener.getsockname()[:2]
    if address is None or host in {*EVERYWHERE, address}:
        return []
    return [bind(address, port, "AWS_PORT")]


def bridge_address() -> str | None:
    """The address of Docker's bridge; None where there is no bridge on this machine."""
    for address in psutil.net_if_addrs().get(_BRIDGE, ()):
        if address.family == socket.AF_INET:
            return address.address
    return None
