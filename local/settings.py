"""Addresses and ports of the local cloud, from environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError

__all__ = ["BYTECODE", "CREDENTIALS", "ROOT", "TEMPLATE", "Settings", "isolate_from_aws"]

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "template.yaml"
BYTECODE = ROOT / ".build" / "pycache"

# What every caller of the local engines signs with. The AWS engine refuses other keys.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Read once at the start; a port of 0 stands for any free one.

    The engine addresses are None where the local cloud starts its own engine.
    """

    host: str
    aws_host: str
    bridge_host: str | None
    port: int
    aws_port: int
    postgres_port: int
    state: Path
    keep: bool
    concurrency: int
    metrics: bool
    region: str
    aws_url: str | None
    dynamodb_url: str | None
    streams_url: str | None
    database_url: str | None

    @property
    def keeps_all(self) -> bool:
        """Whether everything is kept, and nothing of it in an engine of somebody else's."""
        return self.keep and not (self.aws_url or self.dynamodb_url or self.database_url)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Raise LocalError for a value that is no number or out of range.

        An empty variable counts as unset, as it does for boto3.
        """

        def number(name: str, default: int, lowest: int, highest: int) -> int:
            text = environment.get(name) or str(default)
            if not text.isdecimal() or not lowest <= int(text) <= highest:
                raise LocalError(f"{name} must be a number from {lowest} to {highest}, not {text}.")
            return int(text)

        def switch(name: str) -> bool:
            return environment.get(name, "") not in {"", "0"}

        def address(name: str) -> str | None:
            url = environment.get(name) or None
            if url and not url.startswith(("http://", "https://")):
                raise LocalError(f"{name} must be an http address, not {url}.")
            return url and url.rstrip("/")

        dynamodb_url = address("AWS_ENDPOINT_URL_DYNAMODB")
        return cls(
            host=environment.get("HOST") or "127.0.0.1",
            aws_host=environment.get("AWS_HOST") or "127.0.0.1",
            bridge_host=environment.get("BRIDGE_HOST") or None,
            port=number("PORT", 3000, 0, 65535),
            aws_port=number("AWS_PORT", 4566, 0, 65535),
            postgres_port=number("POSTGRES_PORT", 5433, 0, 65535),
            state=ROOT / (environment.get("LOCAL_STATE") or ".local"),
            keep=switch("KEEP"),
            concurrency=number("LOCAL_CONCURRENCY", 4, 1, 64),
            metrics=switch("LOCAL_METRICS"),
            region=environment.get("AWS_REGION") or "us-east-1",
            aws_url=address("AWS_ENDPOINT_URL"),
            dynamodb_url=dynamodb_url,
            streams_url=address("AWS_ENDPOINT_URL_DYNAMODB_STREAMS") or dynamodb_url,
            database_url=environment.get("DATABASE_URL") or None,
        )


def isolate_from_aws(region: str) -> None:
    """Make this process unable to reach a real account or to go through a proxy.

    The caller's profile, keys and endpoints vanish from the environment; whatever boto3
    client is made later signs with the local keys.
    """
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(
        CREDENTIALS,
        AWS_DEFAULT_REGION=region,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
    )
