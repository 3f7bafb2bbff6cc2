"""Child processes that never outlive this one, and the ports that they listen on."""

import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from sam_offline.console import say
from sam_offline.errors import OfflineError
from sam_offline.state import StateFolder

__all__ = ["ChildProcess", "bind", "free_port", "guarded"]

# Looks are counted, since they take longer on a busy machine, where the program starts later.
_START_LOOKS = 1500
_START_SECONDS = 30.0
_GUARD = Path(__file__).with_name("guard.py")
# A process that was told to end has time as long as it works. It is killed if it has used less than
# this share of a core since the last look.
_LOOK_SECONDS = 6.0
_IDLE = 0.02


class ChildProcess:
    """A program that runs until `stop`, or until this process has ended.

    It has to end when its standard input is closed; `guarded` makes any program do so.
    """

    def __init__(
        self, name: str, command: list[str], *, environment: Mapping[str, str], state: StateFolder
    ) -> None:
        self.name = name
        self.log = state.path / f"{name}.log"
        with self.log.open("wb") as log:
            # In a session of its own it does not get the terminal's Ctrl-C. Only this process does,
            # and then stops everything in order.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(environment),
                cwd=state.path,
                start_new_session=True,
                umask=0o077,
                pass_fds=state.held,
            )

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until `ready`; OfflineError if the program ends first or takes too long."""
        for _ in range(_START_LOOKS):
            if ready():
                return
            if not self.running:
                break
            time.sleep(_START_SECONDS / _START_LOOKS)
        raise OfflineError(f"{self.name} did not start: {self._last_line()} (see {self.log}).")

    @property
    def running(self) -> bool:
        """Whether the program has not ended."""
        return self._process.poll() is None

    def check(self) -> None:
        """Raise OfflineError if the program has ended."""
        if not self.running:
            raise OfflineError(f"{self.name} ended unexpectedly (see {self.log}).")

    def stop(self) -> None:
        """Tell the program to end and wait for it; kill it if it neither works nor ends."""
        if self._process.stdin:
            self._process.stdin.close()
        used = self._cpu_seconds()
        while True:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_LOOK_SECONDS)
                return
            before, used = used, self._cpu_seconds()
            if used - before > _IDLE * _LOOK_SECONDS:
                say(f"local: waiting for {self.name}, which saves what was written")
            else:
                for process in self._family():
                    process.kill()

    def _family(self) -> list[psutil.Process]:
        program = psutil.Process(self._process.pid)
        return [*program.children(recursive=True), program]

    def _cpu_seconds(self) -> float:
        """Return the CPU time of the program and its children."""
        with suppress(psutil.NoSuchProcess):
            times = [process.cpu_times() for process in self._family()]
            return sum(used.user + used.system for used in times)
        return 0.0

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def guarded(stop_signal: signal.Signals, *commands: Sequence[str]) -> list[str]:
    """Return a command that runs `commands` one after the other, as long as they succeed.

    When its standard input is closed, even because this process was killed, the command that runs
    gets the signal.
    """
    *before, program = (shlex.join(command) for command in commands)
    # With a trap the shell waits for the command that the signal ends, and then exits.
    run = f"trap exit INT TERM; {' && '.join([*before, f'exec {program}'])}"
    return [sys.executable, "-IS", str(_GUARD), str(int(stop_signal)), "/bin/sh", "-c", run]


def bind(host: str, port: int, variable: str) -> socket.socket:
    """Take a TCP port long before its server starts, so that no other program can; 0 is any.

    Raise OfflineError if it is taken; it names the setting for another port.
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
        raise OfflineError(
            f"{host}:{port} cannot be used ({reason}); set {variable} to another port."
        ) from None
    return taken


def free_port(port: int, variable: str) -> int:
    """Return `port`, or any free port for 0; OfflineError if it is taken on 127.0.0.1."""
    with bind("127.0.0.1", port, variable) as probe:
        return int(probe.getsockname()[1])
