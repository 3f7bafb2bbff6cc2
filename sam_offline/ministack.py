"""The AWS engine, the ministack package: DynamoDB, its streams, Cognito and SQS on one port."""

import shutil
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any

from sam_offline.errors import OfflineError
from sam_offline.processes import Engine, free_port
from sam_offline.state import StateFolder

__all__ = ["CREDENTIALS", "Ministack", "client"]

# What every caller of the engine signs with; it refuses other keys.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


class Ministack(Engine):
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
            [str(python), "-P", "-m", "sam_offline.engine"],
            state=state,
            environment={
                **CREDENTIALS,
                "PYTHONPATH": str(Path(__file__).parent.parent),
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(port),
                "MINISTACK_REGION": region,
                # Signatures are checked, and with them confirmation codes.
                "AUTH": "true",
                # Everything it writes stays in the state folder; keys are kept there in any case.
                "HOME": str(temporary),
                "TMPDIR": str(temporary),
                # Seen from its working folder: where that is removed, it makes no new one.
                "STATE_DIR": str(folder.relative_to(state.path)),
                "S3_DATA_DIR": str(temporary / "s3"),
                # Always: who begins afresh today may want to keep it tomorrow.
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
        """Return a boto3 client past everything that is added to the engine."""
        return client(service, self.url, self._region)

    def _healthy(self) -> bool:
        try:
            health = f"{self.url}/_ministack/health"
            with urllib.request.urlopen(health, timeout=2) as answer:  # noqa: S310 - our own engine
                return bool(answer.status == HTTPStatus.OK)
        except OSError:
            return False


def client(service: Any, url: str, region: str) -> Any:
    """Return a boto3 client of what is at `url`, which signs with the local keys."""
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
