"""The database user that the functions sign in as."""

from typing import TYPE_CHECKING

from psycopg2 import sql

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812  # it is a class

APP_USER = "cruddur_app"

# Functions come and go without saying goodbye; the server ends what they left open. Longer than
# an environment usually stays idle between two requests of a busy minute.
IDLE_SESSION = "5min"


def create_app_user(connection: "Connection") -> None:
    """Make the user, or bring it up to date: read and write users, nothing else.

    Where the server is RDS the user signs in by IAM token only.
    """
    user = sql.Identifier(APP_USER)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (APP_USER,))
        if not cursor.rowcount:
            cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(user))
        cursor.execute(
            sql.SQL("ALTER ROLE {} SET idle_session_timeout = {}").format(
                user, sql.Literal(IDLE_SESSION)
            )
        )
        cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(user))
        cursor.execute(sql.SQL("GRANT SELECT, INSERT, UPDATE ON public.users TO {}").format(user))
        cursor.execute("SELECT FROM pg_roles WHERE rolname = 'rds_iam'")
        if cursor.rowcount:
            cursor.execute(sql.SQL("GRANT rds_iam TO {}").format(user))
