"""Who may come in at a local port: programs, and pages of the origins that are named.

A browser lets every page send requests to this machine; the Origin header says which page it was.
A stranger's name that suddenly leads to 127.0.0.1 (DNS rebinding) makes a page look like our own,
but the name stands in the Host header. Only the standard library: the AWS engine's process has it.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

__all__ = ["Door", "is_engines_own"]

_HTTP = 80
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
# Nothing else: what comes in may stand in an answer, and there in a policy or in JSON.
_HOST = re.compile(r"([\w.-]+|\[[\w:.%]+\])(?::\d*)?", re.ASCII)
# No public name server has names that end so; those without a dot are of the local network, too.
_PRIVATE = (".localhost", ".local", ".internal")


@dataclass(frozen=True, kw_only=True)
class Door:
    """Lets in whoever is no page; pages of `origins` ("*" for all) and of our own `page_port`."""

    origins: Sequence[str] = ()
    page_port: int | None = None

    def refusal(self, host: str | None, origin: str | None) -> str | None:
        """Why a request with these two headers stays outside; None when it may come in."""
        found = _HOST.fullmatch(host or "")
        name = found[1].strip("[]").lower() if found else None
        if name is None or not _is_private(name):
            return "The Host header is no name of this machine: use its address or localhost."
        if origin is None or {origin, "*"}.intersection(self.origins):
            return None
        return None if self._is_our_page(origin, name) else "Pages of this origin may not come in."

    def _is_our_page(self, origin: str, name: str) -> bool:
        page = _name_in(origin)
        written = f"[{page}]" if ":" in str(page) else page
        port = "" if self.page_port == _HTTP else f":{self.page_port}"
        return page in {*_LOOPBACK, name} and origin == f"http://{written}{port}"


def is_engines_own(path: str) -> bool:
    """Whether a path is one of the AWS engine's own, which need no signature, not AWS's."""
    path = unquote(path)
    return path == "/health" or any(part.startswith("_") for part in path.split("/"))


def _name_in(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_private(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(_PRIVATE)
    return True
