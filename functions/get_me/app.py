"""Show the caller who they are, and what they have set for themselves.

GET /api/me, for every user. One GetItem of their SETTINGS.
"""

from http import HTTPStatus

from directory import connection, users
from messaging import bodies, repository
from runtime import api, environment, identity

environment.at_start(repository.of_environment, connection.connect)


@api.handles("GET /api/me")
def lambda_handler(request: api.Request) -> api.Response:
    """Answer with the user and their settings."""
    caller = users.get_by_cognito_user_id(identity.subject(request))
    settings = repository.of_environment().get_settings(caller.uuid)
    return api.Response(status=HTTPStatus.OK, body=bodies.me_body(caller, settings))
