"""The users of the directory: who has a token or a handle, and who may sign up.

Who was found is remembered for a minute; that somebody was not found, never.
"""

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from cachetools import TTLCache

from directory.connection import Database, Row, database
from directory.errors import SignUpError, UserNotFoundError, UserNotRegisteredError
from directory.statements import statement
from runtime import environment
from runtime.text import is_blank
from runtime.user import User

# For so long somebody who was taken out of the directory can go on.
REMEMBERED_SECONDS = 60

# The database has the same limits. Group rows repeat the names, and have to stay below 1 KB.
MAX_DISPLAY_NAME_CHARS = 50
MAX_EMAIL_CHARS = 320
_HANDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,29}")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Who signs up, as Cognito describes them; what it does not know is empty.

    Attributes
    ----------
    email_is_proven
        Whether they have given back the code that was sent to this address.
    """

    cognito_user_id: str
    handle: str
    display_name: str
    email: str
    email_is_proven: bool

    @classmethod
    def from_trigger(cls, event: Mapping[str, Any]) -> Self:
        """Return the profile in the event of a user pool's trigger.

        Before confirmation there is no ``sub`` yet; it will be the same as the user name.
        """
        given = event["request"]["userAttributes"]
        attributes = {name: value for name, value in given.items() if isinstance(value, str)}
        return cls(
            cognito_user_id=attributes.get("sub", event["userName"]),
            handle=attributes.get("preferred_username", ""),
            display_name=attributes.get("name", ""),
            email=attributes.get("email", ""),
            email_is_proven=attributes.get("email_verified") == "true",
        )


def get_by_cognito_user_id(cognito_user_id: str) -> User:
    """Return the user with the ``sub`` of a token, or raise UserNotRegisteredError."""
    if not cognito_user_id.isprintable():  # PostgreSQL's text takes no NUL and no lone surrogate
        raise UserNotRegisteredError
    return _by_cognito_user_id(database(), cognito_user_id)


def get_by_handle(handle: str) -> User:
    """Return the user with that handle, in upper or lower case, or raise UserNotFoundError."""
    if not _HANDLE.fullmatch(handle):
        raise UserNotFoundError
    return _by_handle(database(), handle.lower())


def check_sign_up(profile: Profile) -> None:
    """Make sure that someone who signs up can be a user once they have confirmed.

    Raises
    ------
    SignUpError
        ``handle_invalid``, ``display_name_invalid``, ``email_invalid`` or ``handle_taken``. A row
        that waits for its person (its cognito_user_id is MOCK) is free for its e-mail address.
    """
    _validate(profile)
    if database().fetch_one(statement("users/holder_of_handle"), vars(profile)):
        raise SignUpError("handle_taken")


def register(profile: Profile) -> None:
    """Write someone who has confirmed, or link them with the row that waits for their address.

    The same again changes nothing. It is one statement, since Cognito waits only five seconds.
    Raises SignUpError as `check_sign_up` does, when somebody else was faster.
    """
    _validate(profile)
    if not database().fetch_one(statement("users/register"), vars(profile)):
        raise SignUpError("handle_taken")


def _validate(profile: Profile) -> None:
    if not _HANDLE.fullmatch(profile.handle):
        raise SignUpError("handle_invalid")
    email = profile.email
    if not email or len(email) > MAX_EMAIL_CHARS or not email.isprintable():
        raise SignUpError("email_invalid")
    name = profile.display_name
    if is_blank(name) or len(name) > MAX_DISPLAY_NAME_CHARS or not name.isprintable():
        raise SignUpError("display_name_invalid")


def _for_a_minute() -> TTLCache[Hashable, User]:
    return TTLCache(maxsize=1024, ttl=REMEMBERED_SECONDS)


@environment.cached(_for_a_minute, key=lambda _, cognito_user_id: cognito_user_id)
def _by_cognito_user_id(database: Database, cognito_user_id: str) -> User:
    row = database.fetch_one(
        statement("users/by_cognito_user_id"), {"cognito_user_id": cognito_user_id}
    )
    if row is None:
        raise UserNotRegisteredError
    return _user(row)


@environment.cached(_for_a_minute, key=lambda _, handle: handle)
def _by_handle(database: Database, handle: str) -> User:
    row = database.fetch_one(statement("users/short"), {"handle": handle})
    if row is None:
        raise UserNotFoundError
    return _user(row)


def _user(row: Row) -> User:
    return User(uuid=str(row["uuid"]), handle=row["handle"], display_name=row["display_name"])
