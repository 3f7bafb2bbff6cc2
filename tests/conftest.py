"""Fixtures of every tier."""

import os
import signal
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import botocore.session
import hypothesis
import pytest
from botocore.loaders import JSONFileLoader, create_loader
from xdist.scheduler import LoadGroupScheduling

# Powertools reads these when a handler is imported.
os.environ["POWERTOOLS_SERVICE_NAME"] = "test"
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "test"

from runtime import environment
from runtime.deadline import deadline

# How long an example takes says nothing on a busy machine.
hypothesis.settings.register_profile("no clock", deadline=None)
hypothesis.settings.load_profile("no clock")

# Every test makes its own sessions of AWS's SDK. They need not each look for the descriptions of
# AWS's services and read them again: that took longer than most tests.
botocore.session.create_loader = cache(create_loader)
_read_json = cache(JSONFileLoader().load_file)
setattr(JSONFileLoader, "load_file", lambda _, file_path: _read_json(file_path))  # noqa: B010

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell's background job ignores Ctrl-C, and what the tests start and interrupt would, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class FileOrGroup(LoadGroupScheduling):  # type: ignore[misc]  # its package has no types
    """Gives a process one file at a time, or the tests of one group, in whatever files they are."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return scope.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileOrGroup | None:
    """With --dist loadgroup, which would spread the tests of a file."""
    return FileOrGroup(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.fixture(autouse=True)
def cold_start() -> Iterator[None]:
    """Every test begins in an environment that remembers nothing, and leaves none behind."""
    environment.renew()
    deadline.start(float("inf"))  # that of an invocation in the last test runs out in this one
    boto3.DEFAULT_SESSION = None  # it has the credentials of the test that made it
    yield
    environment.renew()


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
