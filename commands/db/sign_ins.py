"""``bin/db/update_cognito_user_ids`` and ``set-cognito-id``: who is whom."""

from typing import Annotated

import typer

from administration.sign_ins import MOCK
from commands import database
from commands.cognito.link import fail_unless, link_sign_ins
from commands.cognito.pool import sign_in
from commands.command import Run
from commands.errors import CommandError


def update_cognito_user_ids(
    run: Run,
    *,
    relink: Annotated[
        bool,
        typer.Option(
            "--relink",
            help="Also link rows that have another link or another e-mail address.",
        ),
    ] = False,
) -> None:
    """Link the sign-ins of the user pool with the directory's rows by handle, all or none.

    The e-mail addresses have to agree, too, since anybody could claim a handle alone. The exit
    status is 1 when a sign-in has the handle of a row and is not linked with it.
    """
    run.confirm("This links sign-ins with users.")
    fail_unless(link_sign_ins(run, relink=relink))


def set_cognito_id(run: Run) -> None:
    """Link one user with a sign-in of the pool, or with none (MOCK), in place of the earlier link.

    An id that no sign-in has is refused, since nobody could reach the account any more.
    """
    handle, cognito_user_id = run.words
    whom = "nobody"
    if cognito_user_id != MOCK:
        found = sign_in(run.target, cognito_user_id)
        if found is None:
            raise CommandError(
                f"No sign-in has the id {cognito_user_id}: see bin/cognito/list-users."
            )
        whom = f"{found['email']}, who signed up as {found['handle'] or 'nobody'}"
        cognito_user_id = found["cognito_user_id"]
    run.confirm(f"This gives the account of {handle} to {whom}.")
    row = database.perform(
        run.target, "set-cognito-id", handle=handle.lstrip("@"), cognito_user_id=cognito_user_id
    )
    run.output.result(
        f"{row['handle']} has the cognito_user_id {cognito_user_id}: it is {whom}.",
        **row,
        cognito_user_id=cognito_user_id,
    )
