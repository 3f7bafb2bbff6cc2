"""What was written outlives the local cloud with KEEP=1, also when it was killed."""

import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import httpx
import psutil
import pytest

from sam_offline.processes import ChildProcess, guarded
from sam_offline.state import StateFolder
from tests.local.conftest import LocalCloud, wait_until_gone
from tests.local.test_application import LONG
from tests.waiting import eventually

Start = Callable[..., LocalCloud]


def _client(stack: dict[str, Any], service: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=stack["EndpointUrl"],
        region_name=stack["Region"],
        aws_access_key_id=stack["AccessKeyId"],
        aws_secret_access_key=stack["SecretAccessKey"],
    )


def _sign_up(stack: dict[str, Any], handle: str) -> None:
    email = f"{handle}@example.com"
    attributes = {"email": email, "name": handle.capitalize(), "preferred_username": handle}
    cognito = _client(stack, "cognito-idp")
    cognito.sign_up(
        ClientId=stack["UserPoolClientId"],
        Username=email,
        Password="Tide-and-ocean",
        UserAttributes=[{"Name": name, "Value": value} for name, value in attributes.items()],
    )
    cognito.confirm_sign_up(
        ClientId=stack["UserPoolClientId"], Username=email, ConfirmationCode="123456"
    )


def _groups(stack: dict[str, Any], email: str, password: str) -> list[dict[str, str]]:
    signed_in = _client(stack, "cognito-idp").initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        ClientId=stack["UserPoolClientId"],
        AuthParameters={"USERNAME": email, "PASSWORD": password},
    )
    token = signed_in["AuthenticationResult"]["AccessToken"]
    answer = httpx.get(
        f"{stack['ApiUrl']}/api/message_groups",
        headers={"Authorization": f"Bearer {token}"},
        trust_env=False,
        timeout=None,
    )
    assert answer.status_code == 200
    rows: list[dict[str, str]] = answer.json()
    return rows


def engine_of(cloud: LocalCloud) -> psutil.Process:
    """The process of the AWS engine, none of its forks."""
    (engine,) = [
        child
        for child in psutil.Process(cloud.process.pid).children()
        if "sam_offline.ministack_server" in child.cmdline()
    ]
    return engine


def _kill_everything(cloud: LocalCloud) -> None:
    """As a container ends: nobody is left to end the engines in order, so that they save."""
    children = cloud.children()
    everyone = [psutil.Process(cloud.process.pid), *children]
    for act in (psutil.Process.suspend, psutil.Process.kill):
        for process in everyone:
            with suppress(psutil.NoSuchProcess):  # whoever saved has ended by then
                act(process)
    cloud.kill()
    wait_until_gone(children)


def _saved(state: Path, text: str) -> bool | None:
    """Whether the engine has saved something with this text."""
    files = (state / "data" / "aws").glob("*.json")
    return any(text in file.read_text() for file in files) or None


@pytest.mark.proof
def test_what_was_written_before_a_kill_is_there_and_in_the_lists(
    start_cloud: Start, tmp_path: Path
) -> None:
    state = tmp_path / "s"
    cloud = start_cloud(state)
    stack = cloud.wait_until_ready()
    _sign_up(stack, "ocean")
    # A message whose stream record nobody has processed when everything is killed.
    cloud.process.send_signal(signal.SIGSTOP)
    engine = engine_of(cloud)
    (port,) = {c.laddr.port for c in engine.net_connections("inet") if c.status == "LISTEN"}
    item = {
        "pk": f"MSG#{LONG.uuid}",
        "sk": "2031-01-01T00:00:00.000000+00:00#9a6f0f5e-7f3c-4f4e-9c55-0a5f3f1f2b11",
        "message_uuid": "9a6f0f5e-7f3c-4f4e-9c55-0a5f3f1f2b11",
        "message": "written at the last moment",
        "user_uuid": "1e6b5a4f-7b4c-4a1f-8e6d-4d2a7a3c8b02",
        "user_display_name": "Reef",
        "user_handle": "reef",
    }
    _client({**stack, "EndpointUrl": f"http://127.0.0.1:{port}"}, "dynamodb").put_item(
        TableName=stack["TableName"], Item={name: {"S": value} for name, value in item.items()}
    )
    eventually(lambda: _saved(state, "written at the last moment"))
    eventually(lambda: _saved(state, "ocean@example.com"))
    _kill_everything(cloud)

    again = start_cloud(state, KEEP="1")
    stack = again.wait_until_ready()
    assert _groups(stack, "ocean@example.com", "Tide-and-ocean") == []
    (row,) = [
        row
        for row in _groups(stack, "grahams@example.com", "Cruddur-1234")
        if row["uuid"] == LONG.uuid
    ]
    assert row["message"] == "written at the last moment"
    again.stop()


@pytest.mark.proof
def test_whom_the_pool_has_lost_can_sign_up_again(start_cloud: Start, tmp_path: Path) -> None:
    state = tmp_path / "s"
    cloud = start_cloud(state)  # what is written without KEEP can be kept later, too
    before = cloud.wait_until_ready()
    _sign_up(before, "ocean")
    _sign_up(before, "brook")
    eventually(lambda: _saved(state, "brook@example.com"))
    cognito, pool = _client(before, "cognito-idp"), before["UserPoolId"]
    cognito.admin_delete_user(UserPoolId=pool, Username="ocean@example.com")
    marker = {"pk": {"S": "test"}, "sk": {"S": "kept"}}
    _client(before, "dynamodb").put_item(TableName=before["TableName"], Item=marker)
    cloud.stop()

    again = start_cloud(state, KEEP="1")
    after = again.wait_until_ready()
    assert "local: 1 user had lost the sign-in: they can sign up again" in again.log.read_text()
    _sign_up(after, "ocean")
    for handle in ("ocean", "brook"):
        assert _groups(after, f"{handle}@example.com", "Tide-and-ocean") == []
    kept = ("UserPoolId", "UserPoolClientId", "TableName")
    assert {name: before[name] for name in kept} == {name: after[name] for name in kept}
    found = _client(after, "dynamodb").get_item(TableName=after["TableName"], Key=marker)
    assert found["Item"] == marker
    again.stop()


_WORKS_AND_SAVES = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: None)
print("ready", file=sys.stderr, flush=True)
signal.pause()
end = time.process_time() + 1.5
while time.process_time() < end: pass
open(sys.argv[1], "w").close()
"""
_IGNORES = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True: signal.pause()
"""


def _engine(state: StateFolder, code: str, *arguments: str) -> ChildProcess:
    command = guarded(signal.SIGTERM, [sys.executable, "-c", code, *arguments])
    engine = ChildProcess("slow", command, environment={}, state=state)
    engine.wait_until(lambda: "ready" in engine.log.read_text())
    return engine


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StateFolder]:
    monkeypatch.setattr("sam_offline.processes._LOOK_SECONDS", 1.0)
    state = StateFolder(tmp_path / "s")
    state.acquire()
    yield state
    state.release()


def test_an_engine_that_saves_for_long_is_waited_for(
    state: StateFolder, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "saved"
    _engine(state, _WORKS_AND_SAVES, str(saved)).stop()
    assert saved.exists()
    assert "waiting for slow, which saves" in capfd.readouterr().out


def test_an_engine_that_does_nothing_any_more_is_ended(state: StateFolder) -> None:
    engine = _engine(state, _IGNORES)
    (program,) = [
        program
        for guard in psutil.Process().children()
        for program in guard.children()
        if _IGNORES in program.cmdline()
    ]
    engine.stop()
    wait_until_gone([program])


@pytest.mark.proof
def test_a_folder_that_is_removed_while_it_is_used_ends_the_run_in_a_sentence(
    start_cloud: Start, tmp_path: Path
) -> None:
    state = tmp_path / "s"
    cloud = start_cloud(state)
    cloud.wait_until_ready()
    children = cloud.children()

    def removed() -> bool | None:
        """Whether it is gone: a worker that starts meanwhile may still have written into it."""
        shutil.rmtree(state, ignore_errors=True)
        return not state.exists() or None

    eventually(removed)
    assert cloud.process.wait() == 1
    assert f"{state} was removed while it was in use" in cloud.log.read_text().splitlines()[-1]
    assert not state.exists()
    wait_until_gone(children)
