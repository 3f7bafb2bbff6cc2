"""The sign-ins of the user pool."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from commands.targets import Target

# The largest page of Cognito.
PAGE_SIZE = 60


def list_sign_ins(target: Target, *, handle: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the users of the pool as rows, page by page; of one handle where it is given.

    The keys of a row: cognito_user_id, handle, display_name, email, email_verified, status,
    enabled, created_at.
    """
    arguments: dict[str, Any] = {"UserPoolId": target.output("UserPoolId")}
    pages = (
        target.client("cognito-idp")
        .get_paginator("list_users")
        .paginate(**arguments, PaginationConfig={"PageSize": PAGE_SIZE})
    )
    for page in pages:
        for user in page["Users"]:
            row = _row(user)
            if handle is None or row["handle"].lower() == handle.lower():
                yield row


def sign_in(target: Target, cognito_user_id: str) -> dict[str, Any] | None:
    """Return the sign-in with an id, as `list_sign_ins` does; None if there is none."""
    try:
        sub = str(UUID(cognito_user_id))  # a quote in the text would change the filter
    except ValueError:
        return None
    found = target.client("cognito-idp").list_users(
        UserPoolId=target.output("UserPoolId"), Filter=f'sub = "{sub}"'
    )["Users"]
    return _row(found[0]) if found else None


def _row(user: Any) -> dict[str, Any]:
    attributes = attributes_of(user.get("Attributes", []))
    return {
        "cognito_user_id": attributes.get("sub", user["Username"]),
        "handle": attributes.get("preferred_username", ""),
        "display_name": attributes.get("name", ""),
        "email": attributes.get("email", ""),
        "email_verified": attributes.get("email_verified") == "true",
        "status": user.get("UserStatus"),
        "enabled": user.get("Enabled"),
        "created_at": str(user.get("UserCreateDate", "")),
    }


def attributes_of(pairs: Any) -> dict[str, str]:
    """Return Cognito's pairs of Name and Value as a dictionary."""
    return {pair["Name"]: pair.get("Value", "") for pair in pairs}
