"""Settings of a function: read once from the environment, missing ones named."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Self

from messaging.errors import MissingSettingError


def required(environment: Mapping[str, str], name: str) -> str:
    """Return the variable `name`.

    Raises
    ------
    MissingSettingError
        It is not set, or empty.
    """
    if value := environment.get(name):
        return value
    raise MissingSettingError(f"the environment variable {name} is not set")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the messaging layer needs to know of where it runs.

    The endpoint and the region are not here: boto3 reads ``AWS_ENDPOINT_URL`` and
    ``AWS_DEFAULT_REGION`` itself, which Lambda and the local cloud set alike.
    """

    table_name: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the settings in `environment`."""
        return cls(table_name=required(environment, "TABLE_NAME"))


@cache
def settings() -> Settings:
    """Return the settings of this process, read on first use."""
    return Settings.from_environment(os.environ)
