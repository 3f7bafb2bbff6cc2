"""The real application: `python -m local` as `make run` starts it, on free ports."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import psutil
import pytest
from typer.testing import CliRunner, Result

from commands.cli import app
from messaging import keys
from seed.examples import PASSWORD
from tests import contract, logs
from tests.local.role_proxy import RoleProcess
from tests.waiting import eventually

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

ROOT = Path(__file__).parent.parent.parent
ENGINE = ROOT / ".build" / "ministack" / "bin" / "python"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first, and into one process, what uses the application that is started once.

    A start of it and of all its functions takes as long as hundreds of tests.
    """
    for item in items:
        if _uses_the_one(item):
            item.add_marker(pytest.mark.xdist_group("cloud"))
    items.sort(key=_uses_the_one, reverse=True)


def _uses_the_one(item: pytest.Item) -> bool:
    here = item.path.parent == Path(__file__).parent
    return here and isinstance(item, pytest.Function) and "cloud" in item.fixturenames


@cache
def _ender() -> subprocess.Popen[str]:
    """Ends the local clouds of this process when it is gone, killed or not."""
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("ender.py"))],
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


class LocalCloud:
    """One `python -m local` process with a state folder of its own."""

    def __init__(
        self,
        state: Path,
        *arguments: str,
        stdin: int = subprocess.DEVNULL,
        **environment: str,
    ) -> None:
        self.state = state
        self.log = state.with_suffix(".log")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "PORT": "0",
            "AWS_PORT": "0",
            "POSTGRES_PORT": "0",
            "LOCAL_STATE": str(state),
            **environment,
        }
        for name in set(self.environment) & {"KEEP", "DATABASE_URL", "HOST", "BRIDGE_HOST"} - set(
            environment
        ):
            del self.environment[name]
        packages = ("layers/messaging", "layers/directory", "functions/administer_directory")
        path = [ROOT, *(ROOT / folder for folder in packages)]
        self.environment["PYTHONPATH"] = os.pathsep.join(map(str, path))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local", *arguments],
                env=self.environment,
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        print(self.process.pid, file=_ender().stdin, flush=True)

    def log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def wait_until_ready(self) -> dict[str, Any]:
        """The contents of stack.json once it is this process's."""

        def ready() -> dict[str, Any] | None:
            status = self.process.poll()
            with suppress(FileNotFoundError):
                stack: dict[str, Any] = json.loads((self.state / "stack.json").read_text())
                if stack["Pid"] == self.process.pid and stack["ready"]:
                    return stack
            if status is not None:
                pytest.fail(f"the local cloud ended with {status}:\n{self.log_tail()}")
            return None

        return eventually(ready)

    def wait_until_it_says(self, what: str) -> None:
        """Return when it has printed this."""
        eventually(lambda: True if what in self.log.read_text(errors="replace") else None)

    def children(self) -> list[psutil.Process]:
        """All processes that it has started and that live."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def stop(self, number: signal.Signals = signal.SIGTERM, *, status: int = 0) -> None:
        """Stop in order, and prove that it was."""
        children = self.children()
        self.process.send_signal(number)
        assert self.process.wait() == status, self.log_tail()
        wait_until_gone(children)

    def kill(self) -> None:
        """kill -9, at which the guards must end what it started."""
        self.process.kill()
        self.process.wait()


def wait_until_gone(processes: list[psutil.Process]) -> None:
    """Return when none of them lives."""
    eventually(lambda: True if not living(processes) else None)


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that live on; one that only waits to be reaped is dead."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@dataclass(frozen=True, kw_only=True)
class RunningCloud:
    """The running stack: `stack` is its stack.json, `client` speaks to its API.

    Where there are `roles`, its functions may do on AWS what theirs allow, and no more.
    """

    process: LocalCloud
    stack: Mapping[str, Any]
    client: httpx.Client
    dynamodb: "DynamoDBClient"
    cognito: "CognitoIdentityProviderClient"
    sqs: "SQSClient"
    roles: RoleProcess | None = None

    def token(self, handle: str) -> str:
        """An access token of a seeded person."""
        signed_in = self.cognito.initiate_auth(
            AuthFlow="USER_PASSWORD_AUTH",
            ClientId=self.stack["UserPoolClientId"],
            AuthParameters={"USERNAME": f"{handle}@example.com", "PASSWORD": PASSWORD},
        )
        return signed_in["AuthenticationResult"]["AccessToken"]

    def workers(self, function: str) -> list[psutil.Process]:
        """The living workers of a function."""
        living = []
        for process in self.process.children():
            with suppress(psutil.NoSuchProcess):  # a zombie, too: it was killed a moment ago
                if any(part.endswith(f":function:{function}") for part in process.cmdline()):
                    living.append(process)
        return living


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

    def items(self) -> list[dict[str, Any]]:
        """What is in the table, but for parked records: of messages that a reset took away."""
        return [row for row in self.rows("ddb scan") if row["pk"] != keys.FAILED_PK]

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


@pytest.fixture(scope="session")
def start_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., LocalCloud]]:
    """Starts a local cloud in a new state folder, or in a given one; none outlives the tests."""
    started: list[LocalCloud] = []

    def start(state: Path | None = None, *arguments: str, **options: Any) -> LocalCloud:
        cloud = LocalCloud(state or tmp_path_factory.mktemp("cloud") / "s", *arguments, **options)
        started.append(cloud)
        return cloud

    yield start
    for cloud in started:
        if cloud.process.poll() is None:
            cloud.kill()
    if started:
        _ender().communicate()  # it ends with its input
    for cloud in started:
        logs.check(cloud.log.read_text(errors="replace"))


@pytest.fixture(scope="session")
def cloud(start_cloud: Callable[..., LocalCloud]) -> Iterator[RunningCloud]:
    """The application, started once for all tests and stopped in order after them."""
    roles = RoleProcess()
    process = start_cloud(FUNCTIONS_PROXY=roles.url)
    stack = process.wait_until_ready()
    with running(process, stack, roles) as cloud:
        yield cloud
    process.stop()
    _, denied = roles.seen()
    roles.stop()
    assert not denied


@contextmanager
def running(
    process: LocalCloud, stack: dict[str, Any], roles: RoleProcess | None = None
) -> Iterator[RunningCloud]:
    """The clients of a running stack."""

    def client(service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]  # one overload a service
            endpoint_url=stack["EndpointUrl"],
            region_name=stack["Region"],
            aws_access_key_id=stack["AccessKeyId"],
            aws_secret_access_key=stack["SecretAccessKey"],
        )

    with httpx.Client(
        base_url=stack["ApiUrl"],
        timeout=None,
        trust_env=False,
        event_hooks={"request": [logs.note_request], "response": [contract.hold]},
    ) as http:
        yield RunningCloud(
            process=process,
            stack=stack,
            client=http,
            dynamodb=client("dynamodb"),
            cognito=client("cognito-idp"),
            sqs=client("sqs"),
            roles=roles,
        )
