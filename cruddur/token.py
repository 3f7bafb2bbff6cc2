"""``bin/cognito/token HANDLE``: an access token for a seeded user of the running local cloud."""

import argparse
import json
import os
import sys
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cruddur.seed import PASSWORD, seed_users

ROOT = Path(__file__).parent.parent


def access_token(stack: dict[str, str], handle: str) -> str:
    """Return an access token for the seeded user `handle`.

    Parameters
    ----------
    stack
        The outputs of the running local cloud (its stack.json).
    """
    user = next(user for user in seed_users() if user.user.handle == handle)
    cognito = boto3.client(
        "cognito-idp",
        endpoint_url=stack["EndpointUrl"],
        region_name=stack["Region"],
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106  # the emulator takes any
        config=Config(connect_timeout=2, read_timeout=10),
    )
    answer = cognito.initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        ClientId=stack["UserPoolClientId"],
        AuthParameters={"USERNAME": user.email, "PASSWORD": PASSWORD},
    )
    return answer["AuthenticationResult"]["AccessToken"]


def main() -> int:
    """Print the token; return the exit status."""
    handles = [user.user.handle for user in seed_users() if user.cognito_user_id is None]
    parser = argparse.ArgumentParser(prog="token", description=__doc__)
    parser.add_argument("handle", choices=handles, metavar="HANDLE", help=", ".join(handles))
    handle = parser.parse_args().handle
    state = ROOT / os.environ.get("LOCAL_STATE", ".local")
    try:
        stack = json.loads((state / "stack.json").read_text())
        sys.stdout.write(access_token(stack, handle) + "\n")
    except FileNotFoundError:
        sys.stderr.write("the local cloud is not running: start it with make run\n")
        return 1
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"no token for {handle}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
