"""A: list the messages of a message group, newest first.

GET /api/messages/{message_group_uuid}, for its members. One Query on ``MSG#<group>``; the first
time in an environment one GetItem of the group's MEMBERS before it.
"""

from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response

from directory import users
from messaging import bodies, message_groups, paging, repository
from runtime import api, identity

app = api.create_app()


@app.get("/api/messages/<message_group_uuid>")
def list_messages(message_group_uuid: str) -> Response[str]:
    """Answer with a page of messages."""
    caller = users.get_by_cognito_user_id(identity.subject(app))
    query = paging.query(app, sortable=True)
    page = message_groups.list_messages(
        repository.of_environment(), caller, unquote(message_group_uuid), query.page
    )
    return paging.page_response(app, page, query, bodies.message_body)


lambda_handler = api.handler(app)
