"""``bin/cognito/token``: prints an access token for calls of the API."""

from typing import TYPE_CHECKING, Annotated

import typer

from commands.cognito.pool import list_sign_ins
from commands.command import Run
from commands.errors import CommandError
from seed.examples import PASSWORD, seed_users

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient


def access_token(
    cognito: "CognitoIdentityProviderClient",
    *,
    pool_id: str,
    client_id: str,
    email: str,
    password: str,
) -> str:
    """Return an access token for the person who signs in with `email`.

    It uses the call for administrators, the only sign-in with a plain password that a stage for
    people allows.
    """
    try:
        answer = cognito.admin_initiate_auth(
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            UserPoolId=pool_id,
            ClientId=client_id,
            AuthParameters={"USERNAME": email, "PASSWORD": password},
        )
    except cognito.exceptions.NotAuthorizedException as error:
        raise CommandError(
            f"{email} cannot sign in with this password: give it with --password."
        ) from error
    if "AuthenticationResult" not in answer:
        raise CommandError(
            f"{email} has to answer a challenge first: {answer.get('ChallengeName')}."
        )
    return answer["AuthenticationResult"]["AccessToken"]


# typer looks into an alias only if it is a plain one, not a `type` statement.
Handle = Annotated[str, typer.Argument(metavar="HANDLE | EMAIL", help="Who signs in.")]
Password = Annotated[
    str,
    typer.Option(
        envvar="CRUDDUR_PASSWORD", help="The password; locally that of the seed if not given."
    ),
]


def token(run: Run, handle: Handle, *, password: Password = "") -> None:
    """Print an access token for a user, named by handle or e-mail address.

    Locally it does not ask for a password.
    """
    found = token_of(run, handle, password or ask_password(run))
    run.output.result(found, access_token=found)


def ask_password(run: Run) -> str:
    """Return the password of a user; locally that of the seed, without asking."""
    if not run.target.on_aws:
        return PASSWORD
    asked: str = typer.prompt("Password", hide_input=True, err=True)
    return asked


def token_of(run: Run, handle: str, password: str) -> str:
    """Return an access token for a user, named by handle or e-mail address."""
    return access_token(
        run.target.client("cognito-idp"),
        pool_id=run.target.output("UserPoolId"),
        client_id=run.target.output("UserPoolClientId"),
        email=_email(run, handle),
        password=password,
    )


def _email(run: Run, handle: str) -> str:
    """Return the e-mail address of the sign-in with a handle.

    Cognito finds handles only in their exact spelling, so that all sign-ins are read. That is not
    needed for users of the seed on the local cloud.
    """
    if "@" in handle.lstrip("@"):
        return handle
    if not run.target.on_aws:
        for user in seed_users():
            if user.user.handle == handle and user.signs_in:
                return user.email
    found = list(list_sign_ins(run.target, handle=handle))
    if len(found) != 1:
        raise CommandError(
            f"{len(found)} sign-ins have the handle {handle}: name one by its e-mail address."
            if found
            else f"No sign-in has the handle {handle}: see bin/cognito/list-users."
        )
    return str(found[0]["email"])
