"""Forget a connection that is closed.

$disconnect of the WebSocket API. One GetItem of the connection by its id, and one DeleteItem for
each of its two items.
"""

from messaging import live, repository
from runtime import environment, web_socket

environment.at_start(repository.of_environment)


@web_socket.handles("$disconnect")
def lambda_handler(event: web_socket.Event) -> None:
    """Delete what is noted of the connection."""
    live.forget_connection(repository.of_environment(), event.connection_id)
