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
    """The settings of a run; a port of 0 stands for any free one.

    Attributes
    ----------
    of_application
        Arguments of `Offline`.
    database_url
        Empty if the local cloud has to start PostgreSQL itself.
    bridge
        The address for containers; None if it is 127.0.0.1.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Raise OfflineError for a value that is no number or out of range.

        An empty variable counts as unset, as it does for boto3.
        """

        def text(name: str, default: str) -> str:
            return environment.get(name) or default

        def number(name: str, default: int, lowest: int = 0, highest: int = 65535) -> int:
            given = text(name, str(default))
            if not given.isdecimal() or not lowest <= int(given) <= highest:
                raise OfflineError(
                    f"{name} must be a number from {lowest} to {highest}, not {given}."
                )
            return int(given)

        self.region = text("AWS_REGION", "us-east-1")
        self.of_application: dict[str, Any] = {
            "host": text("HOST", "127.0.0.1"),
            "port": number("PORT", 3000),
            "aws_host": text("AWS_HOST", "127.0.0.1"),
            "aws_port": number("AWS_PORT", 4566),
            "region": self.region,
            "concurrency": number("LOCAL_CONCURRENCY", 4, 1, 64),
            "metrics": text("LOCAL_METRICS", "0") != "0",
            "debug_port": number("DEBUG_PORT", 0) or None,
        }
        bridge = text("BRIDGE_HOST", bridge_address() or "127.0.0.1")
        self.bridge = None if bridge == "127.0.0.1" else bridge
        self.postgres_port = number("POSTGRES_PORT", 5433)
        self.state = ROOT / text("LOCAL_STATE", ".local")
        self.keep = text("KEEP", "0") != "0"
        self.database_url = text("DATABASE_URL", "")
        self.functions_proxy = text("FUNCTIONS_PROXY", "")
