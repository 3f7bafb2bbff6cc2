"""``bin/cognito/token HANDLE``: an access token for a seeded user of the running local cloud."""

from typing import TYPE_CHECKING, Annotated

import typer

from cruddur import targets
from cruddur.seed import PASSWORD, seed_users
from cruddur.terminal import reports_errors

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient


def access_token(cognito: "CognitoIdentityProviderClient", client_id: str, email: str) -> str:
    """Return an access token for the seeded user with the e-mail address `email`."""
    answer = cognito.initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        ClientId=client_id,
        AuthParameters={"USERNAME": email, "PASSWORD": PASSWORD},
    )
    return answer["AuthenticationResult"]["AccessToken"]


@reports_errors
def token(handle: Annotated[str, typer.Argument(metavar="HANDLE")]) -> None:
    """Print an access token for a seeded user of the local cloud."""
    users = {user.user.handle: user for user in seed_users() if user.cognito_user_id is None}
    if handle not in users:
        raise typer.BadParameter(f"{handle} is none of {', '.join(users)}")
    target = targets.target(prod=False)
    typer.echo(
        access_token(
            target.client("cognito-idp"), target.output("UserPoolClientId"), users[handle].email
        )
    )
