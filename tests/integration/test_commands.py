"""The operator commands as they are typed: AWS is moto, with stubs for what it lacks.

PostgreSQL is a real one. What needs the running local cloud is in tests/local.
"""

import importlib
import io
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import botocore.client
import psycopg2
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from typer.testing import CliRunner, Result

from commands import output, rds, targets
from commands.cli import app
from commands.output import Output
from commands.targets import Target
from seed.examples import seed_users
from tests.fakes.gateway import Context
from tests.fakes.template import Stack, create_table_arguments

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "cruddur-messages"
GROUP = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"
ACCOUNT = "account 123456789012, region us-east-1"

type Calls = list[tuple[str, dict[str, Any]]]


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=answer)


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def sentence(result: Result) -> str:
    """What a command that cannot do its work says: status 1, one line, nothing on stdout."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    said = [line for line in result.stderr.splitlines() if not line.endswith(ACCOUNT)]
    assert len(said) == 1, said
    return said[0]


# Both stores, local and on AWS.


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a database of its own, which is not there yet."""
    url = f"{database_url.rpartition('/')[0]}/commands_test"
    yield url
    connection = psycopg2.connect(database_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS commands_test WITH (FORCE)")
    connection.close()


@pytest.fixture
def pool(dynamodb: "DynamoDBClient") -> str:
    cognito = boto3.client("cognito-idp")
    pool = cognito.create_user_pool(
        PoolName="users",
        UsernameAttributes=["email"],
        Schema=[{"Name": "preferred_username", "AttributeDataType": "String", "Mutable": False}],
    )
    return pool["UserPool"]["Id"]


@pytest.fixture
def outputs(pool: str, database: str) -> dict[str, str]:
    client = boto3.client("cognito-idp").create_user_pool_client(
        UserPoolId=pool, ClientName="web", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    )
    return {
        "TableName": TABLE,
        "UserPoolId": pool,
        "UserPoolClientId": client["UserPoolClient"]["ClientId"],
        "AdministerDirectoryFunction": "load-schema",
    }


@pytest.fixture
def local(
    outputs: dict[str, str],
    database: str,
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, str]:
    """The local target, on moto; its outputs."""
    outputs["DatabaseUrl"] = database
    outputs["Table"] = json.dumps(stack.the_one("AWS::DynamoDB::Table")[1])

    def target(*, on_aws: bool, stack_name: str) -> Target:
        assert not on_aws
        return Target(
            name="the local cloud",
            on_aws=False,
            outputs=outputs,
            session=boto3.Session(),
            config=Config(),
        )

    monkeypatch.setattr(targets, "target", target)
    return outputs


@pytest.fixture
def calls() -> Calls:
    return []


@pytest.fixture
def deployed(
    outputs: dict[str, str], database: str, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """AWS with the stack `cruddur-messages`; its outputs. `calls` has every call to AWS."""
    make_api_call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]  # no public hook sees every call

    def answer(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        calls.append((operation, parameters))
        match operation:
            case "DescribeStacks":
                return _stacks(parameters, outputs)
            case "DescribeStackResources":
                if parameters["PhysicalResourceId"] != TABLE:
                    raise _error("ValidationError", operation)
                return {"StackResources": [{"StackName": "cruddur-messages"}]}
            case "Invoke":
                return _invoke(json.loads(parameters["Payload"]), database, monkeypatch)
        return make_api_call(self, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", answer)
    return outputs


def _error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


def _stacks(parameters: dict[str, Any], outputs: dict[str, str]) -> Any:
    if parameters["StackName"] != "cruddur-messages":
        raise _error("ValidationError", "DescribeStacks")
    found = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    return {"Stacks": [{"Outputs": found}]}


def _invoke(event: dict[str, Any], url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DATABASE_AUTH", "url")
    monkeypatch.setenv("DATABASE_URL", url)
    handler = importlib.import_module("functions.administer_directory.app")
    try:
        answer, failed = handler.lambda_handler(event, Context()), {}
    except Exception as error:  # noqa: BLE001  # as Lambda does
        answer, failed = {"errorType": type(error).__name__}, {"FunctionError": "Unhandled"}
    return {"Payload": io.BytesIO(json.dumps(answer).encode()), **failed}


def rows(url: str, statement: str) -> list[Any]:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        found = cursor.fetchall()
    connection.close()
    return found


def execute(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def make_sign_in(pool: str, handle: str, *, email: str = "", unproven: bool = False) -> str:
    """Return the cognito_user_id of a new sign-in."""
    address = email or f"{handle}@example.com"
    made = boto3.client("cognito-idp").admin_create_user(
        UserPoolId=pool,
        Username=address,
        MessageAction="SUPPRESS",
        UserAttributes=[
            {"Name": "email", "Value": address},
            {"Name": "email_verified", "Value": "false" if unproven else "true"},
            {"Name": "name", "Value": handle.capitalize()},
            {"Name": "preferred_username", "Value": handle},
        ],
    )
    return next(a["Value"] for a in made["User"]["Attributes"] if a["Name"] == "sub")


# Where a command works: shell and argument, in all combinations.

MISLEADING = {
    "AWS_ENDPOINT_URL": "http://192.0.2.1:1",
    "AWS_ENDPOINT_URL_DYNAMODB": "http://192.0.2.1:2",
    "AWS_ENDPOINT_URL_CLOUDFORMATION": "http://192.0.2.1:3",
    "AWS_ACCESS_KEY_ID": "of-the-shell",
    "AWS_SECRET_ACCESS_KEY": "of-the-shell",
    "AWS_SESSION_TOKEN": "of-the-shell",
    "AWS_REGION": "eu-west-1",
    "HTTPS_PROXY": "http://192.0.2.1:4",
    "TABLE_NAME": "of-the-shell",
    "DATABASE_URL": "postgresql://192.0.2.1/of-the-shell",
}


@pytest.mark.parametrize("exported", [{}, MISLEADING], ids=["plain shell", "misleading shell"])
@pytest.mark.parametrize("where", ["", "--aws", "--stack mine", "--stack mine prod", "prod"])
def test_local_and_aws_cannot_be_confused(
    exported: dict[str, str], where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LOCAL_STATE", str(tmp_path))
    if where:
        keys = {"AWS_ACCESS_KEY_ID": "of-aws", "AWS_SECRET_ACCESS_KEY": "x"}
        for name, value in (keys | {"AWS_DEFAULT_REGION": "eu-west-1"}).items():
            monkeypatch.setenv(name, value)
    for name, value in exported.items():
        monkeypatch.setenv(name, value)
    asked: list[tuple[str, str, str]] = []

    def answer(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        key = self._request_signer._credentials.access_key
        asked.append((self.meta.endpoint_url, key, self.meta.region_name))
        if operation == "Scan":
            assert parameters["TableName"] == ("of-aws" if where else "of-local")
            return {"Items": []}
        return {
            "Account": "123456789012",
            "Stacks": [{"Outputs": [{"OutputKey": "TableName", "OutputValue": "of-aws"}]}],
        }

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", answer)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        stack = {"EndpointUrl": url, "Region": "us-east-1", "TableName": "of-local"}
        (tmp_path / "stack.json").write_text(json.dumps(stack))
        result = run("ddb", "scan", *where.split())
    assert result.exit_code == 0, result.output
    if where:
        assert {host.rpartition(".eu-west-1.")[2] for host, _, _ in asked} == {"amazonaws.com"}
        assert {key for _, key, _ in asked} == {exported.get("AWS_ACCESS_KEY_ID", "of-aws")}
        name = "mine" if "mine" in where else "cruddur-messages"
        assert f"stack {name} in account 123456789012, region eu-west-1" in result.stderr
    else:
        assert set(asked) == {(url, "test", "us-east-1")}
        assert "account" not in result.stderr


OWNED = [
    *("ddb schema-load", "ddb drop cruddur-messages", "ddb seed --reset"),
    *("db create", "db drop", "db setup"),
]


def test_what_a_stack_owns_is_refused_whatever_is_answered(
    deployed: dict[str, str], calls: Calls
) -> None:
    calls.clear()
    for command in OWNED:
        assert sentence(run(*command.split(), "--yes", "--aws")), command
    assert all_reads(calls)


def all_reads(calls: Calls) -> bool:
    return all(name.startswith(("Describe", "Get", "List", "Query", "Scan")) for name, _ in calls)


CHANGING = [
    *("ddb drop other", "ddb seed", "ddb seed --messages 100", "ddb reconcile"),
    *("db schema-load", "db migrate", "db seed", "db kill-all", "db update_cognito_user_ids"),
    *("db set-cognito-id grahams MOCK", "db connect", "rds update-sg-rule --address 192.0.2.7"),
    "cognito create-user somebody --email somebody@example.com",
]


def test_on_aws_nothing_is_changed_unless_the_answer_is_yes(
    deployed: dict[str, str], calls: Calls, stack: Stack
) -> None:
    arguments: Any = create_table_arguments(stack) | {"TableName": "other"}
    boto3.client("dynamodb").create_table(**arguments)
    public(deployed)
    calls.clear()
    for number, command in enumerate(CHANGING):
        result = run(*command.split(), "--aws", answer="n\n" if number % 2 else "")
        assert result.exit_code == 1, result.output
        assert f"stack cruddur-messages in {ACCOUNT}" in result.stderr
        assert "Go on?" in result.stderr
    assert all_reads(calls)


# What is missing is said in one sentence.


def test_no_table_no_pool_no_database_no_schema(local: dict[str, str], database: str) -> None:
    local["TableName"] = "none"
    for command in ("scan", "patterns list-conversations " + seed_users()[0].user.uuid, "seed"):
        assert "run bin/ddb/schema-load" in sentence(run("ddb", *command.split()))
    # A mistyped name is no reason to make a table.
    assert (
        sentence(run("ddb", "drop", "none")) == "There is no table none: see bin/ddb/list-tables."
    )
    local["UserPoolId"] = "us-east-1_none"
    assert "no such user pool" in sentence(run("cognito", "list-users"))
    for command in ("sessions", "migrate", "seed"):
        assert "run bin/db/create" in sentence(run("db", command))
    assert run("db", "create").exit_code == 0
    assert "run bin/db/schema-load" in sentence(run("db", "seed"))
    assert "run bin/db/schema-load" in sentence(run("ddb", "patterns", "list-conversations", "x"))
    local["DatabaseUrl"] = "postgresql://127.0.0.1:1/none"
    assert "does not answer" in sentence(run("db", "sessions"))
    local["DatabaseUrl"] = "postgresql://192.0.2.1/somebody-elses"
    for command in ("create", "drop", "setup"):
        assert "192.0.2.1" in sentence(run("db", command))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NoCredentialsError(), "no AWS credentials"),
        (_error("ExpiredToken", "GetCallerIdentity"), "expired"),
        (_error("InvalidClientTokenId", "GetCallerIdentity"), "expired"),
        (EndpointConnectionError(endpoint_url="https://sts.mars.amazonaws.com"), "AWS_REGION"),
        (_error("AccessDenied", "DescribeStacks"), "AWS refuses"),
    ],
)
def test_no_way_to_aws(error: Exception, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise error

    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", refuse)
    assert said in sentence(run("cognito", "list-users", "--aws"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ReadTimeoutError(endpoint_url="http://127.0.0.1:1"), "The local cloud does not answer"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "local cloud does not answer"),
        (_error("AccessDenied", "Scan"), "The local cloud refuses"),
        (_error("ExpiredToken", "Scan"), "The local cloud refuses"),
        (_error("ResourceNotFoundException", "ListUsers"), "start the local cloud again"),
    ],
)
def test_what_the_local_engine_says_is_not_called_the_word_of_aws(
    error: Exception, said: str, local: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", refuse)
    heard = sentence(run("ddb", "scan"))
    assert said in heard
    assert "AWS" not in heard


def test_a_missing_table_is_not_to_be_made_by_hand_on_aws(deployed: dict[str, str]) -> None:
    deployed["TableName"] = "none"
    assert (
        sentence(run("ddb", "scan", "--aws")) == "There is no such table: deploy the stack again."
    )


def test_whoever_waits_is_told_what_for_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An engine that takes connections and does not answer, as a stopped process does."""
    monkeypatch.setattr(targets, "_SILENT_SECONDS", 0.01)
    impatient = targets._LOCAL.merge(Config(read_timeout=0.5))
    monkeypatch.setattr(targets, "_LOCAL", impatient)
    monkeypatch.setenv("LOCAL_STATE", str(tmp_path))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        stack = {"EndpointUrl": url, "Region": "us-east-1", "TableName": "t"}
        (tmp_path / "stack.json").write_text(json.dumps(stack))
        result = run("ddb", "scan")
    assert result.exit_code == 1
    waiting, gave_up = result.stderr.splitlines()
    assert waiting == "Waiting for the local cloud to answer ..."
    assert gave_up.startswith("The local cloud does not answer")


def test_no_stack_and_a_stack_without_what_is_needed(
    deployed: dict[str, str], calls: Calls
) -> None:
    said = sentence(run("ddb", "scan", "--stack", "other", "--aws"))
    assert "no stack other" in said
    assert "AWS_REGION" in said
    for command in ("db connect", "rds update-sg-rule"):
        assert "DatabasePublic=true" in sentence(run(*command.split(), "--yes", "--aws"))
    del deployed["AdministerDirectoryFunction"]
    assert "AdministerDirectoryFunction" in sentence(run("db", "sessions", "--aws"))


def test_an_interrupted_command_says_so(
    local: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Output, "table", interrupted)
    result = run("cognito", "list-users")
    assert (result.exit_code, result.stderr) == (130, "Interrupted: run the command again.\n")


# The table.


def test_the_table_is_made_once_and_dropped_by_name(
    local: dict[str, str], dynamodb: "DynamoDBClient"
) -> None:
    assert lines(run("ddb", "schema-load", "--json")) == [{"table": TABLE, "made": False}]
    run("ddb", "seed")
    dropped = run("ddb", "drop", TABLE)
    assert dropped.exit_code == 0
    items = 108 + 3 * 4
    assert f"deletes the table {TABLE} with {items} items" in dropped.stderr
    assert run("ddb", "list-tables").stdout == "There is no table.\n"
    assert lines(run("ddb", "schema-load", "--json")) == [{"table": TABLE, "made": True}]
    assert lines(run("ddb", "list-tables", "--json")) == [{"table": TABLE, "of": "this stack"}]
    expiry = dynamodb.describe_time_to_live(TableName=TABLE)["TimeToLiveDescription"]
    assert expiry["TimeToLiveStatus"] == "ENABLED"
    table = dynamodb.describe_table(TableName=TABLE)["Table"]
    assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"


def test_a_table_of_another_shape_is_not_taken_for_ours(
    local: dict[str, str], dynamodb: "DynamoDBClient"
) -> None:
    dynamodb.create_table(
        TableName="other",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    local["TableName"] = "other"
    assert "other keys or indexes" in sentence(run("ddb", "schema-load"))


def test_on_aws_a_table_that_no_stack_owns_can_be_dropped(
    deployed: dict[str, str], dynamodb: "DynamoDBClient", stack: Stack
) -> None:
    arguments: Any = create_table_arguments(stack) | {"TableName": "left-over"}
    dynamodb.create_table(**arguments)
    dropped = run("ddb", "drop", "left-over", "--stack", "gone", "--aws", answer="y\n")
    assert dropped.exit_code == 0, dropped.output
    assert f"no stack gone in {ACCOUNT}" in dropped.stderr
    assert dynamodb.list_tables()["TableNames"] == [TABLE]


def test_a_seed_is_the_same_however_often_and_scanned_whole(local: dict[str, str]) -> None:
    assert lines(run("ddb", "seed", "--json"))[0]["messages"] == 108
    items = lines(run("ddb", "scan", "--json"))
    assert run("ddb", "seed").exit_code == 0
    assert sorted(map(str, lines(run("ddb", "scan", "--json")))) == sorted(map(str, items))
    assert len(items) == 120
    shown = run("ddb", "scan", "--limit", "3")
    assert len(shown.stdout.splitlines()) == 3
    assert shown.stderr == "3 items.\n"
    assert run("ddb", "scan", "--limit", "1").stderr == "1 item.\n"
    verbose = run("ddb", "scan", "--limit", "1", "--json", "--verbose")
    assert len(lines(verbose)) == 1
    assert '"LastEvaluatedKey"' in verbose.stderr


def test_a_scan_shows_more_than_keys_on_a_terminal(
    local: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys of a message alone fill a hundred columns."""
    assert run("ddb", "seed").exit_code == 0
    terminal = SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(output, "sys", terminal)
    monkeypatch.setenv("COLUMNS", "100")
    shown = run("ddb", "scan").stdout
    assert "Same time next month." in shown
    assert all("=" in line for line in shown.splitlines())


# The patterns.


@pytest.fixture
def people(local: dict[str, str]) -> dict[str, str]:
    for command in ("create", "schema-load", "seed"):
        result = run("db", command)
        assert result.exit_code == 0, result.output
    return local


@pytest.fixture
def conversations(people: dict[str, str]) -> dict[str, str]:
    assert run("ddb", "seed").exit_code == 0
    return people


def test_a_conversation_is_shown_page_by_page(conversations: dict[str, str]) -> None:
    command = ("ddb", "patterns", "get-conversation", "--json", "--limit")
    newest = lines(run(*command, "1"))
    for words in ([GROUP], ["reef"], ["reef", "@GRAHAMS"]):
        assert lines(run(*command, "1", *words)) == newest
    texts: list[str] = []
    cursor: list[str] = []
    while True:
        *page, last = lines(run(*command, "40", *cursor))
        texts = [row["message"] for row in page] + texts
        if not last["summary"]["cursor"]:
            break
        cursor = ["--cursor", last["summary"]["cursor"]]
    assert len(texts) == 101
    assert texts[0].startswith("Are you at the harbour")
    assert texts[-1].startswith("Same time next month. I")


def test_the_listing_is_handle_local_time_and_text(
    conversations: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = run("ddb", "patterns", "get-conversation", "grahams", "bayko")
    first, *_ = shown.stdout.splitlines()
    assert first.startswith("grahams          ")
    assert "  The new tide tables are out." in first
    assert shown.stderr == "6 rows.\n"
    assert "--cursor" not in shown.stderr
    groups = run("ddb", "patterns", "list-conversations", "@Grahams", "--limit", "1")
    assert groups.stdout.startswith("reef ")
    assert f"  {GROUP}  unread        Same time next month." in groups.stdout
    assert "--cursor '" in groups.stderr


def test_the_listing_says_what_is_unread_and_muted(conversations: dict[str, str]) -> None:
    """The seed leaves some of each: what is new, what is flagged, what is muted."""

    def marks(handle: str) -> list[str]:
        listed = run("ddb", "patterns", "list-conversations", handle).stdout.splitlines()
        return [line[73:87].strip() for line in listed]

    assert marks("grahams") == ["unread", "unread muted"]
    assert marks("reef") == ["unread"]
    assert "" in marks("bayko")


def test_a_time_range_is_of_the_local_clock_and_half_open(conversations: dict[str, str]) -> None:
    command = ("ddb", "patterns", "get-conversation", "grahams", "bayko", "--json")
    *whole, _ = lines(run(*command))
    times = [row["sk"].partition("#")[0].replace(".000000+00:00", "+0000") for row in whole]
    *part, _ = lines(run(*command, "--since", times[1], "--until", times[4]))
    assert part == whole[1:4]
    *older, _ = lines(run(*command, "--until", times[2]))
    assert older == whole[:2]
    *newer, summary = lines(run(*command, "--since", times[2], "--limit", "2"))
    assert newer == whole[4:]
    cursor = ("--cursor", summary["summary"]["cursor"])
    *rest, _ = lines(run(*command, "--since", times[2], "--limit", "2", *cursor))
    assert rest == whole[2:4]
    later = run(*command[:-1], "--since", "2099-01-01")
    assert "no message in the group" in later.stderr
    assert later.exit_code == 0


def test_conversations_are_listed_by_their_last_message(conversations: dict[str, str]) -> None:
    command = ("ddb", "patterns", "list-conversations", "grahams", "--json")
    *whole, _ = lines(run(*command))
    assert [row["user_handle"] for row in whole] == ["reef", "bayko"]
    *newest, last = lines(run(*command, "--limit", "1"))
    assert newest == whole[:1]
    *older, end = lines(run(*command, "--limit", "1", "--cursor", last["summary"]["cursor"]))
    assert (older, end["summary"]["cursor"]) == (whole[1:], None)
    time = f"{whole[1]['last_sk'][:4]}-12-31T00:00:00+0000"  # the one was over by then
    assert lines(run(*command, "--since", time))[:-1] == whole[:1]
    assert lines(run(*command, "--until", time))[:-1] == whole[1:]


def test_who_has_no_conversation(conversations: dict[str, str]) -> None:
    command = ("ddb", "patterns", "get-conversation")
    assert "no message group" in sentence(run(*command, "lagoon"))
    assert "no message group" in sentence(run(*command, "lagoon", "reef"))
    assert "no user nobody" in sentence(run(*command, "nobody"))
    unknown = "00000000-0000-4000-8000-0000000000ff"
    for options in ([], ["--json"], ["--since", "2024-01-01"]):
        assert f"message group {unknown}" in sentence(run(*command, unknown, *options))
    assert run(*command, "reef", "reef").exit_code == 2
    assert "no message group" in run("ddb", "patterns", "list-conversations", "lagoon").stderr


# The directory.


def test_the_database_is_made_filled_and_dropped_however_often(
    local: dict[str, str], database: str
) -> None:
    for _ in range(2):
        for command in ("create", "schema-load", "migrate", "seed"):
            assert run("db", command).exit_code == 0
    assert rows(database, "SELECT count(*), min(message) FROM public.activities")[0][0] == 1
    assert lines(run("db", "seed", "--users", "3", "--json")) == [{"users": 9, "activities": 1}]
    loaded = "SELECT uuid::text FROM public.users WHERE handle LIKE 'load-1-%'"
    run("ddb", "seed", "--messages", "3", "--users", "3", "--groups", "3", "--workers", "1")
    senders = {
        item["user_uuid"] for item in lines(run("ddb", "scan", "--json")) if "message" in item
    }
    assert senders == {uuid for (uuid,) in rows(database, loaded)}
    other = psycopg2.connect(database, application_name="other")
    (session,) = lines(run("db", "sessions", "--json"))
    assert session["application"] == "other"
    assert lines(run("db", "kill-all", "--json")) == [{"ended": 1}]
    assert run("db", "sessions").stdout == "Nobody is connected.\n"
    other.close()
    dropped = run("db", "drop")
    assert "commands_test with 9 users" in dropped.stderr
    assert run("db", "drop").exit_code == 0


def test_setup_begins_anew_beside_open_sessions_and_keeps_uuids(
    local: dict[str, str], database: str
) -> None:
    ids = {
        user.user.handle: make_sign_in(local["UserPoolId"], user.user.handle)
        for user in seed_users()
        if user.signs_in
    }
    who = "SELECT handle, uuid::text, cognito_user_id FROM public.users WHERE handle <> 'sampler'"
    uuids = {user.user.handle: user.user.uuid for user in seed_users()}
    for _ in range(2):
        assert run("db", "setup").exit_code == 0
        found = rows(database, who)
        assert {handle: uuid for handle, uuid, _ in found} == {h: uuids[h] for h in ids}
        assert {handle: id_ for handle, _, id_ in found} == ids
        left_open = psycopg2.connect(database)
    left_open.close()


def test_one_row_is_linked_by_hand(people: dict[str, str], database: str) -> None:
    one, other = (make_sign_in(people["UserPoolId"], name) for name in ("one", "other"))
    command = ("db", "set-cognito-id")
    linked = run(*command, "@Reef", one.upper())
    assert linked.exit_code == 0
    assert "one@example.com" in linked.stdout
    assert f"Key (cognito_user_id)=({one})" in sentence(run(*command, "bayko", one))
    assert "no user nobody" in sentence(run(*command, "nobody", other))
    found = "SELECT cognito_user_id FROM public.users WHERE handle = 'reef'"
    assert rows(database, found) == [(one,)]
    assert run(*command, "reef", "MOCK").exit_code == 0
    assert rows(database, found) == [("MOCK",)]


@pytest.mark.parametrize(
    "nonsense", ["nonsense", "", '" or sub ^= "', "00000000-0000-4000-8000-0000000000ff"]
)
def test_an_id_that_no_sign_in_has_locks_nobody_out(
    people: dict[str, str], database: str, nonsense: str
) -> None:
    harbor = make_sign_in(people["UserPoolId"], "harbor")
    assert run("db", "set-cognito-id", "harbor", harbor).exit_code == 0
    said = sentence(run("db", "set-cognito-id", "harbor", nonsense))
    assert "bin/cognito/list-users" in said
    found = "SELECT cognito_user_id FROM public.users WHERE handle = 'harbor'"
    assert rows(database, found) == [(harbor,)]


def states(result: Result) -> dict[str, str]:
    return {row["handle"]: row["state"] for row in map(json.loads, result.stdout.splitlines())}


def test_sign_ins_are_linked_by_handle_and_address(people: dict[str, str], database: str) -> None:
    pool = people["UserPoolId"]
    ids = {handle: make_sign_in(pool, handle) for handle in ("Grahams", "reef")}
    ids["harbor"] = make_sign_in(pool, "harbor", email="somebody@example.com")
    for email in ("lagoon@example.com", "lagoon2@example.com"):
        make_sign_in(pool, "lagoon", email=email)
    make_sign_in(pool, "stranger")
    make_sign_in(pool, "bayko", unproven=True)
    execute(database, "UPDATE public.users SET cognito_user_id = 'older' WHERE handle = 'reef'")
    command = ("db", "update_cognito_user_ids", "--json")
    result = run(*command)
    assert result.exit_code == 1
    expected = {
        "Grahams": "updated",
        "reef": "linked_otherwise",
        "harbor": "email_differs",
        "lagoon": "two_sign_ins",
        "stranger": "only_in_user_pool",
        "bayko": "not_confirmed",
        "sampler": "only_in_directory",
    }
    assert states(result) == expected
    assert "it would hand over an account" in result.stderr
    again = run(*command, "--relink")
    assert states(again) == expected | {
        "Grahams": "unchanged",
        "reef": "updated",
        "harbor": "updated",
    }
    linked = "SELECT handle, cognito_user_id FROM public.users WHERE cognito_user_id <> 'MOCK'"
    found = dict(rows(database, linked))
    assert found["grahams"] == ids["Grahams"]
    assert found["reef"] == ids["reef"]
    assert "lagoon" not in found


def test_ids_can_change_places_with_relink(people: dict[str, str], database: str) -> None:
    pool = people["UserPoolId"]
    ids = {handle: make_sign_in(pool, handle) for handle in ("grahams", "reef")}
    run("db", "set-cognito-id", "grahams", ids["reef"])
    run("db", "set-cognito-id", "reef", ids["grahams"])
    assert run("db", "update_cognito_user_ids").exit_code == 1
    assert run("db", "update_cognito_user_ids", "--relink").exit_code == 0
    linked = "SELECT handle, cognito_user_id FROM public.users WHERE handle IN ('grahams', 'reef')"
    assert dict(rows(database, linked)) == ids


def test_a_private_database_is_reached_through_a_function(
    deployed: dict[str, str], database: str, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "failed with OperationalError" in sentence(run("db", "sessions", "--aws"))
    monkeypatch.setattr(targets, "_local", lambda: pytest.fail("it went to the local cloud"))
    connection = psycopg2.connect(database.rpartition("/")[0] + "/postgres")
    connection.autocommit = True
    connection.cursor().execute("CREATE DATABASE commands_test")
    connection.close()
    yes = ("--json", "--yes", "--aws")
    assert "schema is not loaded" in sentence(run("db", "seed", *yes))
    assert lines(run("db", "schema-load", *yes))[0]["applied"]
    assert lines(run("db", "migrate", *yes)) == [{"applied": []}]
    assert lines(run("db", "seed", *yes)) == [{"users": 6, "activities": 1}]
    assert lines(run("db", "sessions", "--json", "--aws")) == []
    for user in seed_users():
        make_sign_in(deployed["UserPoolId"], user.user.handle)
    linked = run("db", "update_cognito_user_ids", *yes)
    assert set(states(linked).values()) == {"updated", "linked_otherwise"}
    assert run("db", "set-cognito-id", "reef", "MOCK", *yes).exit_code == 0
    assert run("ddb", "seed", *yes).exit_code == 0
    *page, last = lines(run("ddb", "patterns", "list-conversations", "reef", "--json", "--aws"))
    assert len(page) == 1
    assert last["summary"]["read_units"] > 0
    assert run("ddb", "scan", "--aws").stderr.endswith(" read units.\n")
    assert lines(run("db", "kill-all", *yes)) == [{"ended": 0}]
    invoked = [json.loads(sent["Payload"]) for name, sent in calls if name == "Invoke"]
    assert {"schema-load", "migrate", "seed", "sessions"} <= {event["action"] for event in invoked}
    assert all("password" not in event for event in invoked)


def test_the_function_is_given_the_owners_secret(deployed: dict[str, str], calls: Calls) -> None:
    secret = json.dumps({"username": "owner", "password": "hidden"})
    made = boto3.client("secretsmanager").create_secret(Name="owner", SecretString=secret)
    deployed["DatabaseSecretArn"] = made["ARN"]
    result = run("db", "sessions", "--verbose", "--aws")
    assert result.exit_code == 1  # the test's server speaks no TLS
    ((_, sent),) = [call for call in calls if call[0] == "Invoke"]
    event = json.loads(sent["Payload"])
    assert event == {"action": "sessions", "username": "owner", "password": "hidden"}
    assert "hidden" not in result.output


# psql and its way in.


def public(outputs: dict[str, str]) -> str:
    """Give the stack a public database."""
    secret = json.dumps({"username": "owner", "password": "hidden"})
    made = boto3.client("secretsmanager").create_secret(Name="owner", SecretString=secret)
    group = boto3.client("ec2").create_security_group(GroupName="database", Description="x")
    outputs["DatabaseSecretArn"] = made["ARN"]
    outputs["DatabaseAddress"] = "db.example.com:5432"
    outputs["DatabaseSecurityGroupId"] = group["GroupId"]
    return group["GroupId"]


def test_connect_becomes_psql_and_shows_no_password(
    deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda *arguments: started.append(arguments))
    public(deployed)
    monkeypatch.setattr(shutil, "which", lambda _: None)  # so it is the bundled one
    assert run("db", "connect", "-c", "SELECT 1", "--yes", "--aws").exit_code == 0
    ((_, words, environment),) = started
    assert os.access(words[0], os.X_OK)
    assert words[1:4] == ["--no-psqlrc", "--command", "SELECT 1"]
    assert "host=db.example.com port=5432" in words[-1]
    assert "sslmode=verify-full" in words[-1]
    assert "hidden" not in str(words)
    assert environment["PGPASSWORD"] == "hidden"
    (shown,) = lines(run("db", "connect", "--json", "--aws"))
    assert "hidden" not in str(shown)


def test_the_security_group_is_opened_replaced_and_closed(
    deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    group = public(deployed)
    ec2 = boto3.client("ec2")
    others: Any = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
    others["IpRanges"] = [{"CidrIp": "198.51.100.1/32", "Description": "somebody else's"}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[others])

    def open_to() -> set[Any]:
        (found,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        permissions = found["IpPermissions"]
        assert all(p["FromPort"] == p["ToPort"] == 5432 for p in permissions)
        return {r["CidrIp"] for p in permissions for r in p["IpRanges"]} - {"198.51.100.1/32"} | {
            r["CidrIpv6"] for p in permissions for r in p["Ipv6Ranges"]
        }

    command = ("rds", "update-sg-rule", "--yes")
    monkeypatch.setattr(rds, "_own_address", lambda: "192.0.2.7")
    for _ in range(2):
        assert run(*command, "--aws").exit_code == 0
        assert open_to() == {"192.0.2.7/32"}
    assert run(*command, "--address", "192.0.2.8", "--aws").exit_code == 0
    assert open_to() == {"192.0.2.8/32"}
    assert run(*command, "--address", "2001:db8::1", "--aws").exit_code == 0
    assert open_to() == {"2001:db8::1/128"}
    assert run(*command, "--address", "not one", "--aws").exit_code == 2
    for _ in range(2):
        assert run(*command, "--close", "--aws").exit_code == 0
        assert open_to() == set()


def test_locally_there_is_no_security_group(local: dict[str, str]) -> None:
    assert "add --aws" in sentence(run("rds", "update-sg-rule"))


# Sign-ins.


def test_all_users_are_listed_not_sixty(local: dict[str, str]) -> None:
    for number in range(65):
        make_sign_in(local["UserPoolId"], f"user-{number}")
    found = lines(run("cognito", "list-users", "--json"))
    assert {row["handle"] for row in found} == {f"user-{number}" for number in range(65)}


def test_an_admin_made_user_has_a_row_and_a_token(people: dict[str, str], database: str) -> None:
    command = ("cognito", "create-user", "dory", "--email", "dory@example.com", "--json")
    (first,) = lines(run(*command))
    (again,) = lines(run(*command))
    assert first["made"]
    assert again == first | {"made": False}
    found = "SELECT uuid::text, cognito_user_id, email FROM public.users WHERE handle = 'dory'"
    row = (first["uuid"], first["cognito_user_id"], "dory@example.com")
    assert rows(database, found) == [row]
    token = run("cognito", "token", "DORY").stdout.strip()
    assert token.count(".") == 2
    assert lines(run("cognito", "token", "dory", "--json"))[0]["access_token"].count(".") == 2
    assert "bin/cognito/list-users" in sentence(run("cognito", "token", "nobody"))
    wrong = run("cognito", "token", "dory", "--password", "wrong")
    assert "--password" in sentence(wrong)


def test_a_handle_that_is_somebody_elses_leaves_no_sign_in(people: dict[str, str]) -> None:
    command = ("cognito", "create-user", "Reef", "--email", "other@example.com")
    assert "somebody else's" in sentence(run(*command))
    assert "The database refuses" in sentence(
        run("cognito", "create-user", "not a handle", "--email", "b@example.com")
    )
    assert run("cognito", "list-users").stdout == "There is no user in the pool.\n"


def test_on_aws_a_token_asks_for_the_password(
    deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = make_sign_in(deployed["UserPoolId"], "reef")
    boto3.client("cognito-idp").admin_set_user_password(
        UserPoolId=deployed["UserPoolId"], Username=id_, Password="Secret-1234", Permanent=True
    )
    for who in ("reef", "reef@example.com"):
        result = run("cognito", "token", who, "--aws", answer="Secret-1234\n")
        assert result.exit_code == 0, result.output
        assert result.stdout.strip().count(".") == 2
    monkeypatch.setenv("CRUDDUR_PASSWORD", "Secret-1234")
    unasked = run("cognito", "token", "reef", "--aws")
    assert unasked.exit_code == 0, unasked.output
