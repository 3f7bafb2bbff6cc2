"""Every operator command on a running local cloud of its own, as the README tells to use them."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from cruddur import targets
from cruddur.cli import app
from cruddur.seed import seed_users
from messaging import keys, message_groups
from messaging.deadline import Deadline
from messaging.entities import Item, User
from messaging.message_groups import NewMessage
from messaging.repository import Repository, to_dynamodb
from tests.local.conftest import ROOT, LocalCloud
from tests.local.fault_proxy import HoldingProxy

GROUP = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"


class Operated:
    """A local cloud, and the commands on it."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.stack = cloud.wait_until_ready()

    def script(self, path: str, *arguments: str) -> str:
        """Run a script in bin/ from another directory; return its stdout."""
        return subprocess.run(
            [str(ROOT / "bin" / path), *arguments],
            env=self.cloud.environment | {"AWS_ENDPOINT_URL": "http://192.0.2.1:1"},
            cwd="/",
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def run(self, command: str, *, status: int = 0) -> Result:
        """Run a command in this process, which saves its start."""
        result = CliRunner().invoke(app, command.split())
        assert result.exit_code == status, result.output
        return result

    def rows(self, command: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run(f"{command} --json").stdout.splitlines()]

    def api(self, path: str) -> list[dict[str, Any]]:
        """What the API answers a seeded user."""
        token = self.run("cognito token grahams").stdout.strip()
        answer = httpx.get(
            f"{self.stack['ApiUrl']}{path}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=None,
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found


@pytest.fixture(scope="module")
def started(start_cloud: Callable[..., LocalCloud]) -> Iterator[Operated]:
    cloud = start_cloud()
    yield Operated(cloud)
    cloud.stop()


@pytest.fixture
def operated(started: Operated, monkeypatch: pytest.MonkeyPatch) -> Operated:
    monkeypatch.setenv("LOCAL_STATE", str(started.cloud.state))
    return started


def test_the_sequence_of_the_bootcamp_from_setup_to_drop(operated: Operated) -> None:
    assert len(operated.api("/api/message_groups")) == 2
    assert operated.script("db/setup").count("updated ") == 5
    assert operated.rows("ddb schema-load") == [{"table": "cruddur-messages", "made": False}]
    assert operated.rows("ddb seed")[0]["messages"] == 108
    assert len(operated.script("ddb/scan").splitlines()) == 120
    shown = operated.script("ddb/patterns/get-conversation", "--limit", "3").splitlines()
    assert len(shown) == 3
    assert "Same time next month. I will bring" in shown[-1]
    *groups, summary = operated.rows("ddb patterns list-conversations")
    assert [group["user_handle"] for group in groups] == ["bayko", "reef"]
    assert summary["summary"]["read_units"] == 0.5
    assert len(operated.rows("cognito list-users")) == 5
    linked = {row["state"] for row in operated.rows("db update_cognito_user_ids")}
    assert linked == {"unchanged", "only_in_directory"}
    # The functions' kept connections were ended by the drop; people and groups are the same.
    assert operated.api("/api/message_groups")[0]["uuid"] == GROUP

    dropped = operated.run("ddb drop cruddur-messages")
    assert "with 120 items" in dropped.stderr
    assert "restart it" in dropped.stderr
    assert "bin/ddb/schema-load" in operated.run("ddb scan", status=1).stderr
    made = operated.run("ddb schema-load")
    assert "restart it" in made.stderr
    operated.run("ddb seed")
    assert len(operated.api(f"/api/messages/{GROUP}?limit=100")) == 100


def test_what_is_left_of_the_commands(operated: Operated) -> None:
    for command in ("create", "schema-load", "migrate", "seed"):
        operated.run(f"db {command}")
    (user,) = operated.rows("cognito create-user dory --email dory@example.com")
    assert user["made"]
    assert operated.run("cognito token Dory").stdout.count(".") == 2
    taken = operated.run("cognito create-user REEF --email other@example.com", status=1)
    assert "handle_taken" in taken.stderr
    operated.run(f"db set-cognito-id dory {user['cognito_user_id']}")
    states = {row["handle"]: row["state"] for row in operated.rows("db update_cognito_user_ids")}
    assert states["dory"] == "unchanged"
    assert "1 row" in operated.script("db/connect", "-c", "SELECT 1")
    operated.api("/api/message_groups")
    assert operated.rows("db sessions")
    assert operated.rows("db kill-all")[0]["ended"] >= 1
    operated.api("/api/message_groups")
    assert operated.rows("ddb list-tables") == [{"table": "cruddur-messages", "of": "this stack"}]
    operated.run("rds update-sg-rule", status=1)


def test_a_load_is_found_equal_and_taken_away_again(operated: Operated) -> None:
    (written,) = operated.rows("ddb seed --messages 2000 --users 40 --groups 60 --reset")
    assert written["messages"] == 2000
    assert len(operated.rows("ddb scan")) == 2000 + 60 * 4
    operated.run("ddb reconcile --dry-run")
    assert operated.rows("ddb seed --reset")[0]["deleted"] == 2240
    assert len(operated.rows("ddb scan")) == 120


def test_an_interrupted_seed_is_completed_by_the_next(operated: Operated, tmp_path: Path) -> None:
    size = ["--messages", "3000", "--users", "40", "--groups", "60"]
    # It cannot be ready before it is interrupted: one of its calls is not answered until then.
    proxy = HoldingProxy(operated.stack["EndpointUrl"], "BatchWriteItem", number=20)
    (tmp_path / "stack.json").write_text(json.dumps(operated.stack | {"EndpointUrl": proxy.url}))
    seeding = subprocess.Popen(
        [str(ROOT / "bin" / "ddb" / "seed"), *size],
        env=operated.cloud.environment | {"LOCAL_STATE": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    proxy.wait_until_held()
    seeding.send_signal(signal.SIGINT)
    proxy.release()
    _, said = seeding.communicate()
    proxy.stop()
    assert (seeding.returncode, said) == (130, "Interrupted: run the command again.\n")
    assert 19 * 25 < len(operated.rows("ddb scan")) < 3000
    operated.run(f"ddb seed {' '.join(size)}")
    assert len(operated.rows("ddb scan")) == 3000 + 60 * 4 + 120
    operated.run("ddb reconcile --dry-run")


def test_a_pipe_that_is_closed_is_no_failure_to_explain(operated: Operated) -> None:
    script = f"{ROOT}/bin/ddb/scan | head -1"
    shown = subprocess.run(
        ["sh", "-c", script],
        env=os.environ | operated.cloud.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(shown.stdout.splitlines()) == 1
    assert "Traceback" not in shown.stderr


def as_the_bootcamp_has_it(items: list[Item]) -> list[Item]:
    """The items as its application writes them: local times, and the row's place as its key."""
    abroad = timezone(timedelta(hours=5, minutes=30))

    def local(sk: str) -> str:
        return keys.parse_message_sk(sk).created_at.astimezone(abroad).isoformat()

    old = []
    for item in items:
        if item["pk"].startswith(keys.MESSAGE_PREFIX):
            old.append(item | {"sk": local(item["sk"])})
        elif item["pk"].startswith(keys.MESSAGE_GROUP_PREFIX):
            known = {name: item[name] for name in item.keys() - {"last_sk", "their_sk"}}
            old.append(known | {"sk": local(item["last_sk"])})
    return old


def test_a_table_of_the_bootcamp_is_adopted_beside_live_traffic(operated: Operated) -> None:
    operated.run("ddb seed --reset")
    target = targets.target(prod=False)
    client, name = target.client("dynamodb"), target.output("TableName")
    repository = Repository(client, name, deadline=Deadline())
    sender = User(uuid=seed_users()[0].user.uuid, handle="grahams", display_name="Grahams")
    written: list[str] = []

    def write() -> None:
        new = NewMessage(message=f"live {len(written)}")
        message_groups.create_message(repository, sender, GROUP, new, now=datetime.now(UTC))
        written.append(new.message)

    write()  # from now on it is known who the members are
    items = operated.rows("ddb scan")
    for item in items:
        key = to_dynamodb({"pk": item["pk"], "sk": item["sk"]})
        client.delete_item(TableName=name, Key=key)
    for item in as_the_bootcamp_has_it(items):
        client.put_item(TableName=name, Item=to_dynamodb(item))

    adopted = threading.Event()

    def write_on() -> None:
        while not adopted.is_set():
            write()
        write()

    with ThreadPoolExecutor(1) as executor:
        writing = executor.submit(write_on)
        try:
            operated.run("ddb reconcile")
        finally:
            adopted.set()
        writing.result()
    assert len(written) > 3
    while (first := operated.api("/api/message_groups")[0])["message"] != written[-1]:
        assert first["uuid"] == GROUP
    shown = operated.api(f"/api/messages/{GROUP}?limit=100")
    assert shown == sorted(shown, key=lambda message: message["created_at"], reverse=True)
    live = [message["message"] for message in shown if message["message"] in written]
    assert live == written[:-101:-1]
    # What the stream brought before a row had its key was parked.
    operated.run("ddb reconcile --failed")
    assert operated.rows("ddb reconcile --dry-run")[-1]["summary"]["left"] == 0
