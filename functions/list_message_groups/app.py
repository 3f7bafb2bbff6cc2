"""B: list the caller's message groups, the one with the newest message first.

GET /api/message_groups, for every user. One Query of ``GRP#<caller>`` on
``message-group-list-index``. With ``counts=true`` another one on ``MSG#<group>``, side by side, for
each group of the page in which the other member has written something unread.
"""

from directory import connection, users
from messaging import bodies, marks, message_groups, paging, repository
from runtime import api, environment, identity

environment.at_start(repository.of_environment, connection.connect)


@api.handles("GET /api/message_groups")
def lambda_handler(request: api.Request) -> api.Response:
    """Answer with a page of message groups."""
    caller = users.get_by_cognito_user_id(identity.subject(request))
    query = paging.query(request, countable=True)
    table = repository.of_environment()
    page = message_groups.list_message_groups(table, caller, query.page)
    counts = marks.count_unread(table, page.rows) if query.counts else {}
    return paging.page_response(
        request,
        page,
        query,
        lambda row: bodies.message_group_body(row, unread_count=counts.get(row.message_group_uuid)),
    )
