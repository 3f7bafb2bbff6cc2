"""Addresses and ports of `make run`, from environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sam_offline.containers import bridge_address
from sam_offline.errors import OfflineError

__all__ = ["BYTECODE", "ROOT", "TEMPLATE", "Settings"]

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "template.yaml"
BYTECODE = ROOT / ".build" / "pycache"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Read once at the start; a port of 0 stands for any free one.

    `database_url` is None where the local cloud starts its own PostgreSQL, `bridge` where no
    other address than 127.0.0.1 is there for containers.
    """

    host: str
    aws_host: str
    bridge: str | None
    port: int
    aws_port: int
    postgres_port: int
    state: Path
    keep: bool
    concurrency: int
    metrics: bool
    debug_port: int | None
    region: str
    database_url: str | None
    dynamodb_url: str | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Raise OfflineError for a value that is no number or out of range.

        An empty variable counts as unset, as it does for boto3.
        """

        def number(name: str, default: int, lowest: int = 0, highest: int = 65535) -> int:
            text = environment.get(name) or str(default)
            if not text.isdecimal() or not lowest <= int(text) <= highest:
                raise OfflineError(
                    f"{name} must be a number from {lowest} to {highest}, not {text}."
                )
            return int(text)

        def switch(name: str) -> bool:
            return environment.get(name, "") not in {"", "0"}

        bridge = environment.get("BRIDGE_HOST") or bridge_address()
        return cls(
            host=environment.get("HOST") or "127.0.0.1",
            aws_host=environment.get("AWS_HOST") or "127.0.0.1",
            bridge=None if bridge == "127.0.0.1" else bridge,
            port=number("PORT", 3000),
            aws_port=number("AWS_PORT", 4566),
            postgres_port=number("POSTGRES_PORT", 5433),
            state=ROOT / (environment.get("LOCAL_STATE") or ".local"),
            keep=switch("KEEP"),
            concurrency=number("LOCAL_CONCURRENCY", 4, 1, 64),
            metrics=switch("LOCAL_METRICS"),
            debug_port=number("DEBUG_PORT", 0) or None,
            region=environment.get("AWS_REGION") or "us-east-1",
            database_url=environment.get("DATABASE_URL") or None,
            dynamodb_url=environment.get("AWS_ENDPOINT_URL_DYNAMODB") or None,
        )
