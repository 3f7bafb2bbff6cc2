"""The schema, loaded by way of a database's URL."""

import psycopg2

from directory.schema import migrate


def load_schema(database_url: str) -> list[str]:
    """Apply the migrations that the database does not have yet; return their names."""
    connection = psycopg2.connect(database_url)
    try:
        return migrate(connection)
    finally:
        connection.close()
