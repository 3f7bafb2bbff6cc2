"""The examples: users, their conversations and one activity, read from the files in `data/`."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

from runtime.user import User

# For the local user pool only, which forgets it with everything else.
PASSWORD = "Cruddur-1234"  # noqa: S105  # not a secret

BETWEEN_MESSAGES = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class SeedUser:
    """A user of the seed; `cognito_user_id` is None for those who can sign in."""

    user: User
    email: str
    cognito_user_id: str | None

    @property
    def signs_in(self) -> bool:
        """Whether they get a sign-in in the local user pool, with `PASSWORD`."""
        return self.cognito_user_id is None


@dataclass(frozen=True, kw_only=True)
class SeedMessageGroup:
    """A message group of the seed.

    Attributes
    ----------
    members
        The handles of the two members.
    messages
        The handle of the sender and the text of each message.
    marked_unread, muted
        The handles of the members who have marked it so.
    """

    uuid: str
    members: tuple[str, str]
    ended: str
    messages: list[tuple[str, str]]
    marked_unread: frozenset[str]
    muted: frozenset[str]

    def begins(self, now: datetime) -> datetime:
        """Return when the first message was written, seen from the first seeding."""
        match self.ended:
            case "two hours ago":
                last = now - timedelta(hours=2)
            case "last year":
                last = datetime(now.year - 1, 12, 30, 18, 0, tzinfo=now.tzinfo)
            case other:
                raise ValueError(f"unknown end of a conversation: {other}")
        return last - (len(self.messages) - 1) * BETWEEN_MESSAGES


def seed_users() -> list[SeedUser]:
    """Return the users of the seed."""
    return [
        SeedUser(
            user=User(
                uuid=row["uuid"], handle=row["handle"], display_name=row["handle"].capitalize()
            ),
            email=f"{row['handle']}@example.com",
            cognito_user_id=row.get("cognito_user_id"),
        )
        for row in _data("users.json")
    ]


def seed_message_groups() -> list[SeedMessageGroup]:
    """Return the message groups of the seed."""
    return [
        SeedMessageGroup(
            uuid=row["uuid"],
            members=tuple(row["members"]),
            ended=row["ended"],
            messages=[(handle, text) for handle, text in row["messages"]],
            marked_unread=frozenset(row.get("marked_unread", ())),
            muted=frozenset(row.get("muted", ())),
        )
        for row in _data("message_groups.json")
    ]


def seed_rows() -> dict[str, list[dict[str, str]]]:
    """Return what the seed has for the directory: {"users": rows, "activities": rows}."""
    users = seed_users()
    uuids = {user.user.handle: user.user.uuid for user in users}
    return {
        "users": [
            vars(user.user)
            | {"email": user.email, "cognito_user_id": user.cognito_user_id or "MOCK"}
            for user in users
        ],
        "activities": [
            {
                "uuid": row["uuid"],
                "user_uuid": uuids[row["handle"]],
                "message": row["message"],
                "expires_in": row["expires_in"],
            }
            for row in _data("activities.json")
        ],
    }


def _data(name: str) -> Any:
    return json.loads(files("seed").joinpath("data", name).read_text())
