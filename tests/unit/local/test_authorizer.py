"""The authorizer takes what the gateway takes, and nothing else."""

import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from local.authorizer import JwtAuthorizer, UnauthorizedError, claims_as_strings
from local.template import Authorizer

ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_pool"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _keys(*names: str) -> dict[str, Any]:
    jwk = json.loads(RSAAlgorithm.to_jwk(KEY.public_key()))
    return {"keys": [{**jwk, "kid": name, "alg": "RS256", "use": "sig"} for name in names]}


def _token(key: Any = KEY, kid: str = "k", algorithm: str = "RS256", **claims: Any) -> str:
    now = int(time.time())
    body = {"iss": ISSUER, "client_id": "client", "sub": "s", "iat": now, "exp": now + 60, **claims}
    body = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(body, key, algorithm=algorithm, headers={"kid": kid})


@pytest.fixture
def authorizer() -> JwtAuthorizer:
    settings = Authorizer(issuer=ISSUER, audience=("client",), header="authorization")
    return JwtAuthorizer(settings, lambda _issuer: _keys("k"))


@pytest.mark.parametrize("header", ["Bearer {}", "bearer  {}", "{}"])
def test_a_good_access_token(authorizer: JwtAuthorizer, header: str) -> None:
    assert authorizer.claims(header.format(_token()))["sub"] == "s"


def test_an_id_token_names_the_client_in_its_audience(authorizer: JwtAuthorizer) -> None:
    assert authorizer.claims(_token(aud="client", client_id=None, token_use="id"))


@pytest.mark.parametrize(
    "token",
    [
        None,
        "",
        "Bearer",
        "Basic dXNlcjpwYXNz",
        "a.b.c",
        _token(key=OTHER_KEY),
        _token(kid="unknown"),
        _token(iss="https://elsewhere.example/us-east-1_pool"),
        _token(client_id="another"),
        _token(client_id=None),
        _token(aud="another"),
        _token(exp=int(time.time()) - 1),
        _token(exp=None),
        _token(nbf=int(time.time()) + 60),
        _token(iat=int(time.time()) + 60),
        _token(key="a secret that is long enough for HS256", algorithm="HS256"),
        jwt.encode({"iss": ISSUER, "client_id": "client"}, "", algorithm="none"),
        _token()[:-8] + "AAAAAAAA",
    ],
)
def test_everything_else_is_unauthorized(authorizer: JwtAuthorizer, token: str | None) -> None:
    with pytest.raises(UnauthorizedError):
        authorizer.claims(token)


def test_keys_are_fetched_once_and_again_for_an_unknown_key() -> None:
    fetched: list[str] = []

    def keys(issuer: str) -> dict[str, Any]:
        fetched.append(issuer)
        return _keys("k", "new")

    settings = Authorizer(issuer=ISSUER, audience=("client",), header="authorization")
    authorizer = JwtAuthorizer(settings, keys)
    for kid in ("k", "new", "k"):
        authorizer.claims(_token(kid=kid))
    assert fetched == [ISSUER]
    for _ in range(3):  # an unknown key is no way to make us ask without end
        with pytest.raises(UnauthorizedError):
            authorizer.claims(_token(kid="unknown"))
    assert len(fetched) == 1
    authorizer._fetched -= 60
    with pytest.raises(UnauthorizedError):
        authorizer.claims(_token(kid="unknown"))
    assert len(fetched) == 2


def test_claims_in_events_are_strings() -> None:
    claims = {"exp": 5, "email_verified": True, "cognito:groups": ["a", "b"], "sub": "s"}
    assert claims_as_strings(claims) == {
        "exp": "5",
        "email_verified": "true",
        "cognito:groups": "[a b]",
        "sub": "s",
    }
