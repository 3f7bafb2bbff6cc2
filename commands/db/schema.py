"""``bin/db/schema-load``, ``migrate``, ``seed``: what is in the database."""

from typing import Annotated

import typer

from administration.sign_ins import MOCK
from commands import database
from commands.command import Run
from commands.ddb.load import DEFAULT_RANDOM_SEED, load_user
from commands.output import quantity
from commands.seed import seed_rows


def schema_load(run: Run) -> None:
    """Load the schema; on AWS, also make the users that the functions sign in as."""
    # Locally the server was made with them; one of the developer's own does without.
    _apply(run, "schema-load" if run.target.on_aws else "migrate")


def migrate(run: Run) -> None:
    """Apply the missing migrations."""
    _apply(run, "migrate")


def _apply(run: Run, action: str) -> None:
    run.confirm("This applies migrations.")
    applied = database.perform(run.target, action)["applied"]
    names = ", ".join(applied) or "nothing, the schema is up to date"
    run.output.result(f"Applied: {names}.", applied=applied)


def seed(
    run: Run,
    *,
    users: Annotated[
        int,
        typer.Option(
            min=0, help="Also write this number of users of a load (bin/ddb/seed --messages)."
        ),
    ] = 0,
    random_seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="With --users: the seed that the load was made with. "
            f"[default: {DEFAULT_RANDOM_SEED}]",
        ),
    ] = None,
) -> None:
    """Write the example users and one activity; existing rows keep their sign-in."""
    if not users:
        run.refuse_without("--users", random_seed=random_seed)
    chosen = DEFAULT_RANDOM_SEED if random_seed is None else random_seed
    run.confirm("This writes example users.")
    rows = seed_rows()
    rows["users"] += [
        vars(user) | {"email": f"{user.handle}@example.com", "cognito_user_id": MOCK}
        for user in (load_user(chosen, number) for number in range(users))
    ]
    done = database.perform(run.target, "seed", **rows)
    written = [quantity(done["users"], "user"), quantity(done["activities"], "activity")]
    run.output.result(f"Wrote {' and '.join(written)}.", **done)
