"""What stands in the log of a local cloud, and what never may."""

import json
import re
from collections.abc import Iterable, Iterator

import httpx

from seed.examples import PASSWORD

__all__ = ["SENT", "note_text", "secrets_in"]

# Of functions and of the API; what the local cloud itself says shows people their mail.
_LINE = re.compile(r"^(?!local: )\w+ \| ")
_SECRETS = {
    "a token": re.compile(r"eyJ[\w-]{8,}"),
    "an e-mail address": re.compile(r"[\w.+-]+(?:@|%40)[\w-]+\.[a-z]{2,}", re.IGNORECASE),
    "a password": re.compile(re.escape(PASSWORD), re.IGNORECASE),
}
# Shorter texts stand in a log by chance.
_SHORTEST = 12

SENT: set[str] = set()


def note_text(request: httpx.Request) -> None:
    """Remember the text of a message that is sent; a request hook of httpx's clients."""
    try:
        text = json.loads(request.read())["message"]
    except (ValueError, TypeError, LookupError):
        return
    if isinstance(text, str) and len(text.strip()) >= _SHORTEST:
        SENT.add(text.strip())


def secrets_in(log: str, texts: Iterable[str] = ()) -> Iterator[str]:
    """What is in a log that is for nobody who reads logs; the line after what it is."""
    lines = "\n".join(line for line in log.splitlines() if _LINE.match(line))
    for kind, pattern in _SECRETS.items():
        for found in pattern.finditer(lines):
            yield f"{kind}: {found[0]}"
    for text in texts:
        if text in lines or json.dumps(text)[1:-1] in lines:
            yield f"a text: {text}"
