"""``bin/db/update_cognito_user_ids`` and ``set-cognito-id``: link sign-ins with users."""

from typing import Annotated, Any

import typer

from administration.sign_ins import MOCK, REFUSED, State
from commands import database
from commands.cognito.pool import list_sign_ins, sign_in
from commands.command import Run
from commands.errors import CommandError
from commands.output import quantity
from commands.terminal import FAILURE, note

_UNCONFIRMED = "UNCONFIRMED"


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

    The e-mail addresses have to agree, too, since anybody can choose a handle. The exit status is 1
    when a sign-in has the handle of a row and is not linked with it.
    """
    run.confirm("This links sign-ins with users.")
    link_sign_ins(run, relink=relink)


def link_sign_ins(run: Run, *, relink: bool) -> None:
    """Link sign-ins with users, and print the state of each.

    Raises
    ------
    typer.Exit
        With status 1: the operator has to decide about some of them.
    """
    sign_ins = [
        {
            "cognito_user_id": row["cognito_user_id"],
            "handle": row["handle"],
            "email": row["email"],
            "confirmed": row["email_verified"] and row["status"] != _UNCONFIRMED,
        }
        for row in list_sign_ins(run.target)
    ]
    findings: list[dict[str, Any]] = database.perform(
        run.target, "update_cognito_user_ids", sign_ins=sign_ins, relink=relink
    )["findings"]
    run.output.table(
        findings,
        ["state", "handle", "email", "cognito_user_id"],
        empty="There is no user, neither in the directory nor in the pool.",
    )
    refused = {state.value for state in REFUSED}
    if any(finding["state"] == State.TWO_SIGN_INS.value for finding in findings):
        note("Nobody is linked where two sign-ins have one handle: it would hand over an account.")
    left = sum(finding["state"] in refused for finding in findings)
    if left:
        note(
            f"Not linked: {quantity(left, 'sign-in')}. To be linked, one needs the row's e-mail "
            "address, verified, and a row that is not linked yet (--relink where you are sure that "
            "it is the same person)."
        )
        raise typer.Exit(FAILURE)


def set_cognito_id(
    run: Run,
    handle: Annotated[str, typer.Argument(metavar="HANDLE", help="The user in the directory.")],
    cognito_user_id: Annotated[
        str, typer.Argument(metavar="ID", help=f"The id (sub) of the sign-in, or {MOCK} for none.")
    ],
) -> None:
    """Link one user with a sign-in of the pool, or with none (MOCK), in place of the earlier link.

    An id that no sign-in has is refused, since nobody could reach the account any more.
    """
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
