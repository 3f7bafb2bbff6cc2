"""Which requests may come in at a local port: those of programs, and of web pages by their origin.

Browsers let every web page send requests to this machine. The Origin header says which page sent
one. With DNS rebinding, a stranger makes a name of his own lead to 127.0.0.1, so that his page has
the same origin as this port; but the Host header then has that name. The AWS engine's process
imports this module, too: it needs the standard library only.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

__all__ = ["AccessPolicy", "is_engine_path"]

_HTTP = 80
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
# Nothing else: what comes in may stand in an answer, and there in a policy or in JSON.
_HOST = re.compile(r"([\w.-]+|\[[\w:.%]+\])(?::\d*)?", re.ASCII)
# Public name servers never have names with these endings, nor names without a dot.
_PRIVATE = (".localhost", ".local", ".internal")


@dataclass(frozen=True, kw_only=True)
class AccessPolicy:
    """Lets in programs, which send no Origin header, and the pages of certain origins.

    Attributes
    ----------
    origins
        Origins of pages that may come in; "*" stands for all.
    page_port
        Pages that this machine serves at this port may come in, too.
    """

    origins: Sequence[str] = ()
    page_port: int | None = None

    def refusal(self, host: str | None, origin: str | None) -> str | None:
        """Return why a request with these two headers is refused; None when it may come in."""
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


def is_engine_path(path: str) -> bool:
    """Tell whether a path belongs to the AWS engine itself, not to AWS: it needs no signature."""
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
