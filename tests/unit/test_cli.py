"""The commands as such: their names, scripts, helps, completion and wrong use."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from commands import targets
from commands.cli import app
from commands.errors import CommandError

ROOT = Path(__file__).parents[2]
ENTRY = re.compile(
    r'^exec "\$\(dirname "\$\(realpath "\$0"\)"\)/((?:\.\./)*)python" -m (.+) "\$@"$'
)


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    group = group or typer.main.get_command(app)
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


COMMANDS = list(commands())


@pytest.mark.parametrize(
    ("exported", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-1"),
        ({"AWS_PROFILE": "of-a-profile"}, "eu-south-1"),
    ],
)
def test_a_region_in_either_variable_is_the_region(
    exported: dict[str, str], region: str, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("[profile of-a-profile]\nregion = eu-south-1\n")
    done = subprocess.run(
        [ROOT / "bin" / "python", "-c", "import boto3; print(boto3.Session().region_name)"],
        env={"PATH": os.environ["PATH"], "AWS_CONFIG_FILE": str(config), **exported},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == region


def test_every_command_has_its_script_and_the_other_way_round() -> None:
    files = [p for p in (ROOT / "bin").rglob("*") if p.is_file()]
    scripts = [p for p in files if re.search(r"-m commands\.cli \w", p.read_text())]
    found = set()
    for script in scripts:
        path = script.relative_to(ROOT / "bin").parts
        (line,) = (m for text in script.read_text().splitlines() if (m := ENTRY.match(text)))
        assert line[1] == "../" * (len(path) - 1)
        assert line[2] == f"commands.cli {' '.join(path)}"
        assert script.stat().st_mode & 0o111
        found.add(path)
    assert found == set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_what_it_does_and_what_all_commands_take(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    assert re.search(r"\n\n  [A-Z]", result.stdout)
    for shown in ("--aws", "--stack", "prod", "--json", "--verbose"):
        assert shown in result.stdout, shown


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("ddb scan", ""),
        ("ddb drop", "{TABLE}"),
        ("db set-cognito-id", "{HANDLE} {ID}"),
        ("ddb reconcile", "[MESSAGE_GROUP_UUID]"),
    ],
)
def test_the_usage_tells_required_words_from_optional_ones(command: str, usage: str) -> None:
    help_ = CliRunner().invoke(app, [*command.split(), "--help"]).stdout
    assert help_.splitlines()[0] == f"Usage: root {command} [OPTIONS] {usage}".rstrip()


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_word_and_option_is_explained(path: tuple[str, ...]) -> None:
    command: Any = typer.main.get_command(app)
    for name in path:
        command = command.get_command(typer.Context(command), name)
    unexplained = [parameter.name for parameter in command.params if not parameter.help]
    assert not unexplained


def test_a_stack_may_be_called_prod(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def note(**where: Any) -> Any:
        asked.append(where)
        raise CommandError("noted")

    monkeypatch.setattr(targets, "target", note)
    for arguments in (["--stack", "prod"], ["--stack", "other", "prod"], ["prod"]):
        CliRunner().invoke(app, ["ddb", "scan", *arguments])
    names = ["prod", "other", targets.STACK_NAME]
    assert asked == [{"on_aws": True, "stack_name": name} for name in names]


CHANGES_NOTHING = {"list-tables", "scan", "get-conversation", "list-conversations"}
CHANGES_NOTHING |= {"sessions", "list-users", "token", "config", "live"}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_what_may_change_something_can_be_told_not_to_ask(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*path, "--help"]).stdout
    assert ("--yes" in shown) == (path[-1] not in CHANGES_NOTHING)


@pytest.mark.parametrize(
    "arguments",
    [
        "ddb scan table",
        "ddb scan prod prod",
        "ddb drop",
        "ddb drop prod",
        "ddb drop prod cruddur-messages",
        "ddb drop --aws",
        "ddb seed --messages many",
        "ddb seed --messages 10 --users 2 --groups 2",
        "ddb seed --messages 10 --groups 11",
        "ddb patterns get-conversation a b c",
        "ddb patterns get-conversation --since yesterday",
        "ddb patterns list-conversations --cursor x",
        "db set-cognito-id grahams",
        # What would be ignored.
        "ddb seed --users 5",
        "ddb seed --groups 5",
        "ddb seed --random-seed 5",
        "db seed --random-seed 5",
        "db connect --json --command x",
        "rds update-sg-rule --address 192.0.2.7 --close --aws",
        "db connect --json-please",
        "cognito create-user somebody",
        "cognito token",
        "live",
        "no-such-group",
    ],
)
def test_wrong_use_is_two_and_nothing_is_touched(
    arguments: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "target", lambda **_: pytest.fail("it went to work"))
    result = CliRunner().invoke(app, arguments.split())
    assert result.exit_code == 2, result.output
    assert result.stdout == ""


def test_completion_knows_commands_and_options() -> None:
    def complete(line: str) -> list[str]:
        environment = {"_CRUDDUR_COMPLETE": "complete_bash", "COMP_WORDS": line}
        environment["COMP_CWORD"] = str(len(line.split(" ")) - 1)
        shown = CliRunner().invoke(app, [], prog_name="cruddur", env=environment)
        return shown.stdout.split()

    assert {"ddb", "db", "rds", "cognito", "live"} <= set(complete("cruddur "))
    assert "get-conversation" in complete("cruddur ddb patterns ")
    names = ["setup", "schema-load", "seed", "sessions", "set-cognito-id"]
    assert complete("cruddur db s") == names
    assert "--aws" in complete("cruddur ddb scan --a")
    assert "--random-seed" in complete("cruddur ddb seed --r")


def test_a_tab_imports_no_client_of_aws_or_postgresql() -> None:
    """They take most of the time that a command needs to start."""
    program = (
        "import sys; from commands import cli; cli.app(prog_name='cruddur', standalone_mode=0)"
    )
    program = f"import atexit, sys; atexit.register(lambda: print(*sys.modules)); {program}"
    environment = {"_CRUDDUR_COMPLETE": "complete_bash", "COMP_WORDS": "cruddur db s"}
    shown = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment | {"COMP_CWORD": "2", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "set-cognito-id" in shown
    assert "typer" in shown
    assert not {"boto3", "botocore", "psycopg2"} & set(shown)


def test_a_script_works_from_any_directory_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "here").symlink_to(ROOT / "bin" / "cruddur")
    shown = subprocess.run(
        [str(tmp_path / "here"), "db", "--help"],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "set-cognito-id" in shown.stdout


def test_the_seed_of_the_directory_has_users_and_one_activity() -> None:
    rows = json.loads((ROOT / "seed" / "data" / "activities.json").read_text())
    assert len(rows) == 1
