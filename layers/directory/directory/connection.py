"""One connection to PostgreSQL in each environment, made when it is first needed.

The server cancels a statement that takes too long, and the client gives up on a server that does
not answer. So a call waits at most 3.5 s (for a kept connection that is dead, for a new one, and
for its answer), and never longer than its invocation lasts. No time is demanded in advance: after a
slow cold start a call still succeeds when the server is healthy.
"""

import os
import select
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import psycopg2
from psycopg2 import extensions

from directory.config import DatabaseSettings
from directory.errors import DatabaseError
from runtime import environment
from runtime.deadline import Deadline, deadline
from runtime.errors import TryAgainError

CONNECT_SECONDS = 1.5
ANSWER_SECONDS = 1.0

_MILLISECONDS = 1000

type Row = dict[str, Any]


class Database:
    """A database, and the connection to it that is kept."""

    def __init__(self, settings: DatabaseSettings, *, deadline: Deadline) -> None:
        self._settings = settings
        self._deadline = deadline
        self._connection: extensions.connection | None = None

    def fetch_one(self, statement: str, parameters: Mapping[str, Any]) -> Row | None:
        """Run `statement` in a transaction of its own; return its first row.

        When the kept connection breaks it may run twice, or succeed without an answer. Both must do
        no harm.

        Raises
        ------
        TryAgainError
            The database does not answer.
        DatabaseError
            It refuses the statement. Why is left out, since that text contains the values.
        """
        try:
            return self._fetch(statement, parameters)
        except psycopg2.Error as error:
            raise DatabaseError(type(error).__name__) from None

    def connect(self) -> None:
        """Connect now, so that the first statement does not have to.

        Raises TryAgainError when the database does not answer; a statement then tries again.
        """
        try:
            self._connection = _connect(self._settings, self._deadline)
        except psycopg2.OperationalError as error:
            raise TryAgainError from error

    def _fetch(self, statement: str, parameters: Mapping[str, Any]) -> Row | None:
        self._deadline.require(0)  # since a statement is sent before the first wait
        kept = self._connection is not None
        try:
            return self._fetch_one(statement, parameters)
        except psycopg2.extensions.QueryCanceledError as error:
            raise TryAgainError from error
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            self._close()
            if not kept:
                raise TryAgainError from error
        try:
            return self._fetch_one(statement, parameters)
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            self._close()
            raise TryAgainError from error

    def _fetch_one(self, statement: str, parameters: Mapping[str, Any]) -> Row | None:
        if self._connection is None or self._connection.closed:
            self._connection = _connect(self._settings, self._deadline)
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            row = cursor.fetchone()
            if row is None:
                return None
            names = [column.name for column in cursor.description or ()]
        return dict(zip(names, row, strict=True))

    def _close(self) -> None:
        if self._connection is not None and not self._connection.closed:
            self._connection.close()
        self._connection = None


class _Connection(extensions.connection):
    """A connection that knows when the invocation ends, which `_wait` asks for."""

    def __init__(self, *arguments: Any, deadline: Deadline, **options: Any) -> None:
        self.deadline = deadline
        super().__init__(*arguments, **options)  # which connects


def _connect(settings: DatabaseSettings, deadline: Deadline) -> extensions.connection:
    connection: extensions.connection = psycopg2.connect(
        **settings.connection_arguments(),
        connection_factory=partial(_Connection, deadline=deadline),
        application_name="cruddur-messages",
        options=f"-c statement_timeout={int(ANSWER_SECONDS * _MILLISECONDS)}",
        tcp_user_timeout=int(ANSWER_SECONDS * _MILLISECONDS),
        keepalives=1,
        keepalives_idle=30,
        keepalives_interval=5,
        keepalives_count=3,
    )
    connection.autocommit = True
    return connection


def _wait(connection: extensions.connection) -> None:
    """Wait for a connection or an answer; psycopg2 calls this wherever it would block.

    libpq has no limit for an answer. A server process that is stopped while its kernel still
    acknowledges packets would hold the function until Lambda kills it.
    """
    end = None
    if isinstance(connection, _Connection):  # what else connects in this process has its own limits
        opened = connection.status != extensions.STATUS_SETUP
        seconds = ANSWER_SECONDS if opened else CONNECT_SECONDS
        end = time.monotonic() + connection.deadline.bound(seconds)
    while (state := connection.poll()) != extensions.POLL_OK:
        readable = [connection.fileno()] if state == extensions.POLL_READ else []
        writable = [connection.fileno()] if state == extensions.POLL_WRITE else []
        left = None if end is None else end - time.monotonic()
        late = left is not None and left <= 0
        if late or not any(select.select(readable, writable, [], left)):
            raise psycopg2.OperationalError("the server does not answer")


extensions.set_wait_callback(_wait)


@environment.once
def database() -> Database:
    """Return the database that the environment's variables name."""
    return Database(DatabaseSettings.from_environment(os.environ), deadline=deadline)


def connect() -> None:
    """Make the connection of this environment now; raise TryAgainError when it cannot be had."""
    database().connect()
