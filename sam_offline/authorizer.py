"""The API's JWT authorizer: checks a token with the user pool's keys, as the gateway does.

It accepts access tokens and id tokens, as the gateway does; the application may refuse the latter.
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
    """Verifies tokens with the issuer's `keys`, by their ids.

    A token with another key's id is refused without asking the issuer again, since the engine never
    changes the keys of a pool.
    """

    def __init__(self, settings: Authorizer, keys: Mapping[str, jwt.PyJWK]) -> None:
        self.header = settings.header
        self._settings = settings
        self._keys = keys

    def claims(self, header: str | None) -> dict[str, Any]:
        """Return the verified claims of the token in a header, with or without "Bearer ".

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
    """Return claims as the gateway has them in events: strings only, and lists in brackets."""

    def text(value: Any) -> str:
        if isinstance(value, list):
            return "[" + " ".join(map(text, value)) + "]"
        return value if isinstance(value, str) else json.dumps(value)

    return {name: text(value) for name, value in claims.items()}
