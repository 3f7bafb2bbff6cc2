"""A guarded command ends when nobody holds its input any more."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from sam_offline.processes import guarded
from tests.waiting import eventually

_SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(3600)"]


def _run(*commands: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        guarded(signal.SIGTERM, *commands),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _end(run: subprocess.Popen[str]) -> None:
    """Close its input; nothing of it may live on."""
    assert run.stdout
    assert run.stdout.readline() == "here\n"
    family = psutil.Process(run.pid).children(recursive=True)
    run.communicate()
    assert run.returncode == -signal.SIGTERM
    eventually(lambda: not any(process.is_running() for process in family) or None)


def test_end_of_input_ends_the_program() -> None:
    _end(_run(["true"], _SLEEP))


def test_commands_run_in_turn_as_long_as_they_succeed(tmp_path: Path) -> None:
    run = _run(["touch", str(tmp_path / "one")], ["false"], ["touch", str(tmp_path / "two")])
    assert run.wait() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    run.communicate()


def test_no_further_command_starts_after_the_end_of_input(tmp_path: Path) -> None:
    _end(_run(_SLEEP, ["touch", str(tmp_path / "next")]))
    assert not list(tmp_path.iterdir())
