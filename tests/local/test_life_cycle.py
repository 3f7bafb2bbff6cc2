"""Starting and stopping: nothing stays behind, and what goes wrong is said in one sentence."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest

from tests.local.conftest import LocalCloud, gone

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


def test_ten_times_in_a_row_leaves_nothing(start_cloud: Start, tmp_path: Path) -> None:
    """Ctrl-C, SIGTERM, the terminal closing and kill -9, on the same ports and folder."""
    state = tmp_path / "s"
    ports = {"PORT": _free_port(), "AWS_PORT": _free_port(), "POSTGRES_PORT": _free_port()}
    environment = {name: str(port) for name, port in ports.items()}
    # Where programs like to leave something when they are not told otherwise.
    elsewhere = [tmp_path / "home", tmp_path / "tmp"]
    for folder in elsewhere:
        folder.mkdir()
    environment |= {"HOME": str(elsewhere[0]), "TMPDIR": str(elsewhere[1])}
    nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    closing = signal.SIGTERM if nohup else signal.SIGHUP
    ends = [signal.SIGINT, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, closing]
    for number in ends * 2:
        cloud = start_cloud(state, **environment)
        stack = cloud.wait_until_ready()
        assert urlsplit(stack["ApiUrl"]).port == ports["PORT"]
        children = cloud.children()
        assert {"postgres", "python"} <= {child.name().rstrip("0123456789.") for child in children}
        if number == signal.SIGKILL:
            cloud.kill()
            assert not gone(children, within=10)
        else:
            cloud.stop(number)
            assert "Traceback" not in cloud.log.read_text()
            assert not (state / "stack.json").exists()
        _assert_free(*ports.values())
    assert [list(folder.iterdir()) for folder in elsewhere] == [[], []]


def test_a_start_clears_what_outlived_its_guard(start_cloud: Start, tmp_path: Path) -> None:
    state = tmp_path / "s"
    first = start_cloud(state)
    first.wait_until_ready()
    children = first.children()
    for child in children:  # guards first: nobody is left to end the engines
        if any(part.endswith("guard.py") for part in child.cmdline()):
            child.kill()
    first.kill()
    orphans = gone(children, within=0.2)
    assert orphans
    second = start_cloud(state)
    second.wait_until_ready()
    assert not gone(orphans, within=0)
    second.stop()


def test_stops_in_order_in_the_middle_of_a_start(start_cloud: Start) -> None:
    for after in (0.3, 1.0):
        cloud = start_cloud()
        with pytest.raises(subprocess.TimeoutExpired):
            cloud.process.wait(after)
        cloud.stop(signal.SIGINT)
        assert "Traceback" not in cloud.log.read_text()


def test_stops_when_its_terminal_is_gone(start_cloud: Start) -> None:
    """SIGHUP goes to the first process in the terminal only, which may be make."""
    ours, theirs = os.openpty()
    cloud = start_cloud(stdin=theirs)
    os.close(theirs)
    cloud.wait_until_ready()
    children = cloud.children()
    os.close(ours)
    assert cloud.process.wait(20) == 0
    assert not gone(children, within=0.5)


def _refusal(cloud: LocalCloud) -> str:
    """What a local cloud that cannot run says; it must be one sentence and status 1."""
    assert cloud.process.wait(20) == 1
    said = [line for line in cloud.log.read_text().splitlines() if line.startswith("local: ")]
    assert "Traceback" not in cloud.log.read_text()
    assert not gone(cloud.children(), within=0.5)
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
    assert second.process.wait(20) == 1
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
        ({"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1"}, "template.yaml"),
    ],
)
def test_what_cannot_work_is_one_sentence(
    start_cloud: Start, environment: dict[str, str], word: str
) -> None:
    assert word in _refusal(start_cloud(**environment))
