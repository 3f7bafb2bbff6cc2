"""The real application: `python -m local` as `make run` starts it, on free ports."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import psutil
import pytest

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 20.0


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
        path = [ROOT, ROOT / "layers" / "messaging", ROOT / "layers" / "directory"]
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

    def log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def wait_until_ready(self) -> dict[str, Any]:
        """The contents of stack.json once it is this process's."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(FileNotFoundError):
                stack: dict[str, Any] = json.loads((self.state / "stack.json").read_text())
                if stack["Pid"] == self.process.pid and stack["ready"]:
                    return stack
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        status = self.process.poll()
        self.kill()
        pytest.fail(f"the local cloud did not start (exit status {status}):\n{self.log_tail()}")

    def children(self) -> list[psutil.Process]:
        """All processes that were started and live, also those whose parent is gone."""
        processes = []
        with suppress(FileNotFoundError):
            for line in (self.state / "processes.jsonl").read_text().splitlines():
                entry = json.loads(line)
                with suppress(psutil.NoSuchProcess):
                    process = psutil.Process(entry["pid"])
                    if process.create_time() == entry["created"]:
                        processes += [process, *process.children(recursive=True)]
        return list(dict.fromkeys(processes))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop in order, and prove that it was."""
        children = self.children()
        self.process.send_signal(number)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"the local cloud did not stop:\n{self.log_tail()}")
        assert status == 0, self.log_tail()
        assert not gone(children, within=0.5)

    def kill(self) -> None:
        """kill -9, at which the guards must end what it started."""
        self.process.kill()
        self.process.wait()


def gone(processes: list[psutil.Process], *, within: float) -> list[psutil.Process]:
    """Wait for processes to end and return those that live on; one waiting to be reaped is dead."""
    _, alive = psutil.wait_procs(processes, timeout=within)
    living = []
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                living.append(process)
    return living


@dataclass(frozen=True, kw_only=True)
class RunningCloud:
    """The running stack: `stack` is its stack.json, `client` speaks to its API."""

    process: LocalCloud
    stack: Mapping[str, Any]
    client: httpx.Client
    dynamodb: "DynamoDBClient"
    cognito: "CognitoIdentityProviderClient"
    sqs: "SQSClient"

    def token(self, handle: str) -> str:
        """An access token, as a person gets it: by bin/cognito/token."""
        return subprocess.run(
            [str(ROOT / "bin" / "cognito" / "token"), handle],
            env=self.process.environment,
            cwd="/",
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout.strip()

    def workers(self, function: str) -> list[psutil.Process]:
        """The living workers of a function."""
        living = []
        for process in self.process.children():
            with suppress(psutil.NoSuchProcess):  # a zombie, too: it was killed a moment ago
                if any(part.endswith(f":function:{function}") for part in process.cmdline()):
                    living.append(process)
        return living


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


@pytest.fixture(scope="session")
def cloud(start_cloud: Callable[..., LocalCloud]) -> Iterator[RunningCloud]:
    """The application, started once for all tests and stopped in order after them."""
    process = start_cloud()
    stack = process.wait_until_ready()

    def client(service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]  # one overload a service
            endpoint_url=stack["EndpointUrl"],
            region_name=stack["Region"],
            aws_access_key_id=stack["AccessKeyId"],
            aws_secret_access_key=stack["SecretAccessKey"],
        )

    with httpx.Client(base_url=stack["ApiUrl"], timeout=40, trust_env=False) as http:
        yield RunningCloud(
            process=process,
            stack=stack,
            client=http,
            dynamodb=client("dynamodb"),
            cognito=client("cognito-idp"),
            sqs=client("sqs"),
        )
    process.stop()
