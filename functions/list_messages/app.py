"""A: list the messages of a message group, newest first.

GET /api/messages/{message_group_uuid}, for its members. One Query on ``MSG#<group>``; the first
time in an environment one GetItem of the group's MEMBERS before it.
"""

from directory import connection, users
from messaging import bodies, message_groups, paging, repository
from runtime import api, environment, identity

environment.at_start(repository.of_environment, connection.connect)


@api.handles("GET /api/messages/{message_group_uuid}")
def lambda_handler(request: api.Request) -> api.Response:
    """Answer with a page of messages."""
    caller = users.get_by_cognito_user_id(identity.subject(request))
    query = paging.query(request, sortable=True)
    page = message_groups.list_messages(
        repository.of_environment(), caller, request.parameters["message_group_uuid"], query.page
    )
    return paging.page_response(request, page, query, bodies.message_body)
