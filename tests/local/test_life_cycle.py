"""Starting and stopping: nothing stays behind, and what goes wrong is said in one sentence."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.local.conftest import ROOT, LocalCloud, RunningCloud, living, wait_until_gone

Start = Callable[..., LocalCloud]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def _assert_free(*ports: int) -> None:
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))


def _closing() -> signal.Signals:
    """What the terminal's closing sends; under nohup it is ignored."""
    nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return signal.SIGTERM if nohup else signal.SIGHUP


# SIGHUP goes to the first process in a terminal only, which may be make: the others see by
# themselves that it is gone.
TERMINAL_GONE = "terminal gone"
ENDS = [signal.SIGINT, signal.SIGKILL, signal.SIGTERM, TERMINAL_GONE, _closing()]


@pytest.mark.parametrize(
    "ends",
    [
        pytest.param([signal.SIGINT, signal.SIGKILL, TERMINAL_GONE], id="three"),
        pytest.param(ENDS * 2, id="ten", marks=pytest.mark.proof),
    ],
)
def test_many_times_in_a_row_leaves_nothing(
    start_cloud: Start, tmp_path: Path, ends: list[signal.Signals | str]
) -> None:
    """Ctrl-C, SIGTERM, the terminal closing and kill -9, on the same ports and folder."""
    state = tmp_path / "s"
    ports = {"PORT": _free_port(), "AWS_PORT": _free_port(), "POSTGRES_PORT": _free_port()}
    environment = {name: str(port) for name, port in ports.items()}
    # Where programs like to leave something when they are not told otherwise.
    elsewhere = [tmp_path / "home", tmp_path / "tmp"]
    for folder in elsewhere:
        folder.mkdir()
    environment |= {"HOME": str(elsewhere[0]), "TMPDIR": str(elsewhere[1])}
    for end in ends:
        ours, theirs = os.openpty()
        with os.fdopen(ours) as terminal:
            cloud = start_cloud(state, stdin=theirs, **environment)
            os.close(theirs)
            stack = cloud.wait_until_ready()
            assert urlsplit(stack["ApiUrl"]).port == ports["PORT"]
            children = cloud.children()
            assert {"postgres", "sam_offline.ministack_server"} <= {
                Path(word).name for words in _commands(children).values() for word in words
            }
            if isinstance(end, signal.Signals):
                cloud.process.send_signal(end)
            else:
                terminal.close()
            status = cloud.process.wait()
        wait_until_gone(children)
        if end == signal.SIGKILL:
            assert status == -signal.SIGKILL
        else:
            assert status == 0, cloud.log_tail()
            assert "Traceback" not in cloud.log.read_text()
            assert not (state / "stack.json").exists()
        _assert_free(*ports.values())
    assert [list(folder.iterdir()) for folder in elsewhere] == [[], []]


def _commands(processes: list[psutil.Process]) -> dict[psutil.Process, list[str]]:
    """What those run that live; the engine's forks, which save, end by themselves."""
    found = {}
    for process in living(processes):
        with suppress(psutil.NoSuchProcess):
            found[process] = process.cmdline()
    return found


@pytest.mark.proof
def test_a_start_clears_what_outlived_its_guard(start_cloud: Start, tmp_path: Path) -> None:
    state = tmp_path / "s"
    first = start_cloud(state)
    first.wait_until_ready()
    children = first.children()
    for child, words in _commands(children).items():
        if any(word.endswith("guard.py") for word in words):
            child.kill()  # guards first: nobody is left to end the engines
    first.kill()
    # The AWS engine sees by itself that nobody is left.
    orphans = [c for c, words in _commands(children).items() if "-D" in words]
    assert orphans
    second = start_cloud(state)
    second.wait_until_ready()
    wait_until_gone(orphans)
    second.stop()


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("local: starting with empty stores", signal.SIGTERM),
        ("local: the engine is up", signal.SIGINT),
        pytest.param("local: starting with empty stores", signal.SIGINT, marks=pytest.mark.proof),
        pytest.param("local: the engine is up", signal.SIGTERM, marks=pytest.mark.proof),
    ],
)
def test_stops_in_order_in_the_middle_of_a_start(
    start_cloud: Start, line: str, number: signal.Signals
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # so that the start has no end
        url = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/none"
        cloud = start_cloud(DATABASE_URL=url)
        cloud.wait_until_it_says(line)
        cloud.stop(number, status=128 + number)
    assert "Traceback" not in cloud.log.read_text()


@pytest.mark.parametrize(
    ("program", "early"), [("local", "psutil"), ("commands.cli", "typer")], ids=["run", "command"]
)
def test_an_interrupt_before_anything_has_begun_is_quiet(
    tmp_path: Path, program: str, early: str
) -> None:
    """`early` is a package that the program imports at its beginning: here it never returns."""
    (tmp_path / f"{early}.py").write_text(
        "import signal\nprint('importing', flush=True)\nwhile True:\n    signal.pause()\n"
    )
    starting = subprocess.Popen(
        [sys.executable, "-m", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert starting.stdout
    assert starting.stdout.readline() == "importing\n"
    starting.send_signal(signal.SIGINT)
    _, said = starting.communicate()
    # Ended by the signal, which a shell shows as status 130.
    assert (starting.returncode, said) == (-signal.SIGINT, "")


def test_an_interrupt_before_the_set_up_has_begun_is_quiet(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    setup = shutil.copy(ROOT / "bin" / "setup", tmp_path / "bin")
    # Taken for the standard library's, which it imports at its beginning.
    (tmp_path / "subprocess.py").write_text(
        "import signal\nprint('importing', flush=True)\nwhile True:\n    signal.pause()\n"
    )
    found_first = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    starting = subprocess.Popen(
        [setup],
        env=os.environ | {"PATH": found_first},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert starting.stdout
    assert starting.stdout.readline() == "importing\n"
    starting.send_signal(signal.SIGINT)
    _, said = starting.communicate()
    assert (starting.returncode, said) == (-signal.SIGINT, "")


def test_nothing_outlives_tests_that_are_killed(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from tests.local.conftest import LocalCloud\n"
        "cloud = LocalCloud(pathlib.Path(sys.argv[1]))\n"
        "cloud.wait_until_it_says('local: the engine is up')\n"
        "print(cloud.process.pid, flush=True)\n"
        "time.sleep(3600)\n"
    )
    tests = subprocess.Popen(
        [str(ROOT / "bin" / "python"), "-c", script, str(tmp_path / "s")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert tests.stdout
    cloud = psutil.Process(int(tests.stdout.readline()))
    family = [cloud, *cloud.children(recursive=True)]
    tests.kill()
    tests.communicate()
    wait_until_gone(family)


def _refusal(cloud: LocalCloud) -> str:
    """What a local cloud that cannot run says; it must be one sentence and status 1."""
    children = set[psutil.Process]()
    while cloud.process.poll() is None:
        children.update(cloud.children())
        time.sleep(0.2)  # each look goes through all processes of the machine
    assert cloud.process.returncode == 1
    said = [line for line in cloud.log.read_text().splitlines() if line.startswith("local: ")]
    assert "Traceback" not in cloud.log.read_text()
    wait_until_gone(list(children))
    return said[-1]


@pytest.mark.parametrize("variable", ["PORT", "AWS_PORT", "POSTGRES_PORT"])
def test_a_port_in_use_is_one_sentence(start_cloud: Start, variable: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        sentence = _refusal(start_cloud(**{variable: str(port)}))
    assert f"127.0.0.1:{port}" in sentence
    assert f"set {variable}" in sentence


def test_a_folder_is_for_one_at_a_time(start_cloud: Start, cloud: RunningCloud) -> None:
    second = start_cloud(cloud.process.state)
    assert second.process.wait() == 1
    assert f"process {cloud.process.process.pid}" in cloud.process.log_tail()
    assert cloud.client.get("/api/message_groups").status_code == 401


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"PORT": "many"}, "PORT"),
        ({"DATABASE_URL": "postgresql://127.0.0.1:1/none"}, "Schema"),
    ],
)
def test_what_cannot_work_is_one_sentence(
    start_cloud: Start, environment: dict[str, str], word: str
) -> None:
    assert word in _refusal(start_cloud(**environment))
