"""``bin/db/create``, ``drop`` and ``setup``: the database itself, on this machine only."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from psycopg2 import errors, sql

from commands import database
from commands.command import Run
from commands.db.schema import schema_load
from commands.db.seed import seed
from commands.db.sign_ins import link_sign_ins
from commands.errors import CommandError
from commands.output import quantity
from commands.terminal import note

# Every server has this database. To drop another one, a session must not be connected to it.
_MAINTENANCE = "postgres"


def create(run: Run) -> None:
    """Make an empty database. Refused on AWS, where the stack makes it."""
    url = _local_url(run)
    name = _name(url)
    try:
        _execute(url, "CREATE DATABASE {}")
        run.output.result(f"Made the database {name}.", database=name, made=True)
    except errors.DuplicateDatabase:
        run.output.result(f"The database {name} is there.", database=name, made=False)


def drop(run: Run) -> None:
    """Drop the database with all users. Refused on AWS, where the stack owns it.

    It ends all sessions on the database; the functions connect again by themselves.
    """
    url = _local_url(run)
    name = _name(url)
    note(f"This deletes the database {name} with {quantity(_users(url), 'user')}.")
    _execute(url, "DROP DATABASE IF EXISTS {} WITH (FORCE)")
    run.output.result(f"Dropped the database {name}.", database=name, dropped=True)


def setup(run: Run) -> None:
    """Start again: drop, create, schema-load, seed, and link the sign-ins of the pool.

    The uuids of the seeded users are always the same, so that conversations keep their members.
    """
    _local_url(run)
    for step in (drop, create, schema_load, seed):
        step(run)
    link_sign_ins(run, relink=False)


def _local_url(run: Run) -> str:
    if run.target.on_aws:
        raise CommandError(
            "On AWS the stack owns the database: it is made and deleted with it; "
            "bin/db/migrate and bin/db/seed work there."
        )
    url = run.target.output("DatabaseUrl")
    if not database.is_of_this_machine(url):
        raise CommandError(
            f"The local cloud uses a database on {urlsplit(url).hostname}, which others may use: "
            "create and drop it there."
        )
    return url


def _name(url: str) -> str:
    return urlsplit(url).path.lstrip("/")


def _execute(url: str, statement: str) -> None:
    """Run a statement about the database at `url`, from a session on another database."""
    connection = database.connect(urlunsplit(urlsplit(url)._replace(path=f"/{_MAINTENANCE}")))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(sql.Identifier(_name(url))))
    finally:
        connection.close()


def _users(url: str) -> Any:
    """Return how many users there are, 0 where there is no database or no schema."""
    try:
        connection = database.connect(url)
    except database.NoDatabaseError:
        return 0
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM public.users")
            (count,) = cursor.fetchone()
            return count
    except errors.UndefinedTable:
        return 0
    finally:
        connection.close()
