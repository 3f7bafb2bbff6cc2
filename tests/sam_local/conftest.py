"""The application as `sam local` runs it, in containers, beside a local cloud without its API.

Where there is no Docker these tests are skipped, except where they must not be: with CI or
REQUIRE_DOCKER set they fail. Two `sam local` at a time would get into each other's way, in
whatever checkout.
"""

import fcntl
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from sam_offline.processes import free_port
from seed.examples import PASSWORD
from tests import contract, logs
from tests.fakes.sample_events import Stores
from tests.fakes.template import Stack, read_stack
from tests.local.conftest import LocalCloud, start_cloud
from tests.sam_local import stand_in
from tests.waiting import eventually

__all__ = ["start_cloud"]

ROOT = Path(__file__).parents[2]
SAM = str(ROOT / "bin" / "sam")
QUIET_SECONDS = 3.0


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True)


def containers() -> set[str]:
    return set(docker("ps", "--all", "--quiet").stdout.split())


@pytest.fixture(scope="session")
def running_docker() -> Iterator[None]:
    """Docker, for these tests alone, which leave no container behind."""
    try:
        running = docker("info").returncode == 0
    except FileNotFoundError:
        running = False
    if not running:
        reason = "Docker is not running; these tests run the functions in containers"
        if os.environ.get("CI") or os.environ.get("REQUIRE_DOCKER"):
            pytest.fail(reason)
        pytest.skip(reason)
    # Docker's own program: all checkouts have it in common, and no lock file is left.
    with Path(shutil.which("docker") or "").open("rb") as program:
        fcntl.flock(program, fcntl.LOCK_EX)
        before = containers()
        yield
        assert containers() <= before


def official_image() -> str:
    """Return the image that sam runs functions in; sam knows where it comes from."""
    subprocess.run([str(ROOT / "bin" / "setup"), "sam"], check=True)
    ask = "from samcli.local.docker.lambda_image import LambdaImage as image"
    prefix = subprocess.run(
        [
            ROOT / ".build" / "sam" / "bin" / "python",
            "-c",
            f"{ask}; print(image._INVOKE_REPO_PREFIX)",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    return f"{prefix}/python:3.13-x86_64"


@pytest.fixture(scope="session")
def image_options(running_docker: None) -> list[str]:
    """What `sam local` needs to be told of its image: nothing where it can be had."""
    image = official_image()
    if docker("image", "inspect", image).returncode and docker("pull", "-q", image).returncode:
        subprocess.run([str(ROOT / "bin" / "setup"), "stand-in"], check=True)
        return ["--skip-pull-image", "--invoke-image", stand_in.build()]
    return []


@pytest.fixture(scope="session")
def build(running_docker: None) -> None:
    done = subprocess.run([SAM, "build"], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """`make cloud`: its process, its stack.json, and the stores behind it."""

    process: LocalCloud
    stack: dict[str, Any]
    stores: Stores

    @property
    def environment(self) -> str:
        return str(self.process.state / "sam-env.json")

    def batches(self) -> int:
        """How many batches of new messages the stream's mapping has delivered."""
        return self.process.log.read_text().count('UpdateMessageGroups | {"_aws"')

    def access_token(self, handle: str) -> str:
        """An access token, as a person gets it."""
        return subprocess.run(
            [str(ROOT / "bin" / "cognito" / "token"), handle],
            env=self.process.environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def tokens(self, handle: str) -> dict[str, str]:
        """A user's tokens, by Cognito's names for them."""
        client = boto3.client(
            "cognito-idp",
            endpoint_url=self.stack["EndpointUrl"],
            region_name=self.stack["Region"],
            aws_access_key_id=self.stack["AccessKeyId"],
            aws_secret_access_key=self.stack["SecretAccessKey"],
        )
        answer = client.initiate_auth(
            AuthFlow="USER_PASSWORD_AUTH",
            ClientId=self.stack["UserPoolClientId"],
            AuthParameters={"USERNAME": f"{handle}@example.com", "PASSWORD": PASSWORD},
        )
        result: Any = answer["AuthenticationResult"]
        return dict(result)


@pytest.fixture(scope="session")
def cloud(running_docker: None, start_cloud: Callable[..., LocalCloud]) -> Iterator[Cloud]:
    process = start_cloud(None, "--no-api", LOCAL_METRICS="1")
    stack = process.wait_until_ready()
    dynamodb = boto3.client(
        "dynamodb",
        endpoint_url=stack["EndpointUrl"],
        region_name=stack["Region"],
        aws_access_key_id=stack["AccessKeyId"],
        aws_secret_access_key=stack["SecretAccessKey"],
    )
    stores = Stores(
        dynamodb=dynamodb, table_name=stack["TableName"], database_url=stack["DatabaseUrl"]
    )
    cloud = Cloud(process=process, stack=stack, stores=stores)
    seen = -1
    while cloud.batches() != seen:  # the messages of the seed
        seen = cloud.batches()
        time.sleep(QUIET_SECONDS)
    yield cloud
    process.stop()


@pytest.fixture(scope="session")
def stack() -> Stack:
    return read_stack(parameters={"DatabaseUrl": "postgresql://somewhere/cruddur"})


def note_texts(event: dict[str, Any]) -> None:
    """Note what no log may hold of an event: of the API or of the table's stream."""
    logs.note_body(event.get("body"))
    for record in event.get("Records", ()):
        logs.note_text(record["dynamodb"].get("NewImage", {}).get("message", {}).get("S", ""))


@pytest.fixture(scope="session")
def invoke(
    cloud: Cloud, build: None, image_options: list[str], stack: Stack
) -> Callable[[str], Any]:
    """Runs `sam local invoke` with a sample event, by its folder's and its own name."""
    functions = {function.code.name: name for name, function in stack.functions().items()}

    def run(name: str) -> Any:
        event = Path("events", f"{name}.json")
        note_texts(json.loads((ROOT / event).read_text()))
        # Its exit status is 0 also when the function fails; what counts is the answer.
        done = subprocess.run(
            [
                *(SAM, "local", "invoke", functions[name.partition("/")[0]]),
                *("-e", str(event), "--env-vars", cloud.environment, *image_options),
            ],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        logs.check(done.stderr)
        try:
            return json.loads(done.stdout)
        except ValueError:
            pytest.fail(f"no answer: {done.stdout}\n{done.stderr}")

    return run


@pytest.fixture(scope="session")
def api_url(
    cloud: Cloud,
    build: None,
    image_options: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """`sam local start-api`."""
    port = free_port(0, "PORT")
    log = tmp_path_factory.mktemp("sam") / "start-api.log"
    options = ["--port", str(port), "--env-vars", cloud.environment, *image_options]
    with log.open("w") as output:
        process = subprocess.Popen(
            [SAM, "local", "start-api", *options],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for_port(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()  # it then ends its containers
        process.wait()
    logs.check(log.read_text(errors="replace"))


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:

    def listens() -> bool | None:
        if process.poll() is not None:
            pytest.fail(f"`sam local start-api` does not listen:\n{log.read_text()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0 or None

    eventually(listens)


@pytest.fixture(scope="session")
def api(api_url: str) -> Iterator[httpx.Client]:
    """Its client; every answer is held against the contract."""
    with httpx.Client(
        base_url=api_url,
        timeout=None,
        trust_env=False,
        event_hooks={"request": [logs.note_request], "response": [contract.hold]},
    ) as client:
        yield client


@contextmanager
def restored(stores: Stores) -> Iterator[Any]:
    """Give what the stores hold, and see to it that they hold it again afterwards."""
    before = stores.read()
    try:
        yield before
    finally:
        stores.restore(before)
