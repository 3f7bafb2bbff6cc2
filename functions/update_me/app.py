"""Change what the caller has set for themselves.

PATCH /api/me, for every user. One TransactWriteItems of their SETTINGS.
"""

from http import HTTPStatus

from directory import connection, users
from messaging import bodies, repository
from runtime import api, environment, identity

environment.at_start(repository.of_environment, connection.connect)


@api.handles("PATCH /api/me")
def lambda_handler(request: api.Request) -> api.Response:
    """Answer with the user and their settings."""
    caller = users.get_by_cognito_user_id(identity.subject(request))
    settings = bodies.parse_settings(request.json_body(), caller)
    repository.of_environment().put_settings(settings)
    return api.Response(status=HTTPStatus.OK, body=bodies.me_body(caller, settings))
