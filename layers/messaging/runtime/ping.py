"""The daily ping: template.yaml calls every function in the VPC once a day.

Otherwise Lambda shuts down a function that nobody calls for weeks, and then fails the next call.
"""

from typing import Any


def is_ping(event: Any) -> bool:
    """Tell whether `event` is the ping, which asks the function for nothing."""
    return isinstance(event, dict) and event.get("source") == "aws.events"
