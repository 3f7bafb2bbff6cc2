"""What no log may hold is found, in the logs of everything that runs functions."""

from collections.abc import Callable

import httpx
import pytest

from sam_offline.console import printable
from seed.examples import PASSWORD
from tests import logs

TEXT = "good morning, „everybody“ \N{SPOUTING WHALE}"

SECRETS = {
    "a token": "eyJhbGciOiJSUzI1NiJ9.e30.x",
    "an e-mail address": "grahams@example.com",
    "an e-mail address in a path": "/api/users/grahams%40example.com/short",
    "a password": PASSWORD,
    "a text": TEXT,
    "a text in JSON": '{"message": "good morning, \\u201eeverybody\\u201c \\ud83d\\udc33"}',
    "a line of a longer text": "Dear all, as you know,",
}
LOGS: dict[str, Callable[[str], str]] = {
    "a local cloud": lambda line: f"local: ready\nCreateMessage | {printable(line)}\n",
    "a local cloud's API": lambda line: f"api | {printable(line)} 404 2 ms\n",
    "sam local": lambda line: f"START RequestId: 1 Version: $LATEST\n{line}\nEND RequestId: 1",
    "CloudWatch": lambda line: f"2026-11-21T12:00:00 CreateMessage/[$LATEST]1 {line}",
    "a traceback": lambda line: f"Traceback (most recent call last):\n    raise Error({line})",
}


@pytest.fixture
def of_the_seed() -> set[str]:
    """What is noted before anybody sends something."""
    return set(logs._texts)


@pytest.fixture(autouse=True)
def texts(of_the_seed: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test notes its own."""
    monkeypatch.setattr(logs, "_texts", set())
    logs.note_text(TEXT)
    logs.note_text("Dear all, as you know,\nthe sea is \t rising\x07.")


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("log", LOGS)
def test_what_is_for_nobody_is_found(log: str, kind: str) -> None:
    with pytest.raises(AssertionError, match="1 secrets"):
        logs.check(LOGS[log](SECRETS[kind]))


def test_what_a_terminal_shows_in_another_way_is_found() -> None:
    for line in ("the sea is \t rising\x07.", '"the sea is \\t rising\\u0007."'):
        assert list(logs.secrets_in(LOGS["a local cloud"](line)))


@pytest.mark.parametrize(
    "line",
    [
        "local: e-mail to ocean@example.com: Your code is 123456",
        "  sign-ins    grahams, reef (password: Cruddur-1234)",
        f'    curl -s http://127.0.0.1:3000/api/messages -d \'{{"message":"{TEXT}"}}\'',
        "  PostgreSQL  postgresql://postgres@127.0.0.1:5433/cruddur",
        "api | GET /api/users/@Reef/short 200 2 ms",
        'ListMessages | {"level": "ERROR", "message": "unexpected"}',
    ],
)
def test_what_a_log_may_hold_is_not(line: str) -> None:
    logs.check(line)


def test_texts_of_the_seed_are_known_from_the_start(of_the_seed: set[str]) -> None:
    assert "That crab deserved better light." in of_the_seed


@pytest.mark.parametrize(
    ("content", "noted"),
    [
        (b'{"message": " a text that is sent "}', True),
        (b'{"message": "short"}', False),
        (b'{"message": "0000000000000000"}', False),
        (b'{"message": 7}', False),
        (b"[1]", False),
        (b"{", False),
        (b"", False),
    ],
)
def test_texts_that_are_sent_are_noted(content: bytes, noted: bool) -> None:
    logs.note_request(httpx.Request("POST", "http://api/api/messages", content=content))
    assert bool(list(logs.secrets_in(f"CreateMessage | {content.decode()}"))) == noted
