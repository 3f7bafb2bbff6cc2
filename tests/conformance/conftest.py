"""What any deployment has to do: tests that need its address and the tokens of two people.

Only with `make conformance`, which takes API, TOKEN and OTHER_TOKEN from the environment. It ends
with a table of what holds. Where LOG names a file to which the functions' logs are written
meanwhile, nothing of what these tests send may stand in it.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import contract, logs

collect_ignore_glob = [] if os.environ.get("API") else ["test_*.py"]


@dataclass(frozen=True, kw_only=True)
class Person:
    """Someone with a token; every answer that they get is held against the contract."""

    client: httpx.Client
    handle: str

    def get(self, target: str) -> httpx.Response:
        return self.client.get(target)

    def post(self, target: str, *, headers: dict[str, str] | None = None, **body: Any) -> Any:
        return self.client.post(target, json=body, headers=headers)

    def patch(self, target: str, **body: Any) -> httpx.Response:
        return self.client.patch(target, json=body)


def client(**headers: str) -> httpx.Client:
    return httpx.Client(
        base_url=os.environ["API"],
        headers=headers,
        timeout=35,
        event_hooks={"request": [logs.note_request], "response": [contract.hold]},
    )


def person(variable: str) -> Iterator[Person]:
    with client(Authorization=f"Bearer {os.environ[variable]}") as signed_in:
        yield Person(client=signed_in, handle=signed_in.get("/api/me").json()["handle"])


@pytest.fixture(scope="session", autouse=True)
def log() -> Iterator[None]:
    """Hold what was logged against what never may be, after the last test."""
    yield
    if path := os.environ.get("LOG"):
        logs.check(Path(path).read_text(errors="replace"))


@pytest.fixture(scope="session")
def nobody() -> Iterator[httpx.Client]:
    """Someone without a token."""
    with client() as anonymous:
        yield anonymous


@pytest.fixture(scope="session")
def one() -> Iterator[Person]:
    yield from person("TOKEN")


@pytest.fixture(scope="session")
def other() -> Iterator[Person]:
    yield from person("OTHER_TOKEN")


@pytest.fixture
def group(one: Person, other: Person) -> str:
    """The message group of the two, with a message of each."""
    sent = one.post("/api/message_groups", handle=other.handle, message="Good morning, neighbour")
    group = str(sent.json()["message_group_uuid"])
    assert (
        other.post(
            "/api/messages", message_group_uuid=group, message="Good morning to you"
        ).status_code
        == 200
    )
    return group


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    function = getattr(item, "function", None)
    report.user_properties.append(("holds", (function and function.__doc__) or item.name))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    rows = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            if report.when == "call" or outcome != "passed":
                rows[report.nodeid] = (outcome, dict(report.user_properties)["holds"])
    terminalreporter.write_line("")
    terminalreporter.write_line(f"What holds at {os.environ['API']}:")
    for outcome, sentence in rows.values():
        terminalreporter.write_line(f"  {'yes' if outcome == 'passed' else 'NO '}  {sentence}")
