"""A guarded program ends when nobody holds its input any more."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from sam_offline.processes import guarded

_SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(3600)"]


def _run(*commands: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        guarded(signal.SIGTERM, *commands),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _wait_until_it_runs(run: subprocess.Popen[str]) -> list[psutil.Process]:
    assert run.stdout
    assert run.stdout.readline() == "here\n"
    return psutil.Process(run.pid).children(recursive=True)


def _end(run: subprocess.Popen[str], family: list[psutil.Process]) -> None:
    """Close its input; nothing of it may live on."""
    run.communicate()
    assert run.returncode > 0  # it ended by itself, no signal ended it
    assert not any(process.is_running() for process in family)


def test_end_of_input_ends_the_program() -> None:
    run = _run(["true"], _SLEEP)
    _end(run, _wait_until_it_runs(run))


def test_signals_do_not_take_the_guard_from_its_program() -> None:
    run = _run(_SLEEP)
    family = _wait_until_it_runs(run)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        run.send_signal(number)
    assert all(process.is_running() for process in family)
    _end(run, family)


def test_commands_run_in_turn_as_long_as_they_succeed(tmp_path: Path) -> None:
    run = _run(["touch", str(tmp_path / "one")], ["false"], ["touch", str(tmp_path / "two")])
    assert run.wait() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    run.communicate()


def test_no_further_command_starts_after_the_end_of_input(tmp_path: Path) -> None:
    run = _run(_SLEEP, ["touch", str(tmp_path / "next")])
    _end(run, _wait_until_it_runs(run))
    assert not list(tmp_path.iterdir())
