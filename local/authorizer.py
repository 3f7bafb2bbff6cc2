"""The API's JWT authorizer: checks a token against the pool's keys as the gateway does.

Access tokens and id tokens pass alike; refusing the latter is the application's business.
"""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt

from local.template import Authorizer

__all__ = ["JwtAuthorizer", "UnauthorizedError", "claims_as_strings", "fetch_keys"]

# An unknown key id asks the pool again, but not more often than this.
_REFRESH_SECONDS = 2.0


class UnauthorizedError(Exception):
    """The request carries no token that the authorizer accepts."""


class JwtAuthorizer:
    """`keys` gives the JWKS of an issuer: {"keys": […]}."""

    def __init__(self, settings: Authorizer, keys: Callable[[str], dict[str, Any]]) -> None:
        self._settings = settings
        self._fetch = keys
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._lock = threading.Lock()

    @property
    def header(self) -> str:
        """The lower-case name of the request header that has the token."""
        return self._settings.header

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
            key = self._key(jwt.get_unverified_header(token).get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=["RS256"],
                issuer=self._settings.issuer,
                options={"verify_aud": False, "require": ["exp", "iss"]},
            )
        except jwt.PyJWTError as error:
            raise UnauthorizedError(str(error)) from error
        audience = claims.get("aud") or claims.get("client_id")
        audiences = audience if isinstance(audience, list) else [audience]
        if not set(self._settings.audience).intersection(audiences):
            raise UnauthorizedError("The token is for another client.")
        return claims

    def _key(self, key_id: Any) -> jwt.PyJWK:
        with self._lock:
            due = time.monotonic() - self._fetched > _REFRESH_SECONDS
            if key_id not in self._keys and due:
                found = self._fetch(self._settings.issuer)["keys"]
                self._keys = {key["kid"]: jwt.PyJWK(key) for key in found}
                self._fetched = time.monotonic()
            if key_id not in self._keys:
                raise UnauthorizedError("The token is signed with an unknown key.")
            return self._keys[key_id]


def fetch_keys(engine_url: str) -> Callable[[str], dict[str, Any]]:
    """Read a pool's keys from the engine: the issuer is AWS's address, its path the pool's id."""

    def keys(issuer: str) -> dict[str, Any]:
        pool = issuer.rsplit("/", 1)[-1]
        answer = httpx.get(f"{engine_url}/{pool}/.well-known/jwks.json", timeout=5, trust_env=False)
        answer.raise_for_status()
        document: dict[str, Any] = json.loads(answer.content)
        return document

    return keys


def claims_as_strings(claims: dict[str, Any]) -> dict[str, str]:
    """Claims as the gateway puts them into an event: every value a string, lists in brackets."""

    def text(value: Any) -> str:
        if isinstance(value, list):
            return "[" + " ".join(map(text, value)) + "]"
        return value if isinstance(value, str) else json.dumps(value)

    return {name: text(value) for name, value in claims.items()}
