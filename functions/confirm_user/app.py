"""Cognito's PostConfirmation: write the user who has confirmed into the directory.

The trigger fires for a new password, too; nothing happens then.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from directory import triggers, users
from messaging.deadline import deadline


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the event as it came."""
    deadline.start(context.get_remaining_time_in_millis() / 1000)
    if triggers.source(event, "PostConfirmation") == "PostConfirmation_ConfirmSignUp":
        users.register(users.Profile.from_trigger(event))
    return event
