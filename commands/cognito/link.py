"""``bin/db/update_cognito_user_ids``: sign-ins of the pool, linked with rows of the directory."""

from typing import Any

import typer

from administration.sign_ins import REFUSED, State
from commands import database
from commands.cognito.pool import list_sign_ins
from commands.command import Run
from commands.output import quantity
from commands.terminal import FAILURE

_UNCONFIRMED = "UNCONFIRMED"


def link_sign_ins(run: Run, *, relink: bool) -> bool:
    """Link, and print what became of each; return whether nothing waits for an operator."""
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
        typer.echo(
            "Nobody is linked where two sign-ins have one handle: it would hand over an account.",
            err=True,
        )
    left = sum(finding["state"] in refused for finding in findings)
    if left:
        typer.echo(
            f"Not linked: {quantity(left, 'sign-in')}. To be linked, one needs the row's e-mail "
            "address, verified, and a row that is not linked yet (--relink where you are sure that "
            "it is the same person).",
            err=True,
        )
    return not left


def fail_unless(done: bool) -> None:
    """End with status 1 when something is left."""
    if not done:
        raise typer.Exit(FAILURE)
