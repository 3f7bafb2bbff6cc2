"""Lines on the terminal that started the local cloud."""

import contextlib
import os
import threading

_lock = threading.Lock()


def say(line: str, *, error: bool = False) -> None:
    """Write one line to standard output (or error), whole even between threads.

    It must not fail when the terminal is gone, since the local cloud still has to stop in order.
    `print` would raise, and once more when Python exits.
    """
    text = f"{printable(line)}\n".encode()
    with _lock, contextlib.suppress(OSError):
        while text:
            text = text[os.write(2 if error else 1, text) :]


def printable(text: str) -> str:
    """Return text that is safe to show.

    A request's path or a function's log may hold line breaks and control sequences. They are
    escaped, so that the terminal does not obey them.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
