"""The AWS engine: DynamoDB, its streams, Cognito and SQS on one port, by the package ministack.

Its own Python environment runs sam_offline.ministack_server.
"""

import shutil
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any

from sam_offline.errors import OfflineError
from sam_offline.processes import ChildProcess, free_port
from sam_offline.state import StateFolder

__all__ = ["CREDENTIALS", "Ministack", "client"]

# The only keys that the engine accepts.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


class Ministack(ChildProcess):
    """Listens on a port of its own; `tools` has a Python environment for it."""

    def __init__(self, tools: Path, *, state: StateFolder, region: str) -> None:
        python = tools / "ministack" / "bin" / "python"
        if not python.exists():
            raise OfflineError(
                f"The AWS engine is not installed: there is no {python} with ministack."
            )
        port = free_port(0, "AWS_PORT")
        self.url = f"http://127.0.0.1:{port}"
        self._region = region
        temporary = state.path / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        folder = state.data / "aws"
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(
            "ministack",
            [str(python), "-P", "-m", "sam_offline.ministack_server"],
            state=state,
            environment={
                **CREDENTIALS,
                "PYTHONPATH": str(Path(__file__).parent.parent),
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(port),
                "MINISTACK_REGION": region,
                # Signatures are checked, and with them confirmation codes.
                "AUTH": "true",
                # Everything that it writes has to stay in the state folder.
                "HOME": str(temporary),
                "TMPDIR": str(temporary),
                # Relative, so that it does not make the state folder again after its removal.
                "STATE_DIR": str(folder.relative_to(state.path)),
                "S3_DATA_DIR": str(temporary / "s3"),
                # Always: the next run decides whether it keeps what this one wrote.
                "PERSIST_STATE": "1",
                # It would otherwise open further ports and look for Docker.
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
                "DOCKER_HOST": f"unix://{temporary}/no-docker",
                "LOG_LEVEL": "WARNING",
                "PATH": "/usr/bin:/bin",
            },
        )

    def wait(self) -> None:
        """Return when it answers."""
        self.wait_until(self._healthy)

    def client(self, service: Any) -> Any:
        """Return a boto3 client of the engine itself, without the user pool's triggers."""
        return client(service, self.url, self._region)

    def _healthy(self) -> bool:
        try:
            health = f"{self.url}/_ministack/health"
            with urllib.request.urlopen(health, timeout=2) as answer:  # noqa: S310 - our own engine
                return bool(answer.status == HTTPStatus.OK)
        except OSError:
            return False


def client(service: Any, url: str, region: str) -> Any:
    """Return a boto3 client for `url`, which signs with the local keys."""
    import boto3  # noqa: PLC0415 - takes as long as the engine, which starts meanwhile
    from botocore.config import Config  # noqa: PLC0415

    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(
            connect_timeout=2, read_timeout=15, retries={"total_max_attempts": 2}, proxies={}
        ),
    )
