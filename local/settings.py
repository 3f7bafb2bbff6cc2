"""Addresses and ports of `make run`, from environment variables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sam_offline.containers import bridge_address
from sam_offline.errors import OfflineError

__all__ = ["BYTECODE", "ROOT", "TEMPLATE", "Settings"]

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "template.yaml"
BYTECODE = ROOT / ".build" / "pycache"


class Settings:
    """Read once at the start; a port of 0 stands for any free one.

    `of_application` are arguments of Offline. `database_url` is None where the local cloud starts
    its own PostgreSQL, `bridge` where no other address than 127.0.0.1 is there for containers.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Raise OfflineError for a value that is no number or out of range.

        An empty variable counts as unset, as it does for boto3.
        """
        given = {name: value for name, value in environment.items() if value}

        def number(name: str, default: int, lowest: int = 0, highest: int = 65535) -> int:
            text = given.get(name, str(default))
            if not text.isdecimal() or not lowest <= int(text) <= highest:
                raise OfflineError(
                    f"{name} must be a number from {lowest} to {highest}, not {text}."
                )
            return int(text)

        self.region = given.get("AWS_REGION", "us-east-1")
        self.of_application: dict[str, Any] = {
            "host": given.get("HOST", "127.0.0.1"),
            "port": number("PORT", 3000),
            "aws_host": given.get("AWS_HOST", "127.0.0.1"),
            "aws_port": number("AWS_PORT", 4566),
            "region": self.region,
            "concurrency": number("LOCAL_CONCURRENCY", 4, 1, 64),
            "metrics": given.get("LOCAL_METRICS", "0") != "0",
            "debug_port": number("DEBUG_PORT", 0) or None,
        }
        bridge = given.get("BRIDGE_HOST") or bridge_address()
        self.bridge = None if bridge == "127.0.0.1" else bridge
        self.postgres_port = number("POSTGRES_PORT", 5433)
        self.state = ROOT / given.get("LOCAL_STATE", ".local")
        self.keep = given.get("KEEP", "0") != "0"
        self.database_url = given.get("DATABASE_URL")
        self.dynamodb_url = given.get("AWS_ENDPOINT_URL_DYNAMODB")
