"""The authorizer takes what the gateway takes, and nothing else."""

import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from sam_offline.authorizer import JwtAuthorizer, UnauthorizedError, claims_as_strings
from sam_offline.stack import Authorizer

ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_pool"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _keys(*names: str) -> dict[str, jwt.PyJWK]:
    jwk = json.loads(RSAAlgorithm.to_jwk(KEY.public_key()))
    return {name: jwt.PyJWK({**jwk, "kid": name, "alg": "RS256"}) for name in names}


def _token(key: Any = KEY, kid: str = "k", algorithm: str = "RS256", **claims: Any) -> str:
    now = int(time.time())
    body = {"iss": ISSUER, "client_id": "client", "sub": "s", "iat": now, "exp": now + 60, **claims}
    body = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(body, key, algorithm=algorithm, headers={"kid": kid})


@pytest.fixture
def authorizer() -> JwtAuthorizer:
    settings = Authorizer(issuer=ISSUER, audience=("client",), header="authorization")
    return JwtAuthorizer(settings, _keys("k", "other"))


@pytest.mark.parametrize("header", ["Bearer {}", "bearer  {}", "{}"])
@pytest.mark.parametrize("kid", ["k", "other"])
def test_a_good_access_token(authorizer: JwtAuthorizer, header: str, kid: str) -> None:
    assert authorizer.claims(header.format(_token(kid=kid)))["sub"] == "s"


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


def test_claims_in_events_are_strings() -> None:
    claims = {"exp": 5, "email_verified": True, "cognito:groups": ["a", "b"], "sub": "s"}
    assert claims_as_strings(claims) == {
        "exp": "5",
        "email_verified": "true",
        "cognito:groups": "[a b]",
        "sub": "s",
    }
