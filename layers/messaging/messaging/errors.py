"""What can be wrong with message groups and with the items of the table."""

from http import HTTPStatus

from runtime.errors import ApplicationError, RequestError


class UnreadableItemError(ApplicationError):
    """An item of the table, or a record of its stream, lacks what its kind has."""


class MessageGroupNotFoundError(RequestError):
    """No such group, a malformed uuid, or a caller who is not in it: nobody learns which."""

    status = HTTPStatus.NOT_FOUND
    code = "message_group_not_found"
