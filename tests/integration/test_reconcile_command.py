"""``bin/ddb/reconcile`` as it is typed: arguments, output, exit status, and where it works."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import boto3
import botocore.client
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from commands import targets
from commands.cli import app
from commands.errors import CommandError
from commands.reconcile import run
from commands.reconcile.group import Reconciler
from commands.targets import Target
from messaging import keys, message_groups
from messaging.entities import Failed
from messaging.message_groups import SendRequest
from messaging.repository import PageRequest, Repository
from tests.fakes.adopted import message_item
from tests.fakes.people import BAYKO, GRAHAMS, REEF, minute

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

GROUP = str(UUID(int=1))
LONG_AGO = minute(-60 * 24 * 300)

type Command = Callable[..., Result]


def moto_target(table_name: str, *, on_aws: bool = False) -> Target:
    session = boto3.Session(region_name="us-east-1")
    return Target(
        name="stack cruddur-messages in account 123456789012, region us-east-1",
        on_aws=on_aws,
        outputs={
            "TableName": table_name,
            "FailedRecordsQueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/failures",
        },
        session=session,
        config=Config(),
    )


@pytest.fixture
def command(
    dynamodb: "DynamoDBClient", table_name: str, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """`bin/ddb/reconcile`, on moto's table."""
    monkeypatch.setattr(
        targets, "target", lambda *, on_aws, stack_name: moto_target(table_name, on_aws=on_aws)
    )

    def invoke(*arguments: str, answer: str | None = None) -> Result:
        # One worker: moto is right in one thread.
        return CliRunner().invoke(
            app, ["ddb", "reconcile", "--workers", "1", *arguments], input=answer
        )

    return invoke


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def unequal(repository: Repository) -> str:
    """A group whose rows are behind its messages."""
    sent = message_groups.create_message_group(
        repository, GRAHAMS, REEF, SendRequest(message="secret"), now=lambda: LONG_AGO
    )
    group = sent.message.message_group_uuid
    later = minute(-1000)
    message_groups.create_message(
        repository,
        REEF,
        group,
        SendRequest(message="more secret"),
        now=lambda: min(later, LONG_AGO.replace(hour=1)),
    )
    return group


@pytest.mark.parametrize("arguments", [[], ["--all"], ["GROUP"]])
def test_zero_once_nothing_is_left_unequal(
    command: Command, repository: Repository, arguments: list[str]
) -> None:
    group = unequal(repository)
    arguments = [group if argument == "GROUP" else argument for argument in arguments]
    dry = command("--dry-run", *arguments)
    assert dry.exit_code == 1
    assert dry.stdout.count("row_behind") == 2
    done = command(*arguments)
    assert done.exit_code == 0
    assert done.stdout.count("repaired  ") == 2
    assert "1 group, 2 differences repaired, 0 left unequal." in done.stdout
    again = command(*arguments)
    assert again.exit_code == 0
    assert again.stdout == "1 group, 0 differences repaired, 0 left unequal.\n"
    assert "secret" not in dry.output + done.output


def test_json_is_one_object_a_line_and_nothing_else(
    command: Command, repository: Repository
) -> None:
    group = unequal(repository)
    result = command("--json")
    *findings, summary = lines(result)
    assert {(line["message_group_uuid"], line["state"], line["kind"]) for line in findings} == {
        (group, "repaired", "row_behind")
    }
    assert {line["user_uuid"] for line in findings} == {GRAHAMS.uuid, REEF.uuid}
    assert summary == {"summary": {"groups": 1, "repaired": 2, "left": 0, "dry_run": False}}
    assert result.stderr == ""


def test_one_as_long_as_something_is_left(command: Command, dynamodb: "DynamoDBClient") -> None:
    result = command(GROUP)
    assert result.exit_code == 1
    assert "no_such_group" in result.stdout


def test_a_finding_does_not_steer_the_terminal(command: Command, repository: Repository) -> None:
    evil = "PAIR#\x1b]0;title\x07\u202e"
    repository._client.put_item(**repository._put({"pk": evil, "sk": "PAIR"}))
    shown = command("--dry-run").stdout
    assert "PAIR# ]0;title  " in shown
    assert shown.replace("\n", "").isprintable()


def test_the_zone_of_times_without_offset_is_given_by_name(
    command: Command, repository: Repository
) -> None:
    for number, sender in enumerate((GRAHAMS, REEF)):
        item = message_item(GROUP, f"2026-01-01T0{number}:00:00", sender, number=number)
        repository._client.put_item(**repository._put(item))
    dry = command("--naive-zone", "Asia/Kolkata", "--dry-run")
    assert dry.exit_code == 1
    assert "messages_misplaced" in dry.stdout
    assert "2, 2026-01-01T01:00:00 for one" in dry.stdout
    assert command("--naive-zone", "Asia/Kolkata").exit_code == 0
    (row,) = repository.list_message_groups(REEF.uuid, PageRequest(limit=10)).rows
    assert row.last_sk.startswith("2025-12-31T19:30:00.000000+00:00#")
    messages = repository.list_messages(GROUP, PageRequest(limit=10)).rows
    assert [message.sk.partition("#")[0] for message in messages] == [
        "2025-12-31T19:30:00.000000+00:00",
        "2025-12-31T18:30:00.000000+00:00",
    ]
    # Nothing without an offset is left.
    assert command("--dry-run").exit_code == 0


def test_failed_and_destination_by_name(command: Command, repository: Repository) -> None:
    group = unequal(repository)
    repository.put_failed(
        Failed(
            time=LONG_AGO,
            message_group_uuid=group,
            reason="",
            record_keys={"pk": keys.message_pk(group), "sk": "x"},
            expires_at=minute(0),
        )
    )
    result = command("--failed", "--json")
    assert result.exit_code == 0
    assert lines(result)[-1]["summary"]["repaired"] == 2
    assert lines(command("--failed", "--json"))[-1]["summary"]["groups"] == 0
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="failures")["QueueUrl"]
    assert command("--destination", "stack").exit_code == 0
    sqs.send_message(QueueUrl=url, MessageBody="not a range")
    result = command("--destination", url)
    assert result.exit_code == 1
    assert "range_unreadable" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["not-a-uuid"],
        [GROUP, GROUP],
        [GROUP, "--all"],
        [GROUP, "--failed"],
        ["--failed", "--destination", "x"],
        ["prod", GROUP],
        ["--failed", "--resume-from", GROUP],
        ["--resume-from", "x"],
        ["--naive-zone", "Mars/Olympus"],
        ["--naive-zone", "../../etc/passwd"],
        ["--unknown"],
        ["--workers", "0"],
    ],
)
def test_wrong_use_is_two_and_nothing_is_touched(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "target", lambda **_: pytest.fail("it went to work"))
    assert CliRunner().invoke(app, ["ddb", "reconcile", *arguments]).exit_code == 2


def test_an_interrupted_run_says_how_to_go_on(
    command: Command, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = sorted(
        message_groups.create_message_group(
            repository, one, other, SendRequest(message="x"), now=lambda: LONG_AGO
        ).message.message_group_uuid
        for one, other in ((GRAHAMS, REEF), (REEF, BAYKO), (BAYKO, GRAHAMS))
    )
    whole = Reconciler.reconcile

    def interrupted(self: Reconciler, group: str, known: Any = None) -> Any:
        if group == groups[2]:
            raise KeyboardInterrupt
        return whole(self, group, known)

    monkeypatch.setattr(Reconciler, "reconcile", interrupted)
    result = command("--json")
    assert result.exit_code == 130
    assert f"--resume-from {groups[1]}" in result.stderr
    monkeypatch.undo()


def test_an_interrupted_scan_says_to_run_it_again(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "whole_table", lambda *_, **__: map(interrupted, [0]))
    result = command()
    assert result.exit_code == 130
    assert "again" in result.stderr
    result = command("--resume-from", GROUP)
    assert f"--resume-from {GROUP}" in result.stderr


def test_aws_is_named_and_asked_for(command: Command, repository: Repository) -> None:
    group = unequal(repository)
    for answer in ("n\n", ""):
        refused = command("--aws", answer=answer)
        assert refused.exit_code == 1
        assert "account 123456789012, region us-east-1" in refused.stderr
    assert command(group, "--dry-run", "--aws").stdout.count("row_behind") == 2
    assert command(group, "--aws", answer="y\n").exit_code == 0
    assert command("--yes", "--json", "--aws").exit_code == 0


def test_no_permission_is_one_sentence(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        error: Any = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
        raise ClientError(error, "Scan")

    monkeypatch.setattr(run, "whole_table", refused)
    result = command()
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "AccessDenied" in result.stderr


# Where a command works.


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A shell that would lead astray, and an empty state folder."""
    monkeypatch.setenv("AWS_PROFILE", "somebody-elses")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://192.0.2.1:2")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-shell")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-shell")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3")
    monkeypatch.setenv("LOCAL_STATE", str(tmp_path))
    return tmp_path


def test_without_a_local_cloud_it_refuses(shell: Path) -> None:
    result = CliRunner().invoke(app, ["ddb", "reconcile"])
    assert result.exit_code == 1
    assert result.stderr == "The local cloud is not running: start it with `make run`.\n"


def test_what_a_killed_local_cloud_left_is_refused(shell: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    stack = {"EndpointUrl": f"http://127.0.0.1:{port}", "Region": "us-east-1"}
    (shell / "stack.json").write_text(json.dumps(stack))
    with pytest.raises(CommandError, match="not running"):
        targets.target(on_aws=False)


def test_local_is_local_whatever_the_shell_exports(shell: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        stack = {
            "EndpointUrl": url,
            "Region": "us-east-1",
            "AccessKeyId": "test",
            "SecretAccessKey": "test",
            "TableName": "messages",
            "Pid": 1,
        }
        (shell / "stack.json").write_text(json.dumps(stack))
        target = targets.target(on_aws=False)
        for service in ("dynamodb", "dynamodbstreams", "sqs", "cognito-idp"):
            client = target.client(service)
            assert client.meta.endpoint_url == url
            assert client.meta.region_name == "us-east-1"
            assert client._request_signer._credentials.access_key == "test"
            assert client._client_config.proxies == {}
        assert target.output("TableName") == "messages"
        with pytest.raises(CommandError, match="no output Missing"):
            target.output("Missing")


@pytest.fixture
def cloudformation(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """AWS with the one stack `mine`; the endpoints that it was asked at."""
    asked = []

    def answer(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        asked.append(self.meta.endpoint_url)
        if operation == "GetCallerIdentity":
            return {"Account": "123456789012"}
        assert operation == "DescribeStacks"
        if parameters["StackName"] != "mine":
            error: Any = {"Error": {"Code": "ValidationError", "Message": "does not exist"}}
            raise ClientError(error, operation)
        return {"Stacks": [{"Outputs": [{"OutputKey": "TableName", "OutputValue": "theirs"}]}]}

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", answer)
    return asked


def test_aws_is_the_stack_whatever_endpoints_the_shell_configures(
    shell: Path, cloudformation: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    target = targets.target(on_aws=True, stack_name="mine")
    assert target.on_aws
    assert target.output("TableName") == "theirs"
    assert target.client("dynamodb").meta.endpoint_url.endswith(".eu-west-1.amazonaws.com")
    assert all(url.endswith(".eu-west-1.amazonaws.com") for url in cloudformation)
    assert target.name == "stack mine in account 123456789012, region eu-west-1"
    with pytest.raises(CommandError, match="no stack other in account 123456789012"):
        targets.target(on_aws=True, stack_name="other")


def test_aws_without_a_region_or_a_profile_is_one_sentence(
    shell: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = CliRunner().invoke(app, ["ddb", "reconcile", "--aws"])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "somebody-elses" in result.stderr
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    for exported in (None, ""):
        if exported is not None:
            monkeypatch.setenv("AWS_DEFAULT_REGION", exported)
        result = CliRunner().invoke(app, ["ddb", "reconcile", "--aws"])
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert "No AWS region" in result.stderr
