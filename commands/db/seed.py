"""``bin/db/seed``: the example users in the directory, and those of generated messages."""

from typing import Annotated

import typer

from administration.sign_ins import MOCK
from commands import database
from commands.command import Run
from commands.output import quantity
from seed.examples import seed_rows
from seed.generated import DEFAULT_RANDOM_SEED, generated_user


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
        for user in (generated_user(chosen, number) for number in range(users))
    ]
    done = database.perform(run.target, "seed", **rows)
    written = [quantity(done["users"], "user"), quantity(done["activities"], "activity")]
    run.output.result(f"Wrote {' and '.join(written)}.", **done)
