"""``bin/cognito/list-users`` and ``create-user``: the sign-ins of the user pool."""

from typing import Annotated, Any

import psycopg2
import typer
from botocore.exceptions import ClientError

from administration.operations import OperationError
from commands import database
from commands.cognito.pool import attributes_of, list_sign_ins
from commands.command import Run
from commands.errors import CommandError
from seed.examples import PASSWORD


def list_users(run: Run) -> None:
    """List all sign-ins of the user pool."""
    run.output.table(
        list_sign_ins(run.target),
        ["handle", "display_name", "email", "status", "cognito_user_id"],
        empty="There is no user in the pool.",
    )


def create_user(
    run: Run,
    handle: Annotated[str, typer.Argument(metavar="HANDLE", help="The handle of the new user.")],
    *,
    email: Annotated[str, typer.Option(help="The address to sign in with.")],
    name: Annotated[str, typer.Option(help="The display name; the handle if not given.")] = "",
    password: Annotated[
        str,
        typer.Option(
            envvar="CRUDDUR_PASSWORD",
            help="A permanent password. Without it, on AWS, Cognito sends one by e-mail, "
            "which has to be changed.",
        ),
    ] = "",
) -> None:
    """Make a sign-in and its row in the directory.

    Cognito does not call the trigger that usually writes the row, since this user does not have to
    confirm an address. This command writes it instead. An existing sign-in keeps its password.
    """
    run.confirm(f"This makes the user {handle}.")
    if not run.target.on_aws:
        password = password or PASSWORD
    user, made = _sign_in(run, handle, email, name or handle, quietly=bool(password))
    if user["preferred_username"].lower() != handle.lower():
        raise CommandError(f"{email} signs in as {user['preferred_username']} already.")
    try:
        if made and password:
            _cognito(run).admin_set_user_password(
                **_pool(run), Username=user["sub"], Password=password, Permanent=True
            )
        row = database.perform(
            run.target,
            "register",
            cognito_user_id=user["sub"],
            handle=user["preferred_username"],
            display_name=user["name"],
            email=user["email"],
        )
    except (CommandError, OperationError, ClientError, psycopg2.Error):
        if made:  # otherwise nobody could use the handle or the address any more
            _cognito(run).admin_delete_user(**_pool(run), Username=user["sub"])
        raise
    run.output.result(
        f"{handle} has the uuid {row['uuid']} and the cognito_user_id {user['sub']}.",
        handle=user["preferred_username"],
        email=user["email"],
        uuid=row["uuid"],
        cognito_user_id=user["sub"],
        made=made,
    )


def _sign_in(
    run: Run, handle: str, email: str, name: str, *, quietly: bool
) -> tuple[dict[str, str], bool]:
    """Return the attributes of the sign-in with an address, and whether it was made now."""
    cognito, pool = _cognito(run), _pool(run)
    try:
        found = cognito.admin_get_user(**pool, Username=email)
    except cognito.exceptions.UserNotFoundException:
        pass
    else:
        return attributes_of(found["UserAttributes"]), False
    made = cognito.admin_create_user(
        **pool,
        Username=email,
        **({"MessageAction": "SUPPRESS"} if quietly else {}),
        UserAttributes=[
            {"Name": "email", "Value": email},
            {"Name": "email_verified", "Value": "true"},
            {"Name": "name", "Value": name},
            {"Name": "preferred_username", "Value": handle},
        ],
    )
    return attributes_of(made["User"]["Attributes"]), True


def _cognito(run: Run) -> Any:
    return run.target.client("cognito-idp")


def _pool(run: Run) -> dict[str, str]:
    return {"UserPoolId": run.target.output("UserPoolId")}
