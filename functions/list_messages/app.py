"""A: list the messages of a message group, newest first.

GET /api/messages/{message_group_uuid}, for its members. One Query on ``MSG#<group>``; the first
time in an environment one GetItem of the group's MEMBERS before it.
"""

from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response

from directory import users
from messaging import api, message_groups, repository

app = api.create_app()


@app.get("/api/messages/<message_group_uuid>")
def list_messages(message_group_uuid: str) -> Response[str]:
    """Answer with a page of messages."""
    caller = users.get_by_cognito_user_id(api.subject(app))
    query = api.query(app, sortable=True)
    page = message_groups.list_messages(
        repository.of_environment(), caller, unquote(message_group_uuid), query.page
    )
    return api.page_response(app, page, query, api.message_body)


lambda_handler = api.handler(app)
