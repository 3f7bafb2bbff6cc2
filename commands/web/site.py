"""The configuration and the HTTP headers of the web client, from the outputs of its stack.

They are the same for the local cloud, for CloudFront and for any other host. template.yaml has the
headers a second time, as CloudFormation; a test compares them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Person", "Site", "is_page"]


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person of the local seed, as whom one can sign in with a click."""

    handle: str
    display_name: str
    email: str


@dataclass(frozen=True, kw_only=True)
class Site:
    """The web client of one stack.

    Attributes
    ----------
    api_url
        Base address of the API; "/" where it has the origin of the pages.
    socket_url
        Address of the WebSocket; empty for a stack without one.
    sign_in_url
        Where Cognito's API is.
    people, password
        People of the seed and their password, on the local cloud.
    """

    api_url: str
    socket_url: str
    sign_in_url: str
    user_pool_id: str
    user_pool_client_id: str
    people: Sequence[Person] = ()
    password: str = ""

    @classmethod
    def from_outputs(
        cls, outputs: Mapping[str, str], *, api_url: str = "/", sign_in_url: str = "", **more: Any
    ) -> "Site":
        """Return the client of the stack with these outputs, on AWS unless `sign_in_url` is given.

        `more` are `people` and `password`.
        """
        return cls(
            api_url=api_url,
            socket_url=outputs.get("LiveUrl", ""),
            sign_in_url=sign_in_url or f"https://cognito-idp.{outputs['Region']}.amazonaws.com",
            user_pool_id=outputs["UserPoolId"],
            user_pool_client_id=outputs["UserPoolClientId"],
            **more,
        )

    def config(self) -> dict[str, Any]:
        """Return what the client reads from /config.json."""
        return asdict(self)

    def headers(self) -> dict[str, str]:
        """Return the headers that come with every file of the client.

        Pages load nothing from other hosts, run no inline scripts, call this stack only, and cannot
        be put into a frame. There is no `upgrade-insecure-requests`, since the local cloud has no
        TLS.
        """
        return {
            "Content-Security-Policy": self.content_security_policy(),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }

    def content_security_policy(self) -> str:
        """Return the Content-Security-Policy alone."""
        urls = (self.api_url, self.socket_url, self.sign_in_url)
        connects = ["'self'", *(origin for url in urls if (origin := _origin(url)))]
        directives = [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "manifest-src 'self'",
            f"connect-src {' '.join(connects)}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types lit-html",
        ]
        return "; ".join(directives)


def is_page(path: str) -> bool:
    """Tell whether a path is one of the client's pages, which are all answered with index.html.

    Every file has a dot in its name; below /messages/ a dot is part of a handle.
    """
    return path.startswith("/messages/") or "." not in path


def _origin(url: str) -> str:
    """Return the origin of a URL; empty for one on the pages' own origin."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
