"""What can be wrong with users, and with the database that has them."""

from http import HTTPStatus

from runtime.errors import ApplicationError, RequestError


class DatabaseError(ApplicationError):
    """The database refuses a statement."""


class SignUpError(ApplicationError):
    """Someone cannot sign up as they are; Cognito shows its text to them."""


class UserNotRegisteredError(RequestError):
    """The identity has no row in the directory."""

    status = HTTPStatus.FORBIDDEN
    code = "user_not_registered"


class UserNotFoundError(RequestError):
    """No user has that handle."""

    status = HTTPStatus.NOT_FOUND
    code = "user_not_found"
