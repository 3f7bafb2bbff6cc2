"""Give out a ticket, which opens a connection for hints.

POST /api/live, for every user. One TransactWriteItems of the ticket.
"""

import secrets
from datetime import UTC, datetime
from http import HTTPStatus

from directory import connection, users
from messaging import bodies, live, repository
from runtime import api, environment, identity, web_socket

environment.at_start(repository.of_environment, connection.connect)


@api.handles("POST /api/live")
def lambda_handler(request: api.Request) -> api.Response:
    """Answer with the ticket, and where to connect."""
    caller = users.get_by_cognito_user_id(identity.subject(request))
    ticket, ends = secrets.token_urlsafe(32), identity.token_expires_at(request)
    live.issue_ticket(
        repository.of_environment(), caller, ticket, token_expires_at=ends, now=datetime.now(UTC)
    )
    body = bodies.ticket_body(web_socket.url(), ticket, expires_at=ends)
    return api.Response(status=HTTPStatus.CREATED, body=body)
