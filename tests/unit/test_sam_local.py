"""The identity under `sam local`."""

import base64
import json
from typing import Any

import pytest

from runtime import sam_local
from tests.fakes.template import Stack, read_stack

NOW = 1_800_000_000.0
CLAIMS = {"sub": "someone", "token_use": "access", "exp": NOW + 1}


def token(claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


@pytest.fixture
def in_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SAM_LOCAL", "true")


@pytest.mark.usefixtures("in_container")
@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer "])
def test_claims_are_those_of_the_token(scheme: str) -> None:
    assert sam_local.claims(scheme + token(CLAIMS), now=NOW) == CLAIMS


@pytest.mark.usefixtures("in_container")
@pytest.mark.parametrize(
    "authorization",
    [
        *(None, "", "Bearer", "Bearer x", "Bearer a.b", "Bearer a.b.c", "Bearer a.!.c", "a.W10.c"),
        *(f"Bearer {token([])}", f"Bearer {token(None)}", f"Bearer {token({'sub': 'someone'})}"),
        f"Bearer {token(CLAIMS | {'exp': NOW})}",
        f"Bearer {token(CLAIMS | {'exp': 'later'})}",
        f"Bearer {token(CLAIMS | {'exp': [1]})}",
    ],
)
def test_what_is_no_valid_token_has_no_claims(authorization: str | None) -> None:
    assert sam_local.claims(authorization, now=NOW) == {}


@pytest.mark.parametrize("value", [None, "", "false"])
def test_outside_sam_local_a_token_that_nobody_verified_has_no_claims(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is None:
        monkeypatch.delenv("AWS_SAM_LOCAL", raising=False)
    else:
        monkeypatch.setenv("AWS_SAM_LOCAL", value)
    assert sam_local.claims(f"Bearer {token(CLAIMS)}", now=NOW) == {}


def test_the_template_never_sets_what_stands_for_sam_local() -> None:
    stack: Stack = read_stack(parameters={"DatabaseUrl": "postgresql://somewhere/cruddur"})
    for _, properties in stack.resources("AWS::Lambda::Function"):
        assert "AWS_SAM_LOCAL" not in properties["Environment"]["Variables"]
