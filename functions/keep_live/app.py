"""Answer a ping, which keeps a connection open: the gateway closes one after ten idle minutes.

$default of the WebSocket API, for connected clients; whatever they send is a ping. One GetItem of
the connection by its id. One that has ended with its token is told so and closed.
"""

from datetime import UTC, datetime

from messaging import live, repository
from runtime import environment, web_socket

environment.at_start(repository.of_environment, web_socket.channel)


@web_socket.handles("$default")
def lambda_handler(event: web_socket.Event) -> None:
    """Answer with a pong."""
    live.keep_connection(
        repository.of_environment(),
        web_socket.channel(),
        event.connection_id,
        now=datetime.now(UTC),
    )
