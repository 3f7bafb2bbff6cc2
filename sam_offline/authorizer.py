"""The API's JWT authorizer: checks a token against the pool's keys as the gateway does.

Access tokens and id tokens pass alike; refusing the latter is the application's business.
"""

import json
from collections.abc import Mapping
from typing import Any

import httpx
import jwt

from sam_offline.stack import Authorizer

__all__ = ["JwtAuthorizer", "UnauthorizedError", "claims_as_strings", "fetch_keys"]


class UnauthorizedError(Exception):
    """The request carries no token that the authorizer accepts."""


class JwtAuthorizer:
    """`keys` are those of the issuer, by their ids. Whoever names another one is refused at once:
    the engine keeps a pool's keys for as long as it has the pool, and nobody waits for it here.
    """

    def __init__(self, settings: Authorizer, keys: Mapping[str, jwt.PyJWK]) -> None:
        self.header = settings.header
        self._settings = settings
        self._keys = keys

    def claims(self, header: str | None) -> dict[str, Any]:
        """The verified claims of the token in a header value, with or without "Bearer ".

        Raise UnauthorizedError for all but an RS256 token of this issuer for this audience that
        is valid now. Tokens without `aud` name their client in `client_id`.
        """
        token = (header or "").strip()
        scheme, _, rest = token.partition(" ")
        if scheme.lower() == "bearer":
            token = rest.strip()
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._keys[jwt.get_unverified_header(token)["kid"]],
                algorithms=["RS256"],
                issuer=self._settings.issuer,
                options={"verify_aud": False, "require": ["exp", "iss"]},
            )
        except (jwt.PyJWTError, KeyError) as error:
            raise UnauthorizedError(str(error)) from error
        audience = claims.get("aud") or claims.get("client_id")
        audiences = audience if isinstance(audience, list) else [audience]
        if not set(self._settings.audience).intersection(audiences):
            raise UnauthorizedError("The token is for another client.")
        return claims


def fetch_keys(engine_url: str, issuer: str) -> dict[str, jwt.PyJWK]:
    """Read a pool's keys from the engine: the issuer is AWS's address, its path the pool's id."""
    pool = issuer.rsplit("/", 1)[-1]
    answer = httpx.get(f"{engine_url}/{pool}/.well-known/jwks.json", timeout=5, trust_env=False)
    return {key["kid"]: jwt.PyJWK(key) for key in answer.raise_for_status().json()["keys"]}


def claims_as_strings(claims: dict[str, Any]) -> dict[str, str]:
    """Claims as the gateway puts them into an event: every value a string, lists in brackets."""

    def text(value: Any) -> str:
        if isinstance(value, list):
            return "[" + " ".join(map(text, value)) + "]"
        return value if isinstance(value, str) else json.dumps(value)

    return {name: text(value) for name, value in claims.items()}
