"""The sample events in events/: what each answers, and what it leaves in the stores.

One table, for the handlers on moto and for `sam local invoke`.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

import psycopg2
from psycopg2 import sql
from psycopg2.extras import RealDictCursor

from messaging import keys
from messaging.attributes import from_dynamodb, to_dynamodb
from messaging.entities import Item, Message
from messaging.errors import UnreadableItemError
from seed.examples import seed_message_groups, seed_users

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EVENTS = Path(__file__).parents[2] / "events"
LONG, OLD, SINGLE = (group.uuid for group in seed_message_groups())
USERS = {user.user.handle: user.user for user in seed_users()}

type Slot = tuple[str, str]

ALL_DONE = {"batchItemFailures": list[str]()}


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What an event does.

    Attributes
    ----------
    answer
        The function's answer, see `answer`.
    shows
        The message that both members' rows show in the end, by message group; where there was
        no such group, by ``new``. No other row changes.
    marks
        What the owners of rows have marked then that is other than before, by the rows' groups
        and pks.
    added
        What is written beside group rows: the beginnings of their pks, sorted.
    changed
        Items beside group rows that change in place, by their keys: the attributes that are
        others then.
    users
        Handles of the users who are written.
    changed_users
        Users who change in place, by their handles: the columns that are others then.
    """

    answer: Any
    shows: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[Slot, Mapping[str, Any]] = field(default_factory=dict)
    added: tuple[str, ...] = ()
    changed: Mapping[Slot, Mapping[str, Any]] = field(default_factory=dict)
    users: tuple[str, ...] = ()
    changed_users: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def problem(status: HTTPStatus, code: str) -> dict[str, Any]:
    body = {"type": "about:blank", "title": status.phrase, "status": status, "errors": [code]}
    return {"status": status, "body": body}


def sent(status: int, group: Any, number: str, text: str) -> dict[str, Any]:
    body = {
        "message_group_uuid": group,
        "uuid": f"00000000-0000-4000-8000-0000000000{number}",
        "display_name": "Sampler",
        "handle": "sampler",
        "message": text,
        "created_at": ANY,
    }
    return {"status": status, "body": body}


def moved(shows: Mapping[str, str], *, added: tuple[str, ...] = ()) -> Expected:
    return Expected(answer=ALL_DONE, shows=shows, added=added)


_SENT = (keys.MESSAGE_PREFIX, keys.SENT_PREFIX)
_ASKED = "Is the sample box on your side of the pier or on mine?"
_BAYKO = {"display_name": "Bayko", "handle": "bayko"}
_ROW = _BAYKO | {
    "uuid": SINGLE,
    "message": _ASKED,
    "created_at": ANY,
    "unread": True,
    "muted": False,
}
# Nobody but bayko has read there, who wrote the message.
_GROUP = _ROW | {
    "unread_count": 1,
    "read_up_to": None,
    "seen_up_to": {"created_at": ANY, "uuid": ANY},
}
_SAMPLER = {"uuid": USERS["sampler"].uuid, "handle": "sampler", "display_name": "Sampler"}
_NEW_GROUP = "Do you have the sample box?"
_EXISTING_GROUP = "On my side, under the bench."
_NEXT = "I bring it over at noon."

EXPECTED: dict[str, Expected] = {
    "list_messages/newest_first": Expected(
        answer={
            "status": 200,
            "body": [_BAYKO | {"uuid": ANY, "message": _ASKED, "created_at": ANY}],
        }
    ),
    "list_messages/not_a_member": Expected(
        answer=problem(HTTPStatus.NOT_FOUND, "message_group_not_found")
    ),
    "list_message_groups/newest_first": Expected(
        answer={
            "status": 200,
            "body": [_ROW],
        }
    ),
    "list_message_groups/with_counts": Expected(
        answer={
            "status": 200,
            "body": [_ROW | {"unread_count": 1}],
        }
    ),
    "list_message_groups/without_a_token": Expected(
        answer=problem(HTTPStatus.UNAUTHORIZED, "unauthorized")
    ),
    "create_message_group/new_group": Expected(
        answer=sent(201, ANY, "c1", _NEW_GROUP),
        shows={"new": _NEW_GROUP},
        added=(keys.MEMBERS_PREFIX, keys.MESSAGE_PREFIX, keys.PAIR_PREFIX, keys.SENT_PREFIX),
    ),
    "create_message_group/existing_group": Expected(
        answer=sent(200, SINGLE, "c2", _EXISTING_GROUP),
        shows={SINGLE: _EXISTING_GROUP},
        added=_SENT,
    ),
    "create_message/next_message": Expected(
        answer=sent(200, SINGLE, "d1", _NEXT), shows={SINGLE: _NEXT}, added=_SENT
    ),
    "create_message/blank_message": Expected(
        answer=problem(HTTPStatus.UNPROCESSABLE_CONTENT, "message_blank")
    ),
    "get_message_group/unread": Expected(answer={"status": 200, "body": _GROUP}),
    "get_message_group/not_a_member": Expected(
        answer=problem(HTTPStatus.NOT_FOUND, "message_group_not_found")
    ),
    "mark_message_group/muted": Expected(
        answer={"status": 200, "body": _GROUP | {"muted": True}},
        marks={(SINGLE, keys.message_group_pk(USERS["sampler"].uuid)): {"muted": True}},
    ),
    "mark_message_group/in_the_future": Expected(
        answer=problem(HTTPStatus.UNPROCESSABLE_CONTENT, "read_up_to_in_future")
    ),
    "get_me/sampler": Expected(answer={"status": 200, "body": _SAMPLER | {"read_receipts": True}}),
    "update_me/no_receipts": Expected(
        answer={"status": 200, "body": _SAMPLER | {"read_receipts": False}},
        added=(keys.USER_PREFIX,),
    ),
    "create_live_ticket/sampler": Expected(
        answer={"status": 201, "body": {"url": ANY, "ticket": ANY, "expires_at": ANY}},
        added=(keys.TICKET_PREFIX,),
    ),
    "connect_live/unknown_ticket": Expected(answer={"status": 401}),
    "connect_live/without_a_ticket": Expected(answer={"status": 401}),
    "disconnect_live/unknown_connection": Expected(answer={"status": 200}),
    # It is told so and closed, if the gateway knows it.
    "keep_live/unknown_connection": Expected(answer={"status": 200}),
    # Nobody is connected.
    "send_hints/new_group": Expected(answer=None),
    "send_hints/new_message": Expected(answer=None),
    "send_hints/read": Expected(answer=None),
    "get_user_short/bayko": Expected(
        answer={"status": 200, "body": _BAYKO | {"uuid": USERS["bayko"].uuid}}
    ),
    "get_user_short/unknown_handle": Expected(
        answer=problem(HTTPStatus.NOT_FOUND, "user_not_found")
    ),
    # A trigger that lets someone pass gives its event back.
    "check_sign_up/free_handle": Expected(answer="event"),
    "check_sign_up/taken_handle": Expected(answer={"error": "handle_taken"}),
    "confirm_user/new_user": Expected(answer="event", users=("tidal",)),
    "confirm_user/new_password": Expected(answer="event"),
    "confirm_user/signs_in": Expected(answer="event"),
    "confirm_user/signs_in_unregistered": Expected(answer="event", users=("tidal",)),
    # Somebody else has the handle; that keeps nobody from signing in.
    "confirm_user/signs_in_taken_handle": Expected(answer="event"),
    "administer_directory/again": Expected(answer={"applied": []}),
    "update_message_groups/insert": moved({LONG: "Are the sandwiches packed?"}),
    "update_message_groups/many_groups": moved(
        {LONG: "And the tea?", OLD: "Any news from the pier?", SINGLE: "Found the box."}
    ),
    "update_message_groups/duplicates": moved({LONG: "Twice, for the echo."}),
    "update_message_groups/out_of_order": moved({LONG: "Said second, came first."}),
    "update_message_groups/first_message": moved({}),
    "update_message_groups/modify_and_remove": moved({}),
    "update_message_groups/poison": moved({LONG: "After the poison."}, added=(keys.FAILED_PK,)),
    "update_message_groups/reference_key": moved({LONG: "In local time."}),
}


def event(name: str) -> Any:
    """Return a sample event, by its folder's and its own name."""
    return json.loads((EVENTS / f"{name}.json").read_text())


def answer(name: str, payload: Any) -> Any:
    """Return what a function answered, as the table has it.

    HTTP answers are ``{"status", "body"}``, those to a handshake only have the status, errors are
    ``{"error": message}``; "event" stands for the event itself.
    """
    if isinstance(payload, dict) and "statusCode" in payload:
        body = {"body": json.loads(payload["body"])} if "body" in payload else {}
        return {"status": payload["statusCode"]} | body
    if payload == event(name) and payload:
        return "event"
    if isinstance(payload, dict) and "errorMessage" in payload:
        return {"error": payload["errorMessage"]}
    return payload


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Everything in the table, and the users."""

    items: Mapping[Slot, Item]
    users: Mapping[str, Mapping[str, Any]]

    def rows(self) -> dict[Slot, Item]:
        """Return the group rows by group and owner, each of which has exactly one."""
        found = [item for (pk, _), item in self.items.items() if _is_row(pk)]
        slots = [(row["message_group_uuid"], row["pk"]) for row in found]
        twice = [slot for slot, number in Counter(slots).items() if number > 1]
        assert not twice, f"more than one row of a member: {twice}"
        return dict(zip(slots, found, strict=True))

    def others(self) -> dict[Slot, Item]:
        """Return what is beside the group rows."""
        return {key: item for key, item in self.items.items() if not _is_row(key[0])}


def _is_row(pk: str) -> bool:
    return pk.startswith(keys.MESSAGE_GROUP_PREFIX)


@dataclass(frozen=True, kw_only=True)
class Stores:
    """The table and the database that a function works on."""

    dynamodb: "DynamoDBClient"
    table_name: str
    database_url: str

    def read(self) -> Contents:
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.table_name, ConsistentRead=True
        )
        items = [from_dynamodb(item) for page in pages for item in page["Items"]]
        with self._cursor() as cursor:
            cursor.execute("SELECT * FROM public.users")
            users = {row["handle"]: dict(row) for row in cursor.fetchall()}
        return Contents(items={(item["pk"], item["sk"]): item for item in items}, users=users)

    def restore(self, before: Contents) -> None:
        """Make everything as it was."""
        after = self.read()
        for pk, sk in after.items.keys() - before.items.keys():
            self.dynamodb.delete_item(
                TableName=self.table_name, Key=to_dynamodb({"pk": pk, "sk": sk})
            )
        for key, item in before.items.items():
            if after.items.get(key) != item:
                self.dynamodb.put_item(TableName=self.table_name, Item=to_dynamodb(item))
        with self._cursor() as cursor:
            for handle in after.users.keys() - before.users.keys():
                cursor.execute("DELETE FROM public.users WHERE handle = %s", (handle,))
            for handle, row in before.users.items():
                if after.users.get(handle) != row:
                    names = sql.SQL(", ").join(map(sql.Identifier, row))
                    values = sql.SQL(", ").join(map(sql.Placeholder, row))
                    update = sql.SQL("UPDATE public.users SET ({}) = ({}) WHERE uuid = %(uuid)s")
                    cursor.execute(update.format(names, values), row)
        assert self.read() == before, "the stores are not as they were before the event"

    def _cursor(self) -> Any:
        return _committed(self.database_url)


class _committed:  # noqa: N801 - a context manager
    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url, cursor_factory=RealDictCursor)

    def __enter__(self) -> Any:
        return self._connection.cursor()

    def __exit__(self, *_: object) -> None:
        self._connection.commit()
        self._connection.close()


def new_messages(before: Contents, after: Contents) -> list[Item]:
    """Return the messages that came, as the stream has them."""
    return [
        item
        for key, item in after.items.items()
        if key not in before.items and key[0].startswith(keys.MESSAGE_PREFIX)
    ]


def messages_to_follow(before: Contents, after: Contents) -> list[Item]:
    """Return those of them that the mapping's filter lets through to E."""
    return [item for item in new_messages(before, after) if "first" not in item]


def differences(name: str, before: Contents, after: Contents) -> list[str]:
    """Return how the stores differ from what they held and what the event is to leave there.

    Each is a sentence that names the item or the user, what was expected and what was found.
    """
    messages = dict(_messages(name, before, after))
    return list(_differences(EXPECTED[name], messages, before, after))


def _differences(
    expected: Expected, messages: Mapping[str, Message], before: Contents, after: Contents
) -> Iterator[str]:
    yield from _row_differences(expected, messages, before.rows(), after.rows())
    yield from _compared("item", before.others(), after.others(), expected.changed)
    yield from _compared("user", before.users, after.users, expected.changed_users)
    added = [pk.partition("#")[0] for pk, sk in after.others().keys() - before.others().keys()]
    if sorted(added) != [beginning.rstrip("#") for beginning in expected.added]:
        yield f"added should be items of {list(expected.added)}, not of {sorted(added)}"
    users = sorted(after.users.keys() - before.users.keys())
    if users != sorted(expected.users):
        yield f"added should be the users {list(expected.users)}, not {users}"


def _messages(name: str, before: Contents, after: Contents) -> Iterator[tuple[str, Message]]:
    """Yield, by their texts, the messages that the event holds, or that it made."""
    images = [r["dynamodb"].get("NewImage", {}) for r in event(name).get("Records", ())]
    for item in [*map(from_dynamodb, images), *new_messages(before, after)]:
        with suppress(UnreadableItemError):
            message = Message.from_item(item)
            yield message.message, message


def _row_differences(
    expected: Expected,
    messages: Mapping[str, Message],
    before: Mapping[Slot, Item],
    after: Mapping[Slot, Item],
) -> Iterator[str]:
    """A row stands where it stood, and shows the group's last message and the other's last."""
    shows = expected.shows

    def shown(group: str, row: Item) -> Item:
        if group not in shows:
            return {}
        if shows[group] not in messages:
            return {"message": shows[group], "last_sk": "of a message that is not there"}
        last = messages[shows[group]]
        theirs = [
            message.place
            for message in messages.values()
            if message.message_group_uuid == last.message_group_uuid
            and message.user_uuid == row["user_uuid"]
        ]
        return {"message": last.message, "last_sk": last.place} | (
            {"their_sk": max(theirs)} if theirs else {}
        )

    changed = {
        slot: {**shown(slot[0], row), **expected.marks.get(slot, {})}
        for slot, row in before.items()
    }
    yield from _compared("row", before, after, changed)
    new = after.keys() - before.keys()
    if len(new) != (2 if "new" in shows else 0):
        yield f"added should be the rows of {'one group' if 'new' in shows else 'none'}, not {new}"
    made = {slot: after[slot] for slot in new}
    yield from _compared("row", made, made, {slot: shown("new", row) for slot, row in made.items()})


def _compared[Key](
    kind: str,
    before: Mapping[Key, Mapping[str, Any]],
    after: Mapping[Key, Mapping[str, Any]],
    changed: Mapping[Key, Mapping[str, Any]],
) -> Iterator[str]:
    """Compare what was there: as it was, but for the attributes in `changed`."""
    for key in changed.keys() - before.keys():
        yield f"the {kind} {key} should change, but was not there"
    for key, old in before.items():
        wanted = {**old, **changed.get(key, {})}
        found = after.get(key)
        if found is None:
            yield f"the {kind} {key} is gone"
        elif found != wanted:
            names = sorted(n for n in wanted.keys() | found if wanted.get(n) != found.get(n))
            for attribute in names:
                should, is_ = wanted.get(attribute), found.get(attribute)
                yield f"the {kind} {key} should have {attribute} {should!r}, not {is_!r}"
