"""What never may stand in a log: texts of messages, tokens, e-mail addresses and passwords.

Whatever runs functions holds what they have logged against this: a local cloud, `sam local`, the
emulator of the rehearsal, and `make conformance` where it is given a log. Texts are those of the
seed, and what was noted when it was sent.
"""

import json
import re
from collections.abc import Iterator

import httpx

from sam_offline.console import printable
from seed.examples import PASSWORD, seed_message_groups

__all__ = ["check", "note_body", "note_request", "note_text", "secrets_in"]

# To people, the local cloud itself says how they sign in, what to type and what their mails hold.
_TO_PEOPLE = re.compile(r"^(?:local: |  sign-ins |    curl ).*$", re.MULTILINE)
_SECRETS = {
    "a token": re.compile(r"eyJ[\w-]{8,}"),
    "an e-mail address": re.compile(r"[\w.+-]+(?:@|%40)[\w-]+\.[a-z]{2,}", re.IGNORECASE),
    "a password": re.compile(re.escape(PASSWORD), re.IGNORECASE),
}
# What is shorter, or one letter again and again, stands in a log by chance.
_SHORTEST = 12
_FEWEST_LETTERS = 6

_texts: set[str] = set()


def note_text(text: str) -> None:
    """Remember the text of a message, line by line: a log has lines."""
    for line in map(str.strip, text.splitlines()):
        if len(line) >= _SHORTEST and len(set(line)) >= _FEWEST_LETTERS:
            _texts.add(line)


def note_body(body: str | bytes | None) -> None:
    """Remember the text in the body of a request, if it is one that sends a message."""
    try:
        text = json.loads(body or "")["message"]
    except (ValueError, TypeError, LookupError):
        return
    if isinstance(text, str):
        note_text(text)


def note_request(request: httpx.Request) -> None:
    """Remember the text that a request sends; a request hook of httpx's clients."""
    note_body(request.read())


def secrets_in(log: str) -> Iterator[str]:
    """What is in a log that is for nobody who reads logs."""
    lines = _TO_PEOPLE.sub("", log)
    for kind, pattern in _SECRETS.items():
        for found in pattern.finditer(lines):
            yield f"{kind}: {found[0]}"
    for text in _texts:
        if any(notation in lines for notation in _notations(text)):
            yield f"a text: {text}"


def check(log: str) -> None:
    """Fail for a log in which something stands that never may."""
    found = sorted(set(secrets_in(log)))
    assert not found, f"{len(found)} secrets are in the log, such as {found[:5]}"


def _notations(text: str) -> set[str]:
    """A text as it is, and as JSON has it; in the terminal, too."""
    plain = {text, *(json.dumps(text, ensure_ascii=ascii_)[1:-1] for ascii_ in (True, False))}
    return plain | set(map(printable, plain))


for _group in seed_message_groups():
    for _, _text in _group.messages:
        note_text(_text)
