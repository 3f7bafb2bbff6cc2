"""The database users that the functions sign in as, and what each may do.

`APP` reads, for the API. `SIGN_UP` writes who signs up, through one function of the database.
Neither can change an account that somebody has. Only the database's owner can, whose password only
operators and deployments can read.
"""

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812  # it is a class
from psycopg2.extensions import cursor as Cursor  # noqa: N812  # it is a class

APP = "cruddur_app"
SIGN_UP = "cruddur_sign_up"

RIGHTS = {
    APP: ["SELECT (uuid, handle, display_name, cognito_user_id) ON public.users"],
    SIGN_UP: [
        "SELECT (uuid, handle, email, cognito_user_id) ON public.users",
        "EXECUTE ON FUNCTION public.register_user",
    ],
}

# Lambda ends environments without closing their connections, so the server does. This is longer
# than an environment in use is usually idle.
IDLE_SESSION = "5min"


def create(connection: Connection) -> None:
    """Make the users that are missing, and bring all of them up to date, except for their rights.

    On RDS they can sign in with an IAM token only.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_roles WHERE rolname = 'rds_iam'")
        iam = cursor.rowcount > 0
        there = _existing(cursor)
        for name in RIGHTS:
            user = sql.Identifier(name)
            if name not in there:
                cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(user))
            cursor.execute(
                sql.SQL("ALTER ROLE {} SET idle_session_timeout = {}").format(
                    user, sql.Literal(IDLE_SESSION)
                )
            )
            if iam:
                cursor.execute(sql.SQL("GRANT rds_iam TO {}").format(user))


def grant(connection: Connection) -> None:
    """Give the users their rights on the migrated schema, and take away every other.

    On a developer's own PostgreSQL there may be no such users; functions are the owner there.
    """
    with connection, connection.cursor() as cursor:
        for name in _existing(cursor):
            user = sql.Identifier(name)
            cursor.execute(sql.SQL("REVOKE ALL ON public.users FROM {}").format(user))
            cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(user))
            for right in RIGHTS[name]:
                cursor.execute(sql.SQL("GRANT {} TO {}").format(sql.SQL(right), user))


def _existing(cursor: Cursor) -> list[str]:
    cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", (list(RIGHTS),))
    return [name for (name,) in cursor.fetchall()]
