"""Show who has a handle, to someone who wants to write to them.

GET /api/users/{handle}/short, for every user. One SELECT when it is not remembered.
"""

from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response

from directory import users
from messaging import api

app = api.create_app()


@app.get("/api/users/<handle>/short")
def get_user_short(handle: str) -> Response[str]:
    """Answer with the user."""
    users.get_by_cognito_user_id(api.subject(app))
    return api.user_response(users.get_by_handle(api.bare_handle(unquote(handle))))


lambda_handler = api.handler(app)
