"""Connections on which a user is told that something has changed.

A browser cannot set headers for a WebSocket, and a token does not belong into a URL. So the API
gives out a ticket, which opens one connection. A connection ends with the token that the ticket was
given for.

Every function may raise `TryAgainError`.
"""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta

from messaging.entities import Connection, Ticket
from messaging.repository import Repository
from runtime.errors import TryAgainError, UnauthorizedError
from runtime.user import User
from runtime.web_socket import Channel

TICKET_FOR = timedelta(seconds=30)

# Of those that race for the slots of one user one wins each time, whoever else does not.
ATTEMPTS = 2 * Connection.SLOTS

PONG = {"type": "pong"}
EXPIRED = {"type": "closing", "reason": "expired"}
REPLACED = {"type": "closing", "reason": "replaced"}


def issue_ticket(
    repository: Repository,
    user: User,
    secret: str,
    *,
    token_expires_at: datetime,
    now: datetime,
) -> None:
    """Let `secret` open one connection of the user, soon."""
    ticket = Ticket(
        digest=Ticket.digest_of(secret),
        user_uuid=user.uuid,
        expires_at=min(now + TICKET_FOR, token_expires_at),
        token_expires_at=token_expires_at,
    )
    repository.put_ticket(ticket)


def open_connection(
    repository: Repository, secret: str, connection_id: str, *, now: datetime
) -> Connection | None:
    """Take the ticket with this secret, and note the connection as one of its user.

    If they have as many as there are slots, it replaces one that has ended, or the oldest, which
    is returned and has to be closed.

    Raises
    ------
    UnauthorizedError
        There is no such ticket, or not any more.
    """
    ticket = repository.take_ticket(Ticket.digest_of(secret), now=now)
    if ticket is None:
        raise UnauthorizedError
    return _take_slot(repository, ticket, connection_id, now)


def keep_connection(
    repository: Repository, channel: Channel, connection_id: str, *, now: datetime
) -> None:
    """Answer a ping, or close a connection that has ended or is not known any more."""
    connection = repository.get_connection(connection_id)
    if connection and connection.expires_at > now:
        channel.send(connection_id, PONG)
        return
    _close(channel, connection_id, EXPIRED)
    if connection:
        repository.delete_connection(connection)


def forget_connection(repository: Repository, connection_id: str) -> None:
    """Delete what is noted of a connection that is closed."""
    if connection := repository.get_connection(connection_id):
        repository.delete_connection(connection)


def close_replaced(channel: Channel, connection: Connection, *, now: datetime) -> None:
    """Close a connection that another has replaced."""
    _close(channel, connection.connection_id, REPLACED if connection.expires_at > now else EXPIRED)


def close_expired(repository: Repository, channel: Channel, connection: Connection) -> None:
    """Close a connection that has ended, and forget it."""
    _close(channel, connection.connection_id, EXPIRED)
    repository.delete_connection(connection)


def _close(channel: Channel, connection_id: str, reason: Mapping[str, str]) -> None:
    """Tell a client why its connection is closed, and close it."""
    channel.send(connection_id, reason)
    channel.close(connection_id)


def _take_slot(
    repository: Repository, ticket: Ticket, connection_id: str, now: datetime
) -> Connection | None:
    """Write the connection into a slot; return the one that was there."""
    for _ in range(ATTEMPTS):
        standing = repository.list_connections(ticket.user_uuid)
        if any(connection.connection_id == connection_id for connection in standing):
            return None  # the answer to the write was lost
        free = set(range(Connection.SLOTS)) - {connection.slot for connection in standing}
        replaced = (
            None if free else min(standing, key=lambda c: (c.expires_at > now, c.connected_at))
        )
        connection = Connection(
            user_uuid=ticket.user_uuid,
            # Not the first: those who race would all take that.
            slot=replaced.slot if replaced else random.choice(sorted(free)),  # noqa: S311  # no secret
            connection_id=connection_id,
            connected_at=now,
            expires_at=ticket.token_expires_at,
        )
        if repository.put_connection(connection, replaced=replaced):
            return replaced
    raise TryAgainError
