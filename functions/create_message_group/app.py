"""C: write to someone, in a new message group or in the one that the two have.

POST /api/message_groups, for every user. One TransactWriteItems; when the two have a group, it
fails and one PutItem follows, before which, the first time in an environment, one GetItem reads the
group's MEMBERS. A send that its client named has its SENT item in the same write.
"""

from datetime import UTC, datetime
from http import HTTPStatus

from directory import connection, users
from messaging import bodies, message_groups, repository
from runtime import api, environment, identity

environment.at_start(repository.of_environment, connection.connect)


@api.handles("POST /api/message_groups")
def lambda_handler(request: api.Request) -> api.Response:
    """Answer with the message: 201 in a new group, else 200."""
    sender = users.get_by_cognito_user_id(identity.subject(request))
    body, key = request.json_body(), request.headers.get("idempotency-key")
    handle, send = bodies.parse_send_to_user(body, sender, idempotency_key=key)
    receiver = users.get_by_handle(handle)
    result = message_groups.create_message_group(
        repository.of_environment(), sender, receiver, send, now=lambda: datetime.now(UTC)
    )
    return bodies.send_response(result, created=HTTPStatus.CREATED)
