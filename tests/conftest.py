"""Fixtures of every tier."""

import os
from collections.abc import Callable, Iterator

import pytest

# Powertools reads these when a handler is imported.
os.environ["POWERTOOLS_SERVICE_NAME"] = "test"
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "test"

from directory import connection, users
from messaging import config, message_groups, repository


@pytest.fixture(autouse=True)
def cold_start() -> Iterator[None]:
    """Every test begins in an environment that remembers nothing, and leaves none behind."""
    forget()
    yield
    forget()


def forget() -> None:
    message_groups._members.cache_clear()
    users._by_cognito_user_id.cache_clear()
    users._by_handle.cache_clear()
    config.settings.cache_clear()
    connection.database.cache_clear()
    repository.of_environment.cache_clear()


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say something in the summary of the run, also from a worker process."""
    return lambda text: record_property("tell", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests had to tell."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, text in report.user_properties:
                if name == "tell" and report.when == "call":
                    terminalreporter.write_line(str(text))
