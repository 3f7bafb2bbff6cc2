"""Settings of a function come from its environment; one that is missing is named.

The endpoint and the region are no settings of ours: boto3 reads ``AWS_ENDPOINT_URL`` and the
region itself, locally and in the cloud alike.
"""

from collections.abc import Mapping

from runtime.errors import MissingSettingError


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
