"""Fixtures of every tier."""

import os
from collections.abc import Iterator

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
