"""Cognito's PreSignUp: refuse a handle that is malformed or taken.

After confirmation it is too late: the user exists then, and cannot sign up again.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from directory import connection, triggers, users
from runtime import environment
from runtime.deadline import deadline
from runtime.ping import is_ping

environment.at_start(connection.connect)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the event as it came, or raise what is wrong with the sign-up."""
    if not is_ping(event):
        deadline.start(context.get_remaining_time_in_millis() / 1000)
        triggers.source(event, "PreSignUp")
        users.check_sign_up(users.Profile.from_trigger(event))
    return event
