"""Show who has a handle, to someone who wants to write to them.

GET /api/users/{handle}/short, for every user. One SELECT, if the user is not remembered.
"""

from http import HTTPStatus

from directory import connection, users
from runtime import api, environment, identity
from runtime.user import bare_handle

environment.at_start(connection.connect)


@api.handles("GET /api/users/{handle}/short")
def lambda_handler(request: api.Request) -> api.Response:
    """Answer with the user."""
    users.get_by_cognito_user_id(identity.subject(request))
    user = users.get_by_handle(bare_handle(request.parameters["handle"]))
    body = {"uuid": user.uuid, "handle": user.handle, "display_name": user.display_name}
    return api.Response(status=HTTPStatus.OK, body=body)
