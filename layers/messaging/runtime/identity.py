"""Who has sent a request, as the gateway has verified it."""

import time
from datetime import UTC, datetime
from typing import Any

from runtime import sam_local
from runtime.api import Request
from runtime.errors import TokenUseError, UnauthorizedError


def subject(request: Request) -> str:
    """Return the ``sub`` of the access token that the gateway verified.

    Raises
    ------
    UnauthorizedError
        The event carries no verified token.
    TokenUseError
        The token is of another kind.
    """
    claims = _claims(request)
    if not claims.get("sub"):
        raise UnauthorizedError
    if claims.get("token_use") != "access":
        raise TokenUseError
    return str(claims["sub"])


def token_expires_at(request: Request) -> datetime:
    """Return when the access token ends that the gateway verified."""
    return datetime.fromtimestamp(int(_claims(request)["exp"]), tz=UTC)


def _claims(request: Request) -> dict[str, Any]:
    if "authorizer" in request.context:
        return ((request.context["authorizer"] or {}).get("jwt") or {}).get("claims") or {}
    # Only `sam local` leaves it out.
    return sam_local.claims(request.headers.get("authorization"), now=time.time())
