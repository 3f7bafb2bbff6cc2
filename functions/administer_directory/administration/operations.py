"""What operators do to the directory. To do it again changes nothing more.

An operation takes and gives JSON values, and runs as one transaction. A private database is reached
by the function ``administer_directory`` only; on the local one the commands perform the same
operations themselves.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import connection as Connection  # noqa: N812  # it is a class
from psycopg2.extras import RealDictCursor, execute_batch

from administration import database_users, schema, sign_ins
from directory.statements import statement

type Values = dict[str, Any]
type Operation = Callable[[Connection, Values], Values]

# The statements of this package; those that the API has, too, are the directory's.
own = partial(statement, package="administration")


class OperationError(Exception):
    """An operation was not carried out; its text tells an operator why."""


def perform(connection: Connection, event: Mapping[str, Any]) -> Values:
    """Carry out the operation that the event's ``action`` names, with the event's other values.

    Raises OperationError when it cannot be done, or there is no such operation. Nothing is changed
    then.
    """
    operation = OPERATIONS.get(event["action"])
    if operation is None:
        raise OperationError(f"There is no action {event['action']}: is the stack up to date?")
    try:
        return operation(connection, dict(event))
    except (errors.UndefinedTable, errors.UndefinedFunction) as error:
        raise OperationError("The schema is not loaded: run bin/db/schema-load.") from error
    except (errors.CheckViolation, errors.UniqueViolation) as error:
        detail = error.diag.message_detail or error.diag.message_primary
        raise OperationError(f"The database refuses it: {detail}") from error


def perform_at(database_url: str, event: Mapping[str, Any]) -> Values:
    """Carry out an operation as `perform` does, over a connection of its own."""
    connection = psycopg2.connect(database_url)
    try:
        return perform(connection, event)
    finally:
        connection.close()


def _schema_load(connection: Connection, _: Values) -> Values:
    """Give {"applied": names of the migrations}; make the users of the functions, too."""
    database_users.create(connection)
    return _migrate(connection, _)


def _migrate(connection: Connection, _: Values) -> Values:
    """Give {"applied": names of the migrations}; bring the rights of the functions up to date."""
    applied = schema.migrate(connection)
    database_users.grant(connection)
    return {"applied": applied}


def _seed(connection: Connection, values: Values) -> Values:
    """Take `users` and `activities`, rows of their tables; give how many there are of each."""
    with connection, connection.cursor() as cursor:
        execute_batch(cursor, own("users/seed"), values["users"])
        execute_batch(cursor, own("activities/seed"), values["activities"])
    return {"users": len(values["users"]), "activities": len(values["activities"])}


def _sessions(connection: Connection, _: Values) -> Values:
    """Give {"sessions": [...]}, those of others on this database."""
    return {"sessions": _rows(connection, own("sessions/all"), {})}


def _kill_all(connection: Connection, _: Values) -> Values:
    """End the sessions of others on this database; give {"ended": how many}."""
    (row,) = _rows(connection, own("sessions/end_all"), {})
    return row


def _update_cognito_user_ids(connection: Connection, values: Values) -> Values:
    """Take `sign_ins` and `relink` (see `sign_ins.link`); give {"findings": [...]}."""
    with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(own("users/all_for_update"))
        rows = [sign_ins.Row(**row | {"uuid": str(row["uuid"])}) for row in cursor.fetchall()]
        found = [sign_ins.SignIn(**sign_in) for sign_in in values["sign_ins"]]
        findings = sign_ins.match(rows, found, relink=values["relink"])
        updated = [vars(f) for f in findings if f.state is sign_ins.State.UPDATED]
        # An id that changes rows is taken from the old one first: it is unique.
        ids = [finding["cognito_user_id"] for finding in updated]
        cursor.execute(own("users/unlink"), {"cognito_user_ids": ids})
        execute_batch(cursor, own("users/link"), updated)
    return {"findings": [vars(finding) | {"state": finding.state.value} for finding in findings]}


def _set_cognito_id(connection: Connection, values: Values) -> Values:
    """Take `handle` and `cognito_user_id`; give {"uuid", "handle"} of the row."""
    return _user(connection, own("users/link"), values)


def _find_user(connection: Connection, values: Values) -> Values:
    """Take `handle`; give {"uuid", "handle", "display_name"}."""
    return _user(connection, statement("users/short"), values)


def _user(connection: Connection, text: str, values: Values) -> Values:
    """Return the row that a statement finds by its handle."""
    if found := _rows(connection, text, values):
        return found[0]
    raise OperationError(f"There is no user {values['handle']}.")


def _register(connection: Connection, values: Values) -> Values:
    """Take a profile (`users.Profile`); give {"uuid"} of the row it has now."""
    # The operator vouches for the address.
    found = _rows(connection, statement("users/register"), values | {"email_is_proven": True})
    if not found:
        raise OperationError(f"The handle {values['handle']} is somebody else's.")
    return {"uuid": found[0]["uuid"]}


def _rows(connection: Connection, text: str, values: Values) -> list[Values]:
    """Run a statement in a transaction of its own; return its rows as JSON values."""
    with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(text, values)
        rows = cursor.fetchall()
    return [{key: _json(value) for key, value in row.items()} for row in rows]


def _json(value: Any) -> Any:
    return value if value is None or isinstance(value, int | str) else str(value)


OPERATIONS: dict[str, Operation] = {
    "schema-load": _schema_load,
    "migrate": _migrate,
    "seed": _seed,
    "sessions": _sessions,
    "kill-all": _kill_all,
    "update_cognito_user_ids": _update_cognito_user_ids,
    "set-cognito-id": _set_cognito_id,
    "find-user": _find_user,
    "register": _register,
}
