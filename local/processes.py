"""Engines as guarded child processes, and the ports that they listen on."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from local.errors import LocalError
from local.patience import wait_while_they_work
from local.state import StateFolder

__all__ = ["Engine", "bind", "free_port"]

_START_SECONDS = 30
_GUARD = Path(__file__).with_name("guard.py")


class Engine:
    """A program that runs under a guard until `stop`, or until this process is gone."""

    def __init__(
        self,
        name: str,
        *commands: list[str],
        environment: Mapping[str, str],
        state: StateFolder,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.log = state.path / f"{name}.log"
        words = [word for command in commands for word in ("--then", *command)][1:]
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C at the terminal must reach this program only, which
            # then stops everything in order.
            self._guard = subprocess.Popen(
                [sys.executable, "-IS", str(_GUARD), str(int(stop_signal)), *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=dict(environment),
                cwd=state.path,
                start_new_session=True,
                umask=0o077,
            )
        state.record(f"{name} guard", self._guard.pid)
        self._recorder = threading.Thread(target=self._record_children, args=(state,), daemon=True)
        self._recorder.start()

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Return as soon as `ready` says so; LocalError when the program ends or takes too long."""
        deadline = time.monotonic() + _START_SECONDS
        while not ready():
            if not self.running or time.monotonic() > deadline:
                raise LocalError(
                    f"{self.name} did not start: {self._last_line()} (see {self.log})."
                )
            time.sleep(0.02)

    @property
    def running(self) -> bool:
        """Whether the program has not ended."""
        return self._guard.poll() is None

    def stop(self) -> None:
        """End the program and wait until it and its guard are gone."""
        if self._guard.stdin:
            self._guard.stdin.close()
        guard = psutil.Process(self._guard.pid)
        if not wait_while_they_work([guard], self.name):
            for process in (*guard.children(recursive=True), guard):
                process.kill()
        self._guard.wait()
        self._recorder.join()

    def _record_children(self, state: StateFolder) -> None:
        if self._guard.stdout:
            with self._guard.stdout as pids:
                for line in pids:
                    state.record(self.name, int(line))

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def bind(host: str, port: int, variable: str) -> socket.socket:
    """Take a TCP port now, so that nobody has it when its server is up; 0 takes any free one.

    LocalError names the environment variable that sets another port.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        taken = socket.socket(family, kind, protocol)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise LocalError(
            f"{host}:{port} cannot be used ({reason}); set {variable} to another port."
        ) from None
    return taken


def free_port(port: int, variable: str) -> int:
    """Return `port` if nobody on 127.0.0.1 has it, a free one for 0; LocalError else."""
    with bind("127.0.0.1", port, variable) as probe:
        number: int = probe.getsockname()[1]
        return number
