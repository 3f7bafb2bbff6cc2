"""Open a connection for hints.

$connect of the WebSocket API, for who has a ticket. One DeleteItem of the ticket, one Query of the
user's connections and one TransactWriteItems of the new one. If it replaces another, that one is
told so and closed.
"""

from datetime import UTC, datetime

from messaging import live, repository
from runtime import environment, web_socket

environment.at_start(repository.of_environment)


@web_socket.handles("$connect")
def lambda_handler(event: web_socket.Event) -> None:
    """Let the client in; without a good ticket the connection is refused."""
    now, ticket = datetime.now(UTC), event.query.get("ticket", "")
    replaced = live.open_connection(
        repository.of_environment(), ticket, event.connection_id, now=now
    )
    if replaced:
        live.close_replaced(web_socket.channel(), replaced, now=now)
