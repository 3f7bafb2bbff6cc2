"""Where functions are measured: an engine, a database, and the events that they get."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from bench.conversations import TEXT, Conversation, record, user
from bench.database import Database, database
from bench.engine import Engine, engine
from messaging import keys
from messaging.entities import Message
from runtime.user import User

# The rows of a page, and the least messages of the conversation.
PAGE = 20


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where the functions run: the engine, the database, and a conversation of two people."""

    running: Engine
    directory: Database
    people: tuple[User, User]
    group: str

    def variables(self) -> dict[str, str]:
        """Return what the template cannot know."""
        return {
            "AWS_ENDPOINT_URL": self.running.url,
            "DATABASE_URL": self.directory.address,
            "TABLE_NAME": self.running.table_name,
        }

    def list_messages(self) -> dict[str, Any]:
        """Return a request for the newest page of the conversation."""
        return list_messages(self.people[0], self.group)

    def new_message(self) -> dict[str, Any]:
        """Return a batch with one message, newer than all before."""
        sk = keys.message_sk(keys.Position(datetime.now(UTC), str(uuid4())))
        message = Message.from_sender(
            self.people[0], message_group_uuid=self.group, sk=sk, message=TEXT
        )
        return {"Records": [record(message)]}


def list_messages(reader: User, group: str) -> dict[str, Any]:
    """Return a request for the newest page of a conversation."""
    return request(
        "GET",
        "/api/messages/{message_group_uuid}",
        by=reader,
        parameters={"message_group_uuid": group},
    )


def request(
    method: str,
    route: str,
    *,
    by: User,
    parameters: Mapping[str, str] | None = None,
    body: object = None,
) -> dict[str, Any]:
    """Return the event of a request that the gateway has let in."""
    claims = {"sub": by.handle, "token_use": "access"}
    return {
        "version": "2.0",
        "routeKey": f"{method} {route}",
        "rawPath": route,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "pathParameters": dict(parameters or {}),
        "requestContext": {
            "http": {"method": method, "path": route, "sourceIp": "127.0.0.1"},
            "requestId": "request",
            "stage": "$default",
            "authorizer": {"jwt": {"claims": claims, "scopes": None}},
        },
        "isBase64Encoded": False,
        "body": json.dumps(body),
    }


@contextmanager
def stage() -> Iterator[Stage]:
    """Start engine and database, and fill them with a conversation of one page."""
    with engine() as running, database() as directory:
        repository, _ = running.repository()
        people = user("grahams"), user("reef")
        for person in people:
            directory.add(person)
        conversation = Conversation(repository=repository, people=people)
        conversation.begin()
        for _ in range(PAGE):
            conversation.write(by=people[0])
        yield Stage(running=running, directory=directory, people=people, group=conversation.group)
