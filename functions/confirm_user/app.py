"""Cognito's PostConfirmation and PostAuthentication: write who has confirmed into the directory.

This is done when they confirm, and again whenever they sign in, for those who confirmed while the
database did not answer; for all others it changes nothing. A new password and the ping do nothing.
"""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from directory import connection, triggers, users
from runtime import environment
from runtime.deadline import deadline
from runtime.ping import is_ping

logger = Logger()
environment.at_start(connection.connect)
# Cognito waits five seconds, a cold start included, and then refuses the sign-in.
SIGN_IN_SECONDS = 2.0


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the event as it came."""
    if is_ping(event):
        return event
    seconds = context.get_remaining_time_in_millis() / 1000
    match triggers.source(event, "PostConfirmation", "PostAuthentication"):
        case "PostConfirmation_ConfirmSignUp":
            deadline.start(seconds)
            users.register(users.Profile.from_trigger(event))
        case "PostAuthentication_Authentication":
            deadline.start(min(seconds, SIGN_IN_SECONDS))
            _register_who_signs_in(event)
    return event


def _register_who_signs_in(event: dict[str, Any]) -> None:
    """Register someone. If that fails, an alarm counts it, and they can sign in all the same."""
    try:
        users.register(users.Profile.from_trigger(event))
    except Exception as error:  # noqa: BLE001  # what is raised here refuses the sign-in
        # The message of the error may contain names; the user name is only an id.
        found = {"error": type(error).__name__, "cognito_user_id": event["userName"]}
        logger.error("not registered", extra=found)  # noqa: TRY400  # for the same reason
