"""samconfig.toml: a bare command works, and two stages do not get into each other's way."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from local.cloud import DEVELOPMENT
from local.settings import Settings
from sam_offline.containers import HOST
from tests.fakes.template import read_stack

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text())
LOCAL = ("local_start_api", "local_invoke")


def parameters(environment: str, command: str) -> dict[str, Any]:
    return dict(CONFIG[environment][command]["parameters"])


@pytest.mark.parametrize("command", LOCAL)
def test_a_bare_sam_local_reads_what_the_local_cloud_writes(command: str) -> None:
    settings = parameters("default", command)
    state = Settings({}).state
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


def overrides(environment: str, command: str) -> dict[str, str]:
    given = parameters(environment, command).get("parameter_overrides", "")
    return dict(word.split("=", 1) for word in given.split())


@pytest.mark.parametrize("environment", ["dev", "prod", "local"])
def test_what_a_stage_is_given_are_parameters_of_the_template(environment: str) -> None:
    for command in CONFIG[environment]:
        read_stack(parameters=overrides(environment, command))


def test_only_stages_for_development_take_local_web_pages_and_plain_passwords() -> None:
    development = {name: DEVELOPMENT[name] for name in ("AllowedOrigins", "PasswordSignIn")}
    assert development.items() <= overrides("dev", "deploy").items()
    served = overrides("local", "local_start_api")
    assert served == {"AllowedOrigins": development["AllowedOrigins"]}
    assert not development.keys() & overrides("prod", "deploy").keys()


def test_dev_protects_nothing() -> None:
    stack = read_stack(parameters=overrides("dev", "deploy"))
    _, pool = stack.the_one("AWS::Cognito::UserPool")
    assert pool["DeletionProtection"] == "INACTIVE"
