"""Every operator command on a running local cloud of its own, as the README tells to use them."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.local.conftest import ROOT, LocalCloud, Operated
from tests.local.fault_proxy import HoldingProxy

GROUP = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"


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
    assert [group["user_handle"] for group in groups] == ["reef", "bayko"]
    assert summary == {"summary": {"cursor": None}}  # what it would cost means nothing here
    assert len(operated.rows("cognito list-users")) == 5
    linked = {row["state"] for row in operated.rows("db update_cognito_user_ids")}
    assert linked == {"unchanged", "only_in_directory"}
    # The functions' kept connections were ended by the drop; people and groups are the same.
    assert operated.api("/api/message_groups")[0]["uuid"] == GROUP

    dropped = operated.run("ddb drop cruddur-messages")
    assert "with 120 items" in dropped.stderr
    assert "Restart it" in dropped.stderr
    assert "bin/ddb/schema-load" in operated.run("ddb scan", status=1).stderr
    made = operated.run("ddb schema-load")
    assert "Restart it" in made.stderr
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
    (written,) = operated.rows("ddb seed --messages 1000 --users 40 --groups 60 --reset")
    assert written["messages"] == 1000
    assert len(operated.items()) == 1000 + 60 * 4
    operated.run("ddb reconcile --dry-run")
    assert operated.rows("ddb seed --reset")[0]["deleted"] >= 1240
    assert len(operated.items()) == 120


def test_an_interrupted_seed_is_completed_by_the_next(operated: Operated, tmp_path: Path) -> None:
    size = ["--messages", "1000", "--users", "40", "--groups", "60"]
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
    proxy.wait_until_held(seeding)
    seeding.send_signal(signal.SIGINT)
    proxy.release()
    _, said = seeding.communicate()
    proxy.stop()
    assert (seeding.returncode, said) == (130, "Interrupted: run the command again.\n")
    assert 19 * 25 < len(operated.items()) < 1000
    operated.run(f"ddb seed {' '.join(size)}")
    assert len(operated.items()) == 1000 + 60 * 4 + 120
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
