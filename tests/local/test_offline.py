"""A template that has nothing to do with this project, served by sam_offline alone."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from sam_offline import Offline, OfflineError
from sam_offline.ministack import client
from sam_offline.state import StateFolder
from tests.local.conftest import ROOT, wait_until_gone
from tests.waiting import eventually

TOOLS = ROOT / ".build"
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: { Type: String, Default: Hello, AllowedPattern: "[A-Za-z]+" }
Globals:
  Function: { Runtime: python3.13, CodeUri: code, Timeout: 5 }
Resources:
  Letters: { Type: AWS::SQS::Queue }
  Notes:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
      StreamSpecification: { StreamViewType: NEW_IMAGE }
  Web:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.greet
      Environment: { Variables: { GREETING: !Sub "${Greeting}, ${Notes}" } }
      Events: { Route: { Type: HttpApi, Properties: { Method: GET, Path: "/greet/{name}" } } }
  Copy:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.copy
      Environment: { Variables: { TABLE: !Ref Notes } }
      Events:
        Stream:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Notes.StreamArn
            StartingPosition: TRIM_HORIZON
            MaximumBatchingWindowInSeconds: 300
Outputs:
  Table: { Value: !Ref Notes }
  WebFunction: { Value: !GetAtt Web.Arn }
  Queue: { Value: !Ref Letters }
"""
CODE = """
import os
import boto3

def greet(event, context):
    stop = event.get("stop") and breakpoint()
    return {"statusCode": 200, "body": os.environ["GREETING"] + event["pathParameters"]["name"]}

def copy(event, context):
    table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
    for record in event["Records"]:
        uuid = record["dynamodb"]["Keys"]["id"]["S"]
        if not uuid.endswith("copy"):
            table.put_item(Item={"id": uuid + "-copy"})
"""


def project(folder: Path) -> Path:
    """The template with its code in this folder."""
    (folder / "code").mkdir()
    (folder / "code" / "app.py").write_text(CODE)
    path = folder / "template.yaml"
    path.write_text(TEMPLATE)
    return path


@pytest.fixture
def template(tmp_path: Path) -> Path:
    return project(tmp_path)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Offline]:
    template = project(tmp_path_factory.mktemp("project"))
    with Offline(template, parameters={"Greeting": "Salut"}, tools=TOOLS) as app:
        yield app


def test_a_template_is_served_from_its_source(app: Offline) -> None:
    table = app.outputs["Table"]
    answer = httpx.get(f"{app.url}/greet/Ada", trust_env=False, timeout=None)
    assert (answer.status_code, answer.text) == (200, f"Salut, {table}Ada")
    assert app.outputs["WebFunction"].endswith(":function:Web")
    event = {"pathParameters": {"name": "Bo"}}
    assert app.invoke("Web", event)["body"] == f"Salut, {table}Bo"
    with pytest.raises(OfflineError, match="Web failed: KeyError"):
        app.invoke("Web", {})
    with pytest.raises(OfflineError, match="no function Nobody"):
        app.invoke("Nobody")


def test_what_is_written_is_delivered_when_the_streams_are_drained(app: Offline) -> None:
    """Without waiting for the window of five minutes, and what a delivery writes as well."""
    dynamodb = app.client("dynamodb")
    for number in range(20):
        dynamodb.put_item(TableName=app.outputs["Table"], Item={"id": {"S": str(number)}})
    app.drain()
    assert dynamodb.scan(TableName=app.outputs["Table"])["Count"] == 40


def test_a_queue_is_at_the_address_that_the_outputs_name(template: Path, tmp_path: Path) -> None:
    """Some clients call a queue there, and there only. The engine has another port each time."""
    state = StateFolder(tmp_path / "state")
    state.acquire()
    for body in ("first", "second"):
        with Offline(template, tools=TOOLS, state=state) as app:
            queue = app.outputs["Queue"]
            assert queue.startswith(f"{app.aws_url}/")
            sqs = client("sqs", queue, app.region)
            sqs.send_message(QueueUrl=queue, MessageBody=body)
            (letter,) = sqs.receive_message(QueueUrl=queue)["Messages"]
            assert letter["Body"] == body
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=letter["ReceiptHandle"])
    state.release()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("!Ref Notes } }", "!Ref Bucket } }"), r"!Ref Bucket \(AWS::S3::Bucket\)"),
        (("app.greet", "app.greet\n      Handel: x"), "Handel"),
        (
            (
                "BatchingWindowInSeconds: 300",
                "RetryAttempts: 0\n            TumblingWindowInSeconds: 9",
            ),
            "tumbling window",
        ),
    ],
    ids=["a reference", "a broken template", "a mapping"],
)
def test_what_is_not_served_is_refused_by_name(
    template: Path, change: tuple[str, str], sentence: str
) -> None:
    text = TEMPLATE.replace(*change) + "  Unused: { Value: !Ref Greeting }\n"
    template.write_text(text.replace("Resources:", "Resources:\n  Bucket: {Type: AWS::S3::Bucket}"))
    with pytest.raises(OfflineError, match=sentence), Offline(template, tools=TOOLS):
        pass


def test_a_value_that_the_template_does_not_allow_is_refused(template: Path) -> None:
    with (
        pytest.raises(OfflineError, match="Greeting"),
        Offline(template, parameters={"Greeting": "1"}, tools=TOOLS),
    ):
        pass


def run(template: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sam_offline", *words, "--tools", str(TOOLS)],
        cwd=template.parent,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.proof
def test_a_function_that_fails_is_said_on_the_command_line(template: Path) -> None:
    called = run(template, "invoke", "Web")
    answer, said = called.communicate()
    assert (called.returncode, answer) == (1, "")
    assert "Web failed: KeyError" in said


def test_a_template_runs_until_someone_stops_it_and_is_called_from_the_command_line(
    template: Path,
) -> None:
    started = run(template, "start", "--port", "0", "--aws-port", "0", "--state", "state")
    assert started.stdout
    ready = next(line for line in started.stdout if "ready at" in line)
    url = ready.split()[3].rstrip(";")
    assert httpx.get(f"{url}/greet/Eve", trust_env=False, timeout=None).text.endswith("Eve")
    stack = json.loads((template.parent / "state" / "stack.json").read_text())
    assert stack["Table"] in httpx.get(f"{url}/greet/Eve", trust_env=False, timeout=None).text
    children = psutil.Process(started.pid).children(recursive=True)
    assert children
    started.send_signal(signal.SIGINT)
    _, said = started.communicate()
    assert (started.returncode, said) == (0, "")
    wait_until_gone(children)
    # What it had written is there again: the table still has its name.
    template.with_name("event.json").write_text(json.dumps({"pathParameters": {"name": "Cy"}}))
    words = ["--keep", "--state", "state", "--parameter-overrides", "Greeting=Hi"]
    called = run(template, "invoke", "Web", "-e", "event.json", *words)
    answer, said = called.communicate()
    assert called.returncode == 0, said
    assert json.loads(answer)["body"] == f"Hi, {stack['Table']}Cy"


def test_a_breakpoint_waits_for_a_terminal(template: Path) -> None:
    template.write_text(TEMPLATE.replace("Timeout: 5", "Timeout: 1"))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    event = template.with_name("event.json")
    event.write_text(json.dumps({"stop": True, "pathParameters": {"name": "Dee"}}))
    called = run(template, "invoke", "Web", "-e", "event.json", "--debug-port", str(port))

    def terminal() -> socket.socket | None:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            return None

    with eventually(terminal) as connection, connection.makefile("rw") as shown:
        time.sleep(1.5)  # longer than the function's timeout
        shown.write("p event['pathParameters']\nc\n")
        shown.flush()
        text = shown.read()
    assert "{'name': 'Dee'}" in text
    answer, said = called.communicate()
    assert called.returncode == 0, said
    assert json.loads(answer)["body"].endswith("Dee")
