"""The local cloud from outside: how fast it starts and answers, and how much memory it takes.

    bin/python -m bench.local_cloud

By its commands alone, as somebody at a terminal has it, so that it may change inside.
"""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psutil

from bench.figures import table
from local.settings import ROOT

CLIENTS = 4
REQUESTS = 400
_READY = "local: ready at "


@dataclass(frozen=True, kw_only=True)
class LocalCloud:
    """Seconds to start from empty stores, requests a second by route, megabytes in the end."""

    start_seconds: float
    per_second: dict[str, float]
    megabytes: float


@dataclass(frozen=True, kw_only=True)
class Started:
    """A local cloud that runs: its process, the API's address, and what its commands need."""

    process: "subprocess.Popen[str]"
    url: str
    environment: dict[str, str]

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
def started() -> Iterator[Started]:
    """Start it with stores of its own, and stop it."""
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        environment = {**os.environ, "LOCAL_STATE": folder}
        environment |= dict.fromkeys(("PORT", "AWS_PORT", "POSTGRES_PORT"), "0")
        running = subprocess.Popen(
            [ROOT / "bin" / "python", "-m", "local"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Started(process=running, url=_ready(running), environment=environment)
        finally:
            running.send_signal(signal.SIGINT)
            running.communicate()


def measure() -> LocalCloud:
    """Start it, ask, and stop it."""
    began = time.monotonic()
    with started() as cloud:
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


def _ready(running: "subprocess.Popen[str]") -> str:
    for line in running.stdout or ():
        if line.startswith(_READY):
            return line.removeprefix(_READY).partition(";")[0]
    raise SystemExit("the local cloud did not start")


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
