"""Mark a message group: how far its member has read, unread all the same, muted.

PATCH /api/message_groups/{message_group_uuid}, for its members. One UpdateItem of the caller's row,
and one TransactWriteItems for flags, if there is nothing else or they have read as far already. A
position in the future is looked up, by one GetItem. Then what GET does.
"""

from datetime import UTC, datetime
from http import HTTPStatus

from directory import connection, users
from messaging import bodies, marks, repository
from runtime import api, environment, identity

environment.at_start(repository.of_environment, connection.connect)


@api.handles("PATCH /api/message_groups/{message_group_uuid}")
def lambda_handler(request: api.Request) -> api.Response:
    """Answer with the message group as it is then."""
    caller = users.get_by_cognito_user_id(identity.subject(request))
    marking = bodies.parse_marking(request.json_body())
    group = marks.mark_message_group(
        repository.of_environment(),
        caller,
        request.parameters["message_group_uuid"],
        marking,
        now=datetime.now(UTC),
    )
    return api.Response(status=HTTPStatus.OK, body=bodies.marked_message_group_body(group))
