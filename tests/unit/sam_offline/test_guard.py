"""The guard ends its command when nobody holds its input any more."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.waiting import eventually

GUARD = Path(__file__).parent.parent.parent.parent / "sam_offline" / "guard.py"
_SLEEP = [sys.executable, "-c", "import time; time.sleep(3600)"]


def _guard(
    *commands: list[str], number: signal.Signals = signal.SIGTERM
) -> subprocess.Popen[bytes]:
    words = [word for command in commands for word in ("--then", *command)][1:]
    return subprocess.Popen(
        [sys.executable, "-IS", str(GUARD), str(int(number)), *words],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _child(guard: subprocess.Popen[bytes]) -> psutil.Process:
    return eventually(lambda: next(iter(psutil.Process(guard.pid).children()), None))


def _end(guard: subprocess.Popen[bytes]) -> None:
    guard.communicate()  # closes its input


def test_end_of_input_ends_the_command() -> None:
    guard = _guard(_SLEEP)
    child = _child(guard)
    _end(guard)
    assert not child.is_running()


def test_signals_do_not_take_the_guard_from_its_command() -> None:
    guard = _guard(_SLEEP)
    child = _child(guard)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        guard.send_signal(number)
    assert child.is_running()
    _end(guard)
    assert guard.returncode > 0  # it ended by itself, no signal ended it
    assert not child.is_running()


def test_commands_run_in_turn_as_long_as_they_succeed(tmp_path: Path) -> None:
    guard = _guard(["touch", str(tmp_path / "one")], ["false"], ["touch", str(tmp_path / "two")])
    assert guard.wait() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    _end(guard)


def test_no_further_command_starts_after_the_end_of_input(tmp_path: Path) -> None:
    guard = _guard(_SLEEP, ["touch", str(tmp_path / "next")])
    _child(guard)
    _end(guard)
    assert not list(tmp_path.iterdir())
