"""Who has sent a request, as the gateway has verified it."""

import time

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
    if "authorizer" in request.context:
        claims = ((request.context["authorizer"] or {}).get("jwt") or {}).get("claims") or {}
    else:  # only `sam local` leaves it out
        claims = sam_local.claims(request.headers.get("authorization"), now=time.time())
    if not claims.get("sub"):
        raise UnauthorizedError
    if claims.get("token_use") != "access":
        raise TokenUseError
    return str(claims["sub"])
