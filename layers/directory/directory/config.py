"""Where the directory's database is, and how a function signs in there.

With ``DATABASE_AUTH=iam``, as in the cloud, the password is a token that the function signs, and
the server has to prove who it is. With ``url`` everything is in the URL.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from botocore.model import ServiceId
from botocore.session import Session
from botocore.signers import RequestSigner
from psycopg2.extensions import make_dsn, parse_dsn

from runtime import aws
from runtime.errors import MissingSettingError
from runtime.settings import required

# A file for each region, with the three roots of Amazon RDS's certificates there: libpq needs ten
# times as long for those of all regions. They are from AWS's global bundle of 2025; where the
# copies came from is in docs/decisions.md. The template refuses regions that have no file.
# sha256 of all, in the order of their names:
# 80843a2d5698c4883761b137c28ee6dfe95fe04a9766831453a16b78a6a99125
RDS_CERTIFICATES = Path(__file__).with_name("rds-ca")

POSTGRES_PORT = "5432"
TOKEN_SECONDS = 900


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """How to reach the database.

    Attributes
    ----------
    url
        libpq's URL; without a password where `iam` makes one.
    user
        Who signs in; empty for the user in `url`.
    iam
        Whether to sign in with a token of the function's own role, on a verified connection.
    """

    url: str = field(repr=False)
    user: str = ""
    iam: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the settings in `environment`; raise MissingSettingError when one is missing."""
        auth = required(environment, "DATABASE_AUTH")
        if auth not in {"iam", "url"}:
            raise MissingSettingError(f"DATABASE_AUTH is {auth}: it must be iam or url")
        return cls(
            url=required(environment, "DATABASE_URL"),
            user=environment.get("DATABASE_USER", ""),
            iam=auth == "iam",
        )

    def connection_arguments(self) -> dict[str, Any]:
        """Return what psycopg2.connect needs, with a token that is valid for fifteen minutes.

        Signing it takes no call. Raises MissingSettingError when the URL has no host or no user to
        sign it for.
        """
        dsn = make_dsn(self.url, user=self.user or None)
        if not self.iam:
            return {"dsn": dsn}
        server = {"port": POSTGRES_PORT} | parse_dsn(dsn)
        if missing := {"host", "user"} - server.keys():
            raise MissingSettingError(f"DATABASE_URL names no {' and no '.join(sorted(missing))}")
        token = _token(aws.session(), f"{server['host']}:{server['port']}", server["user"])
        return {"dsn": dsn, "password": token, **_verified()}

    def arguments_of_owner(self, owner: Mapping[str, str]) -> dict[str, Any]:
        """Return what psycopg2.connect needs to sign in as the owner, by username and password.

        Raises MissingSettingError when neither `owner` nor the URL has them. In the cloud the URL
        never has, so that being allowed to invoke the function is not enough to change anything.
        """
        if "password" in owner:
            who = {"dsn": self.url, "user": owner["username"], "password": owner["password"]}
            return who | (_verified() if self.iam else {})
        if self.user or "user" not in parse_dsn(self.url):
            raise MissingSettingError("username and password of the database's owner are not given")
        return {"dsn": self.url}


def _verified() -> dict[str, str]:
    """Return what lets psycopg2 refuse a server that is not RDS's."""
    region = aws.session().get_config_variable("region")
    return {"sslmode": "verify-full", "sslrootcert": str(RDS_CERTIFICATES / f"{region}.pem")}


def _token(session: Session, server: str, user: str) -> str:
    """Return what boto3's rds client returns for generate_db_auth_token, without that client.

    To make the client takes ten times as long.
    """
    region = session.get_config_variable("region")
    credentials = session.get_credentials()
    if credentials is None:
        raise MissingSettingError("there are no credentials to sign in to the database with")
    events = session.get_component("event_emitter")
    signer = RequestSigner(ServiceId("RDS"), region, "rds-db", "v4", credentials, events)
    query = urlencode({"Action": "connect", "DBUser": user})
    request = {
        "method": "GET",
        "url": f"https://{server}/?{query}",
        "headers": {},
        "body": {},
        "context": {},
    }
    signed: str = signer.generate_presigned_url(
        request, operation_name="connect", expires_in=TOKEN_SECONDS, region_name=region
    )
    return signed.removeprefix("https://")
