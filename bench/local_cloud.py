"""The local cloud from outside: how fast it starts and answers, and how much memory it takes.

    bin/python -m bench.local_cloud

It is used as from a terminal, so that its inside may change.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench.figures import table
from local.settings import ROOT

CLIENTS = 4
REQUESTS = 400


@dataclass(frozen=True, kw_only=True)
class LocalCloud:
    """Seconds to start from empty stores, requests a second by route, megabytes at the end."""

    start_seconds: float
    per_second: dict[str, float]
    megabytes: float


@dataclass(frozen=True, kw_only=True)
class Started:
    """A local cloud that runs: its process, its stack.json, and the environment for commands."""

    process: "subprocess.Popen[bytes]"
    stack: dict[str, Any]
    environment: dict[str, str]

    @property
    def url(self) -> str:
        """The address of the API."""
        return str(self.stack["ApiUrl"])

    def token(self, handle: str) -> str:
        """Return an access token of somebody of the seed."""
        return subprocess.run(
            [ROOT / "bin" / "cognito" / "token", handle],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def client(self, handle: str) -> httpx.Client:
        """Return a client of somebody who is signed in."""
        headers = {"Authorization": f"Bearer {self.token(handle)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)


@contextmanager
def started(folder: Path) -> Iterator[Started]:
    """Start a local cloud with its stores and its log in `folder`, and stop it in the end."""
    state = folder / "state"
    environment = {**os.environ, "LOCAL_STATE": str(state)}
    environment |= dict.fromkeys(("PORT", "AWS_PORT", "POSTGRES_PORT"), "0")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [ROOT / "bin" / "python", "-m", "local"], env=environment, stdout=log, stderr=log
        )
        try:
            stack = _stack(process, state / "stack.json")
            yield Started(process=process, stack=stack, environment=environment)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def _stack(process: "subprocess.Popen[bytes]", file: Path) -> dict[str, Any]:
    """Wait until the local cloud is ready; return its stack.json."""
    while not file.exists():
        if process.poll() is not None:
            raise SystemExit("the local cloud did not start")
        time.sleep(0.02)
    stack: dict[str, Any] = json.loads(file.read_text())
    return stack


def measure() -> LocalCloud:
    """Start a local cloud, send requests, and stop it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench") as folder, started(Path(folder)) as cloud:
        seconds = time.monotonic() - began
        with cloud.client("grahams") as client:
            groups = client.get("/api/message_groups").json()
            routes = {
                "A": f"/api/messages/{groups[0]['uuid']}",
                "B": "/api/message_groups",
            }
            speeds = {name: _per_second(client, route) for name, route in routes.items()}
        return LocalCloud(
            start_seconds=seconds, per_second=speeds, megabytes=_memory(cloud.process.pid)
        )


def _per_second(client: httpx.Client, route: str) -> float:
    def ask(_: int) -> None:
        client.get(route).raise_for_status()

    with ThreadPoolExecutor(CLIENTS) as executor:
        list(executor.map(ask, range(10 * CLIENTS)))  # every worker is warm from here on
        began = time.monotonic()
        list(executor.map(ask, range(REQUESTS)))
    return REQUESTS / (time.monotonic() - began)


def _memory(pid: int) -> float:
    process = psutil.Process(pid)
    every = [process, *process.children(recursive=True)]
    return sum(one.memory_info().rss for one in every) / 1e6


def report(cloud: LocalCloud) -> str:
    """Return it as a table in Markdown."""
    rows = [["start, s", f"{cloud.start_seconds:.1f}"]]
    rows += [[f"{name}, requests/s", f"{speed:.0f}"] for name, speed in cloud.per_second.items()]
    return table(["local cloud", ""], [*rows, ["memory, MB", f"{cloud.megabytes:.0f}"]])


if __name__ == "__main__":
    print(report(measure()))
