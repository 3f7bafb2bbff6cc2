"""B: list the caller's message groups, the one with the newest message first.

GET /api/message_groups, for every user. One Query of ``GRP#<caller>`` on
``message-group-list-index``.
"""

from directory import connection, users
from messaging import bodies, message_groups, paging, repository
from runtime import api, environment, identity

environment.at_start(repository.of_environment, connection.connect)


@api.handles("GET /api/message_groups")
def lambda_handler(request: api.Request) -> api.Response:
    """Answer with a page of message groups."""
    caller = users.get_by_cognito_user_id(identity.subject(request))
    query = paging.query(request)
    page = message_groups.list_message_groups(repository.of_environment(), caller, query.page)
    return paging.page_response(request, page, query, bodies.message_group_body)
