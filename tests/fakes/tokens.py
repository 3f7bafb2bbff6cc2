"""Access tokens as the user pool makes them, and as those make them who have none."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sam_offline.authorizer import JwtAuthorizer
from sam_offline.stack import Authorizer

__all__ = ["FORGED", "Pool"]

ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_ours"
KEY_ID = "of our pool"


@cache
def _key(_name: str) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


class Pool:
    """A user pool with one client, whose users are known by their subs."""

    client_id = "our client"

    def authorizer(self) -> JwtAuthorizer:
        """The gateway's authorizer of this pool."""
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(_key("ours").public_key(), as_dict=True)
        settings = Authorizer(issuer=ISSUER, audience=(self.client_id,), header="authorization")
        return JwtAuthorizer(settings, {KEY_ID: jwt.PyJWK(jwk | {"alg": "RS256"})})

    def access_token(self, sub: str, **claims: Any) -> str:
        """A good token of a user; with other `claims` a token that the pool would not make."""
        return _signed(self.claims(sub) | claims, key="ours")

    def id_token(self, sub: str) -> str:
        """The other token that a sign-in gives, which says who somebody is."""
        claims = self.claims(sub) | {"token_use": "id", "aud": self.client_id}
        del claims["client_id"]
        return _signed(claims, key="ours")

    def claims(self, sub: str) -> dict[str, Any]:
        now = int(time.time())
        return {
            "sub": sub,
            "iss": ISSUER,
            "client_id": self.client_id,
            "token_use": "access",
            "iat": now,
            "exp": now + 1800,
        }


def _signed(claims: dict[str, Any], *, key: str, key_id: str = KEY_ID) -> str:
    return jwt.encode(claims, _key(key), algorithm="RS256", headers={"kid": key_id})


def _part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _with_public_key(claims: dict[str, Any]) -> str:
    """Signed with what everybody knows: the public key, taken for a shared secret."""
    header = _part(json.dumps({"alg": "HS256", "typ": "JWT", "kid": KEY_ID}).encode())
    body = f"{header}.{_part(json.dumps(claims).encode())}"
    public = _key("ours").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return f"{body}.{_part(hmac.digest(public, body.encode(), hashlib.sha256))}"


def _unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "", algorithm="none", headers={"kid": KEY_ID})


def _tampered(pool: Pool, sub: str) -> str:
    """The token of somebody else, with this `sub` put in."""
    header, _, signature = pool.access_token("somebody else").split(".")
    return f"{header}.{_part(json.dumps(pool.claims(sub)).encode())}.{signature}"


def _refresh_token(_pool: Pool, _sub: str) -> str:
    """As Cognito makes them: encrypted, in five parts, for nobody to read."""
    return ".".join([_part(b'{"alg":"RSA-OAEP","enc":"A256GCM"}'), *4 * [_part(b"x" * 40)]])


# What is in the Authorization header of those who would like to be the user with this `sub`.
FORGED: dict[str, Callable[[Pool, str], str | None]] = {
    "no token": lambda _pool, _sub: None,
    "an empty header": lambda _pool, _sub: "",
    "garbage": lambda _pool, _sub: "Bearer garbage",
    "the bare sub": lambda _pool, sub: f"Bearer {sub}",
    "a password": lambda _pool, sub: f"Basic {_part(f'{sub}:x'.encode())}",
    "expired": lambda pool, sub: pool.access_token(sub, exp=int(time.time()) - 1),
    "not valid yet": lambda pool, sub: pool.access_token(sub, nbf=int(time.time()) + 600),
    "without an end": lambda pool, sub: _signed(
        {name: value for name, value in pool.claims(sub).items() if name != "exp"}, key="ours"
    ),
    "alg none": lambda pool, sub: _unsigned(pool.claims(sub)),
    "HS256 with the public key": lambda pool, sub: _with_public_key(pool.claims(sub)),
    "another key under our key's id": lambda pool, sub: _signed(pool.claims(sub), key="other"),
    "an unknown key": lambda pool, sub: _signed(pool.claims(sub), key="other", key_id="other"),
    "tampered": _tampered,
    "of another pool": lambda pool, sub: pool.access_token(sub, iss=f"{ISSUER}2"),
    "of another client": lambda pool, sub: pool.access_token(sub, client_id="another client"),
    "for another audience": lambda pool, sub: pool.access_token(sub, aud="another client"),
    "a refresh token": _refresh_token,
}
