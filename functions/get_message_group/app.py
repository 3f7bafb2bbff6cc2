"""Show one message group as its member sees it, and how far both members have read.

GET /api/message_groups/{message_group_uuid}, for its members. One BatchGetItem of both members'
rows and settings, and one Query on ``MSG#<group>`` if something is unread; the first time in an
environment one GetItem of the group's MEMBERS before them.
"""

from http import HTTPStatus

from directory import connection, users
from messaging import bodies, marks, repository
from runtime import api, environment, identity

environment.at_start(repository.of_environment, connection.connect)


@api.handles("GET /api/message_groups/{message_group_uuid}")
def lambda_handler(request: api.Request) -> api.Response:
    """Answer with the message group."""
    caller = users.get_by_cognito_user_id(identity.subject(request))
    group = marks.get_message_group(
        repository.of_environment(), caller, request.parameters["message_group_uuid"]
    )
    return api.Response(status=HTTPStatus.OK, body=bodies.marked_message_group_body(group))
