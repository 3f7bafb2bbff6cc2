"""Who has sent a request, as the gateway has verified it."""

import time

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from runtime import sam_local
from runtime.errors import TokenUseError, UnauthorizedError


def subject(app: APIGatewayHttpResolver) -> str:
    """Return the ``sub`` of the access token that the gateway verified.

    Raises
    ------
    UnauthorizedError
        The event carries no verified token.
    TokenUseError
        The token is of another kind.
    """
    context = app.current_event.raw_event["requestContext"]
    if "authorizer" in context:
        claims = ((context["authorizer"] or {}).get("jwt") or {}).get("claims") or {}
    else:  # only `sam local` leaves it out
        claims = sam_local.claims(app.current_event.headers.get("authorization"), now=time.time())
    if not claims.get("sub"):
        raise UnauthorizedError
    if claims.get("token_use") != "access":
        raise TokenUseError
    return str(claims["sub"])
