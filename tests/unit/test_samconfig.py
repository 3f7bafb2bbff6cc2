"""samconfig.toml: a bare command works, and two stages do not get into each other's way."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from local.containers import HOST
from local.settings import Settings

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text())
LOCAL = ("local_start_api", "local_invoke")


def parameters(environment: str, command: str) -> dict[str, Any]:
    return dict(CONFIG[environment][command]["parameters"])


@pytest.mark.parametrize("command", LOCAL)
def test_a_bare_sam_local_reads_what_the_local_cloud_writes(command: str) -> None:
    settings = parameters("default", command)
    state = Settings.from_environment({}).state
    assert ROOT / settings["env_vars"] == state / "sam-env.json"
    assert settings["add_host"] == f"{HOST}:host-gateway"
    assert parameters("local", command) == settings


def test_a_bare_sam_deploy_is_prods() -> None:
    assert parameters("default", "deploy") == parameters("prod", "deploy")


def test_dev_and_prod_share_neither_stack_nor_table() -> None:
    dev, prod = parameters("dev", "deploy"), parameters("prod", "deploy")
    assert dev["stack_name"] != prod["stack_name"]
    assert "TableName=" in dev["parameter_overrides"]
    assert "TableName=" not in prod.get("parameter_overrides", "")
