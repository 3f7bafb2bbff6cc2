"""The schema of the database: the numbered migrations beside this module, in their order."""

from importlib.resources import files

from psycopg2.extensions import connection as Connection  # noqa: N812  # it is a class


def migrations() -> dict[str, str]:
    """Return the statements of every migration by its name, in the order to apply them."""
    folder = files("administration").joinpath("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return {name.removesuffix(".sql"): folder.joinpath(name).read_text() for name in names}


def migrate(connection: Connection) -> list[str]:
    """Apply the migrations that the database does not have yet, each with its own commit.

    Return their names.
    """
    return [
        name for name, statements in migrations().items() if _apply(connection, name, statements)
    ]


def _apply(connection: Connection, name: str, statements: str) -> bool:
    with connection, connection.cursor() as cursor:
        # Two of these at the same time must not apply a migration twice.
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
