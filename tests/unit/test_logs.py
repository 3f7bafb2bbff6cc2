"""The check of the local cloud's logs finds what it looks for."""

import httpx
import pytest

from seed.examples import PASSWORD
from tests.local.logs import SENT, note_text, secrets_in


@pytest.mark.parametrize(
    "line",
    [
        "ListMessages | token eyJhbGciOiJSUzI1NiJ9.e30.x",
        "ConfirmUser | grahams@example.com",
        "api | GET /api/users/grahams%40example.com/short 404 2 ms",
        f"CheckSignUp | {PASSWORD}",
        'CreateMessage | {"message": "good morning, everybody"}',
        'CreateMessage | "good morning, everybody"',
    ],
)
def test_what_is_for_nobody_is_found(line: str) -> None:
    assert list(secrets_in(f"first\n{line}\n", ["good morning, everybody"]))


@pytest.mark.parametrize(
    "line",
    [
        "local: e-mail to ocean@example.com: Your code is 123456",
        "  sign-ins    grahams, reef (password: Cruddur-1234)",
        "api | GET /api/users/@Reef/short 200 2 ms",
        'ListMessages | {"level": "ERROR", "message": "unexpected"}',
    ],
)
def test_what_a_log_may_hold_is_not(line: str) -> None:
    assert not list(secrets_in(line, ["good morning, everybody"]))


def test_texts_that_are_sent_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (b'{"message": " good morning, everybody"}', b'{"message": 7}', b"[1]", b"{"):
        note_text(httpx.Request("POST", "http://api/api/messages", content=content))
    assert "good morning, everybody" in SENT
    SENT.discard("good morning, everybody")
