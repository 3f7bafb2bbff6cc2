"""``bin/db/sessions``, ``kill-all`` and ``connect``: sessions on the database, and psql."""

import os
import shutil
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

import typer

from commands import database
from commands.command import Run
from commands.errors import CommandError
from commands.output import quantity
from commands.postgresql import programs_folder
from commands.targets import Target
from directory.config import RDS_CERTIFICATES


def sessions(run: Run) -> None:
    """List the sessions on the database, without their statements."""
    run.output.table(
        database.perform(run.target, "sessions")["sessions"],
        ["pid", "user", "application", "client", "state", "since", "changed"],
        empty="Nobody is connected.",
    )


def kill_all(run: Run) -> None:
    """End all other sessions on the database; the functions connect again by themselves."""
    run.confirm("This ends all sessions on the database.")
    ended = database.perform(run.target, "kill-all")["ended"]
    run.output.result(f"Ended {quantity(ended, 'session')}.", ended=ended)


def connect(
    run: Run,
    *,
    statement: Annotated[
        str, typer.Option("--command", "-c", help="Execute this statement, then leave.")
    ] = "",
) -> None:
    """Open psql on the database, with the psql of this project if you have none.

    On AWS the database has to be public (DatabasePublic) and opened to your address by
    bin/rds/update-sg-rule. --json only prints where it would connect.
    """
    if statement and run.output.as_json:
        raise typer.BadParameter("--json only prints where it would connect: leave out --command")
    arguments, environment = _where(run.target)
    if run.output.as_json:
        run.output.json({"arguments": arguments})
        return
    run.confirm("psql may change anything.")
    psql = _psql()
    words = [psql, *(("--no-psqlrc", "--command", statement) if statement else ()), arguments]
    os.execve(psql, words, {**os.environ, **environment})  # noqa: S606  # no shell


def _where(target: Target) -> tuple[str, Mapping[str, str]]:
    """Return psql's argument, and the environment variables that hide its secrets."""
    if not target.on_aws:
        return target.output("DatabaseUrl"), {}
    require_public(target)
    address = urlsplit(f"//{target.output('DatabaseAddress')}")
    owner = database.owner(target)
    roots = RDS_CERTIFICATES / f"{target.session.region_name}.pem"
    dsn = (
        f"host={address.hostname} port={address.port} dbname=cruddur user={owner['username']} "
        f"sslmode=verify-full sslrootcert={roots} connect_timeout=10"
    )
    return dsn, {"PGPASSWORD": owner["password"]}


def require_public(target: Target) -> str:
    """Return the security group of a database that can be reached from outside.

    Raises
    ------
    CommandError
        The database is private.
    """
    if group := target.outputs.get("DatabaseSecurityGroupId"):
        return group
    raise CommandError(
        "The database is private: deploy the stack with DatabasePublic=true for development, or "
        "use the commands that go through the function administer_directory."
    )


def _psql() -> str:
    if found := shutil.which("psql"):
        return found
    if folder := programs_folder():
        return str(folder / "psql")
    raise CommandError("There is no psql: run `make setup`.")
