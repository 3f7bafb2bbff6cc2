"""The schema, loaded by way of a database's URL."""

import psycopg2

from administration.operations import perform


def load_schema(database_url: str) -> list[str]:
    """Apply the migrations that the database does not have yet; return their names.

    The functions' users have their rights afterwards, where the server has these users.
    """
    connection = psycopg2.connect(database_url)
    try:
        applied: list[str] = perform(connection, {"action": "migrate"})["applied"]
    finally:
        connection.close()
    return applied
