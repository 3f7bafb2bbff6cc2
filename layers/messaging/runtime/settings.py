"""A function's settings, which are its environment variables.

The endpoint and the region are not among them: boto3 itself reads ``AWS_ENDPOINT_URL`` and the
region, on a laptop as in the cloud.
"""

from collections.abc import Mapping

from runtime.errors import MissingSettingError


def required(environment: Mapping[str, str], name: str) -> str:
    """Return the variable `name`; raise MissingSettingError when it is not set, or empty."""
    if value := environment.get(name):
        return value
    raise MissingSettingError(f"the environment variable {name} is not set")
