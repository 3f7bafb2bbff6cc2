"""D: go on writing in an existing message group.

POST /api/messages, for the group's members. One PutItem; before it, the first time in an
environment, one GetItem of the group's MEMBERS. A send that its client named is one
TransactWriteItems of the message and its SENT item. With a handle in place of the group it does
what C does, since the form of the bootcamp's application sends every message here.
"""

from datetime import UTC, datetime

from directory import connection, users
from messaging import bodies, message_groups, repository
from runtime import api, environment, identity

environment.at_start(repository.of_environment, connection.connect)


@api.handles("POST /api/messages")
def lambda_handler(request: api.Request) -> api.Response:
    """Answer with the message, always 200: the bootcamp's client takes nothing else."""
    sender = users.get_by_cognito_user_id(identity.subject(request))
    body, key = request.json_body(), request.headers.get("idempotency-key")
    if parsed := bodies.parse_send_to_group(body, idempotency_key=key):
        group, send = parsed
        result = message_groups.create_message(
            repository.of_environment(), sender, group, send, now=lambda: datetime.now(UTC)
        )
    else:
        handle, send = bodies.parse_send_to_user(body, sender, idempotency_key=key)
        result = message_groups.create_message_group(
            repository.of_environment(),
            sender,
            users.get_by_handle(handle),
            send,
            now=lambda: datetime.now(UTC),
        )
    return bodies.send_response(result)
