"""Show who has a handle, to someone who wants to write to them.

GET /api/users/{handle}/short, for every user. One SELECT, if the user is not remembered.
"""

from http import HTTPStatus
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response

from directory import users
from runtime import api, identity
from runtime.user import bare_handle

app = api.create_app()


@app.get("/api/users/<handle>/short")
def get_user_short(handle: str) -> Response[str]:
    """Answer with the user."""
    users.get_by_cognito_user_id(identity.subject(app))
    user = users.get_by_handle(bare_handle(unquote(handle)))
    body = {"uuid": user.uuid, "handle": user.handle, "display_name": user.display_name}
    return api.json_response(HTTPStatus.OK, body)


lambda_handler = api.handler(app)
