"""Where containers come in."""

import socket
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from sam_offline import containers


def test_the_bridge_is_dockers_and_absent_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    address = SimpleNamespace(family=socket.AF_INET, address="172.17.0.1")
    other = SimpleNamespace(family=socket.AF_INET6, address="fe80::1")
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"docker0": [other, address]})
    assert containers.bridge_address() == "172.17.0.1"
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth0": [address]})
    assert containers.bridge_address() is None


@pytest.mark.parametrize(
    ("host", "address", "taken"),
    [
        ("127.0.0.1", "172.17.0.1", [("172.17.0.1", 4566, "AWS_PORT")]),
        ("127.0.0.1", None, []),
        ("172.17.0.1", "172.17.0.1", []),
        ("0.0.0.0", "172.17.0.1", []),
        ("::", "172.17.0.1", []),
    ],
)
def test_it_takes_the_same_port_there_unless_it_listens_there_already(
    host: str, address: str | None, taken: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(containers, "bind", lambda *arguments: calls.append(arguments))
    listener: Any = SimpleNamespace(getsockname=lambda: (host, 4566))
    containers.listen_at(address, listener)
    assert calls == taken
