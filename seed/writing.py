"""Writing the examples: users, their sign-ins and their conversations.

However often this is done, the state is the same: uuids are fixed, and a conversation that is there
keeps the times of its first seeding.
"""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

import psycopg2

from administration.operations import OperationError, perform
from messaging import keys
from messaging.entities import Marks, Members, Message, MessageGroupRow, Pair, advances
from messaging.moves import move_row
from messaging.repository import NewMessageGroup, Repository
from runtime.deadline import Deadline
from runtime.user import User
from seed.examples import (
    BETWEEN_MESSAGES,
    PASSWORD,
    SeedMessageGroup,
    SeedUser,
    seed_message_groups,
    seed_rows,
    seed_users,
)

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient


class SeedError(Exception):
    """The existing data contradict the examples; the message says in what."""


def write_examples(
    *,
    dynamodb: "DynamoDBClient",
    cognito: "CognitoIdentityProviderClient",
    table_name: str,
    user_pool_id: str,
    database_url: str,
    now: datetime,
) -> None:
    """Write users, sign-ins and conversations, as far as they are missing.

    Raises
    ------
    SeedError
        Two seeded users have another conversation already, or a seeded handle is somebody else's.
    """
    users = seed_users()
    repository = Repository(dynamodb, table_name, deadline=Deadline())
    connection = psycopg2.connect(database_url)
    try:
        _write_rows(connection)
        for user in users:
            if user.signs_in:
                _write_sign_in(connection, cognito, user_pool_id, user)
    finally:
        connection.close()
    write_conversations(repository, now)


def write_conversations(repository: Repository, now: datetime) -> None:
    """Write the message groups of the seed with their messages.

    Raises
    ------
    SeedError
        Two seeded users have another conversation already.
    """
    users = {user.user.handle: user.user for user in seed_users()}
    for group in seed_message_groups():
        _write_message_group(repository, group, users, now)


def _write_rows(connection: psycopg2.extensions.connection) -> None:
    try:
        perform(connection, {"action": "seed", **seed_rows()})
    except OperationError as error:
        raise SeedError(str(error)) from error


def _write_sign_in(
    connection: psycopg2.extensions.connection,
    cognito: "CognitoIdentityProviderClient",
    user_pool_id: str,
    user: SeedUser,
) -> None:
    """Make a sign-in, and link the user's row with it."""

    def link(cognito_user_id: str) -> None:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "UPDATE public.users SET cognito_user_id = %s WHERE uuid = %s",
                (cognito_user_id, user.user.uuid),
            )

    try:
        found = cognito.admin_get_user(UserPoolId=user_pool_id, Username=user.email)
        attributes = found["UserAttributes"]
    except cognito.exceptions.UserNotFoundException:
        link("MOCK")  # PreSignUp refuses a handle whose row is linked with a sign-in
        made = cognito.admin_create_user(
            UserPoolId=user_pool_id,
            Username=user.email,
            MessageAction="SUPPRESS",
            UserAttributes=[
                {"Name": "email", "Value": user.email},
                {"Name": "email_verified", "Value": "true"},
                {"Name": "name", "Value": user.user.display_name},
                {"Name": "preferred_username", "Value": user.user.handle},
            ],
        )
        attributes = made["User"]["Attributes"]
    cognito.admin_set_user_password(
        UserPoolId=user_pool_id, Username=user.email, Password=PASSWORD, Permanent=True
    )
    link(next(pair["Value"] for pair in attributes if pair["Name"] == "sub"))


def _row(group: SeedMessageGroup, owner: User, other: User, last: Message) -> MessageGroupRow:
    row = MessageGroupRow.for_owner(owner.uuid, other=other, last=last)
    flags = {
        "marked_unread": owner.handle in group.marked_unread,
        "muted": owner.handle in group.muted,
    }
    return replace(row, marks=Marks(read_sk=row.marks.read_sk, **flags))


def _write_message_group(
    repository: Repository,
    group: SeedMessageGroup,
    users: dict[str, User],
    now: datetime,
) -> None:
    """Write the group with its last message, then all messages.

    In this order E finds the group complete when it gets any of the messages.
    """
    existing = repository.get_members(group.uuid)
    begins = existing.created_at if existing else group.begins(now)
    messages = [
        Message.from_sender(
            users[handle],
            message_group_uuid=group.uuid,
            sk=keys.message_sk(
                keys.Position(
                    begins + number * BETWEEN_MESSAGES, str(uuid5(UUID(group.uuid), str(number)))
                )
            ),
            message=text,
        )
        for number, (handle, text) in enumerate(group.messages)
    ]
    one, other = (users[handle] for handle in group.members)
    new = NewMessageGroup(
        pair=Pair(user_uuids=(one.uuid, other.uuid), message_group_uuid=group.uuid),
        members=Members(
            message_group_uuid=group.uuid,
            member_uuids=frozenset({one.uuid, other.uuid}),
            created_at=begins,
        ),
        rows=[_row(group, one, other, messages[-1]), _row(group, other, one, messages[-1])],
        first=messages[-1],
    )
    standing = repository.create_message_group(lambda: new)
    if isinstance(standing, Pair) and standing.message_group_uuid != group.uuid:
        raise SeedError(
            f"{one.handle} and {other.handle} have the conversation "
            f"{standing.message_group_uuid}; the seed would make {group.uuid}. "
            "Seed an empty table."
        )
    for message in messages:
        repository.put_message(message)
    for user in (one, other):
        move_row(repository, user.uuid, group.uuid, advances(messages, user.uuid))
