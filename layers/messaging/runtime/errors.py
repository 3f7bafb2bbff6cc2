"""The errors that every part of this project can raise, and the HTTP status and codes of each.

::

    ApplicationError
    ├── MissingSettingError     an environment variable that a function needs is not set
    └── RequestError            a request that was not carried out, as far as is known
        ├── BadRequestError     400  the body is not a JSON object in UTF-8
        ├── ForeignEventError   400  the event is not one that the function is for
        ├── UnauthorizedError   401  nobody has shown who they are
        ├── TokenUseError       403  the token is not an access token
        ├── RouteNotFoundError  404  the path fits no route
        ├── InvalidRequestError 422  broken rules, all of them at once
        └── TryAgainError       503  throttled, in conflict to the end, or a store is down

`messaging.errors` and `directory.errors` add theirs. `api` answers a ``RequestError`` with a
problem object (RFC 9457); nothing else turns errors into answers.
"""

from collections.abc import Sequence
from http import HTTPStatus


class ApplicationError(Exception):
    """Anything that goes wrong in a way this project knows."""


class MissingSettingError(ApplicationError):
    """An environment variable that a function needs is not set."""


class RequestError(ApplicationError):
    """A request that was not carried out; after `TryAgainError` a message may be stored.

    Attributes
    ----------
    status
        HTTP status of the answer.
    codes
        What went wrong, for programs; each is stable. A kind that can mean one thing only has
        its `code`, the others are raised with theirs.
    headers
        Further headers of the answer.
    """

    status: HTTPStatus
    code: str
    headers: dict[str, str] = {}  # noqa: RUF012  # a constant of the class

    def __init__(self, codes: Sequence[str] = ()) -> None:
        self.codes = list(codes) or [self.code]
        super().__init__(", ".join(self.codes))


class BadRequestError(RequestError):
    """The body is not a JSON object in UTF-8."""

    status = HTTPStatus.BAD_REQUEST


class ForeignEventError(RequestError):
    """The event is not one that the function is for: somebody wired or invoked it wrongly."""

    status = HTTPStatus.BAD_REQUEST
    code = "event_not_supported"

    def __init__(self, expected: str) -> None:
        super().__init__()
        self.args = (f"{self.code}: this function expects {expected}",)


class UnauthorizedError(RequestError):
    """The gateway gave no identity, or a connection has no good ticket."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"


class TokenUseError(RequestError):
    """The token is not an access token; the gateway lets id tokens through, too."""

    status = HTTPStatus.FORBIDDEN
    code = "token_use_invalid"


class RouteNotFoundError(RequestError):
    """The path fits no route."""

    status = HTTPStatus.NOT_FOUND
    code = "route_not_found"


class InvalidRequestError(RequestError):
    """Broken rules of a body or a query, all of them at once."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class TryAgainError(RequestError):
    """Throttled, in conflict to the end, out of time, or a store is down."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "try_again"
    headers = {"Retry-After": "1"}  # noqa: RUF012  # a constant of the class
