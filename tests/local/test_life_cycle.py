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
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import psutil
import pytest

from tests.local.conftest import ROOT, LocalCloud, living, wait_until_gone

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

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


ENDS = [signal.SIGINT, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, _closing()]


@pytest.mark.parametrize(
    "ends",
    [
        pytest.param([signal.SIGINT, signal.SIGKILL, _closing()], id="three"),
        pytest.param(ENDS * 2, id="ten", marks=pytest.mark.proof),
    ],
)
def test_many_times_in_a_row_leaves_nothing(
    start_cloud: Start, tmp_path: Path, ends: list[signal.Signals]
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
    for number in ends:
        cloud = start_cloud(state, **environment)
        stack = cloud.wait_until_ready()
        assert urlsplit(stack["ApiUrl"]).port == ports["PORT"]
        children = cloud.children()
        assert {"postgres", "sam_offline.engine"} <= {
            Path(word).name for words in _commands(children).values() for word in words
        }
        if number == signal.SIGKILL:
            cloud.kill()
            wait_until_gone(children)
        else:
            cloud.stop(number)
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


def test_a_start_clears_what_outlived_its_guard(start_cloud: Start, tmp_path: Path) -> None:
    state = tmp_path / "s"
    first = start_cloud(state)
    first.wait_until_ready()
    children = first.children()
    for child, words in _commands(children).items():
        if words[:1] == ["/bin/sh"]:
            child.kill()  # guards first: nobody is left to end the engines
    first.kill()
    # The AWS engine sees by itself that nobody is left.
    orphans = [c for c, words in _commands(children).items() if "-D" in words]
    assert orphans
    second = start_cloud(state)
    second.wait_until_ready()
    wait_until_gone(orphans)
    second.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("line", ["local: starting with empty stores", "local: the engine is up"])
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


def test_stops_when_its_terminal_is_gone(start_cloud: Start) -> None:
    """SIGHUP goes to the first process in the terminal only, which may be make."""
    ours, theirs = os.openpty()
    cloud = start_cloud(stdin=theirs)
    os.close(theirs)
    cloud.wait_until_ready()
    children = cloud.children()
    os.close(ours)
    assert cloud.process.wait() == 0
    wait_until_gone(children)


def _refusal(cloud: LocalCloud) -> str:
    """What a local cloud that cannot run says; it must be one sentence and status 1."""
    children = set[psutil.Process]()
    while cloud.process.poll() is None:
        children.update(cloud.children())
        time.sleep(0.05)
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


def table(stack: dict[str, Any]) -> "DynamoDBClient":
    return boto3.client(
        "dynamodb",
        endpoint_url=stack["EndpointUrl"],
        region_name=stack["Region"],
        aws_access_key_id=stack["AccessKeyId"],
        aws_secret_access_key=stack["SecretAccessKey"],
    )


def test_a_folder_is_for_one_at_a_time_and_is_kept_on_request(
    start_cloud: Start, tmp_path: Path
) -> None:
    state = tmp_path / "s"
    first = start_cloud(state)  # what is written without KEEP can be kept later, too
    before = first.wait_until_ready()
    marker = {"pk": {"S": "test"}, "sk": {"S": "kept"}}
    table(before).put_item(TableName=before["TableName"], Item=marker)
    second = start_cloud(state)
    assert second.process.wait() == 1
    assert f"process {first.process.pid}" in second.log_tail()
    first.stop()

    third = start_cloud(state, KEEP="1")
    after = third.wait_until_ready()
    found = table(after).get_item(TableName=after["TableName"], Key=marker)
    third.stop()
    assert found["Item"] == marker
    kept = ("UserPoolId", "UserPoolClientId", "TableName")
    assert {name: before[name] for name in kept} == {name: after[name] for name in kept}


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
