"""B: list the caller's message groups, the one with the newest message first.

GET /api/message_groups, for every user. One Query of ``GRP#<caller>`` on
``message-group-list-index``.
"""

from aws_lambda_powertools.event_handler import Response

from directory import users
from messaging import bodies, message_groups, paging, repository
from runtime import api, identity

app = api.create_app()


@app.get("/api/message_groups")
def list_message_groups() -> Response[str]:
    """Answer with a page of message groups."""
    caller = users.get_by_cognito_user_id(identity.subject(app))
    query = paging.query(app)
    page = message_groups.list_message_groups(repository.of_environment(), caller, query.page)
    return paging.page_response(app, page, query, bodies.message_group_body)


lambda_handler = api.handler(app)
