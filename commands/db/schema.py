"""``bin/db/schema-load`` and ``migrate``: the schema of the database."""

from commands import database
from commands.command import Run


def schema_load(run: Run) -> None:
    """Load the schema; on AWS, also make the users that the functions sign in as."""
    # The local server was made with these users, and a database of the developer's needs none.
    _apply(run, "schema-load" if run.target.on_aws else "migrate")


def migrate(run: Run) -> None:
    """Apply the missing migrations."""
    _apply(run, "migrate")


def _apply(run: Run, action: str) -> None:
    run.confirm("This applies migrations.")
    applied = database.perform(run.target, action)["applied"]
    names = ", ".join(applied) or "nothing, the schema is up to date"
    run.output.result(f"Applied: {names}.", applied=applied)
