"""The schema of the PostgreSQL database: the numbered migrations in db/migrations."""

from pathlib import Path

import psycopg2

MIGRATIONS = Path(__file__).parent.parent / "db" / "migrations"


def load_schema(database_url: str) -> list[str]:
    """Apply the migrations that a database does not have yet, each with its own commit.

    Returns
    -------
    list[str]
        The names of the migrations that were applied.
    """
    connection = psycopg2.connect(database_url)
    try:
        return [
            path.stem
            for path in sorted(MIGRATIONS.glob("*.sql"))
            if _apply(connection, path.stem, path.read_text())
        ]
    finally:
        connection.close()


def _apply(connection: psycopg2.extensions.connection, name: str, statements: str) -> bool:
    with connection, connection.cursor() as cursor:
        # Two loaders at a time must not apply a migration twice.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('cruddur schema_migrations'))")
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS public.schema_migrations ("
            "name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT current_timestamp)"
        )
        cursor.execute(
            "INSERT INTO public.schema_migrations (name) VALUES (%s) ON CONFLICT DO NOTHING",
            (name,),
        )
        if not cursor.rowcount:
            return False
        cursor.execute(statements)
    return True
