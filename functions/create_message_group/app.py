"""C: write to someone, in a new message group or in the one that the two have.

POST /api/message_groups, for every user. One TransactWriteItems; when the two have a group, it
fails and one PutItem follows. A send that its client named has its SENT item in the same write.
"""

from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from directory import users
from messaging import bodies, message_groups, repository
from runtime import api, identity

app = api.create_app()


@app.post("/api/message_groups")
def create_message_group() -> Response[str]:
    """Answer with the message: 201 in a new group, else 200."""
    sender = users.get_by_cognito_user_id(identity.subject(app))
    handle, request = bodies.parse_send_to_user(api.json_body(app), sender)
    result = message_groups.create_message_group(
        repository.of_environment(),
        sender,
        users.get_by_handle(handle),
        request,
        now=datetime.now(UTC),
    )
    return bodies.send_response(result, created=HTTPStatus.CREATED)


lambda_handler = api.handler(app)
