"""What the web client is told about its stack, and what its pages may do.

Both come from the outputs of the stack, here and nowhere else: for the local cloud, for CloudFront
(template.yaml spells the headers as CloudFormation, and a test compares) and for any other host.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Person", "Site", "is_page"]


@dataclass(frozen=True, kw_only=True)
class Person:
    """Someone of the local seed, who is offered with one click."""

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
        Who is offered with one click, on a machine that has a seed.
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

        Parameters
        ----------
        more
            `people` and `password`, on a machine that has a seed.
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

        Pages load nothing from elsewhere, run no code that stands in a page, talk to this stack
        alone and stand in nobody's frame. `upgrade-insecure-requests` is not among them, since
        locally there is no TLS.
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
        """Return the policy alone, for who writes it elsewhere."""
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
    """Whether a path is answered with index.html, which then shows what belongs there.

    All others are files. A handle may have a dot, a file of the client has one.
    """
    return path.startswith("/messages/") or "." not in path


def _origin(url: str) -> str:
    """The part of an address that a policy names; empty for an address on the pages' own origin."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
