"""The errors of this project, and the HTTP status and codes of each.

::

    MessagingError
    ├── MissingSettingError     an environment variable that a function needs is not set
    ├── UnreadableItemError     an item or a record lacks what its kind has
    └── RequestError            a request that was not carried out, as far as is known
        ├── BadRequestError         400  the body is not a JSON object in UTF-8
        ├── ForeignEventError       400  the event is not one that the function is for
        ├── UnauthorizedError       401  no identity from the gateway
        ├── TokenUseError           403  the token is not an access token
        ├── UserNotRegisteredError  403  the identity has no row in the directory
        ├── UserNotFoundError       404  no user has that handle
        ├── MessageGroupNotFoundError 404  no such group, or the caller is not in it
        ├── RouteNotFoundError      404  the path fits no route
        ├── InvalidRequestError     422  broken rules, all of them at once
        └── TryAgainError           503  throttled, in conflict to the end, or a store is down

`api` turns a ``RequestError`` into a problem object (RFC 9457); nothing else maps errors.
"""

from collections.abc import Sequence
from http import HTTPStatus


class MessagingError(Exception):
    """Anything that goes wrong in a way this project knows."""


class MissingSettingError(MessagingError):
    """An environment variable that a function needs is not set."""


class UnreadableItemError(MessagingError):
    """An item of the table, or a record of its stream, lacks what its kind has."""


class RequestError(MessagingError):
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
    """The gateway gave no identity."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"


class TokenUseError(RequestError):
    """The token is not an access token; the gateway lets id tokens through, too."""

    status = HTTPStatus.FORBIDDEN
    code = "token_use_invalid"


class UserNotRegisteredError(RequestError):
    """The identity has no row in the directory."""

    status = HTTPStatus.FORBIDDEN
    code = "user_not_registered"


class UserNotFoundError(RequestError):
    """No user has that handle."""

    status = HTTPStatus.NOT_FOUND
    code = "user_not_found"


class MessageGroupNotFoundError(RequestError):
    """No such group, a malformed uuid, or a caller who is not in it: nobody learns which."""

    status = HTTPStatus.NOT_FOUND
    code = "message_group_not_found"


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
