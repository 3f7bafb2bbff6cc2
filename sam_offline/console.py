"""Lines on the terminal that started the local cloud."""

import contextlib
import os
import threading

_lock = threading.Lock()


def say(line: str, *, error: bool = False) -> None:
    """Write one line to standard output (or error), whole even between threads.

    A terminal that is gone must not keep the local cloud from stopping in order, hence the
    plain write whose failure is ignored: print would raise, and again when Python exits.
    """
    text = f"{printable(line)}\n".encode()
    with _lock, contextlib.suppress(OSError):
        while text:
            text = text[os.write(2 if error else 1, text) :]


def printable(text: str) -> str:
    """`text` as the terminal shows it.

    What comes from outside, such as a request's path or a function's log, may hold line breaks
    and commands of the terminal: they are shown as Python writes them, and done by nobody.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
