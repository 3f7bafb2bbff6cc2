"""Unit tests are pure: no network, no clock to wait for."""

import pytest
from pytest_socket import disable_socket

from tests.fakes.memory_repository import MemoryRepository


@pytest.fixture(autouse=True)
def no_network() -> None:
    disable_socket(allow_unix_socket=True)


@pytest.fixture
def repository() -> MemoryRepository:
    return MemoryRepository()
