"""``bin/ddb/patterns/*``: print the lists of the API."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile
from typing import Annotated, Any, Self

import typer

from commands import database
from commands.command import Run
from commands.ddb.paging import Reading, cost
from commands.errors import CommandError
from commands.output import quantity
from commands.terminal import note, plain
from messaging import keys
from messaging.attributes import from_dynamodb, to_dynamodb
from messaging.entities import Item, MessageGroupRow, Pair
from messaging.errors import UnreadableItemError
from seed.examples import seed_message_groups

_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


def _is_cursor(text: str) -> str:
    """Return `text` if it is a place in a list; raise BadParameter otherwise."""
    try:
        if text:
            keys.parse_message_sk(text)
    except ValueError:
        raise typer.BadParameter(f"not a cursor: {text}") from None
    return text


Limit = Annotated[int, typer.Option(min=1, help="The number of rows on a page.")]
Cursor = Annotated[
    str,
    typer.Option(help="Continue after an earlier page, which printed this.", callback=_is_cursor),
]
Since = Annotated[
    datetime | None,
    typer.Option(formats=_TIMES, help="From this time on; local time if it has no offset."),
]
Until = Annotated[
    datetime | None,
    typer.Option(formats=_TIMES, help="Before this time; local time if it has no offset."),
]


def get_conversation(
    run: Run,
    name: Annotated[
        str,
        typer.Argument(
            metavar="GROUP_UUID | HANDLE", help="The group, or a member of it.", show_default=False
        ),
    ] = "",
    other: Annotated[
        str,
        typer.Argument(metavar="HANDLE", help="The other member of the group.", show_default=False),
    ] = "",
    *,
    limit: Limit = 20,
    cursor: Cursor = "",
    since: Since = None,
    until: Until = None,
) -> None:
    """Print the newest page of a conversation, in the order in which it was written.

    A conversation is named by its group's uuid or by the handles of its two members. One handle
    stands for the newest conversation of that user, and none for the seeded one.
    """
    group = _group(run, [word for word in (name, other) if word])
    messages = _List.of_messages(group)

    def why_empty() -> str:
        if _newest(run, messages) is None:
            raise CommandError(f"There is no message in a message group {group}.")
        return f"There is no message in the group {group} in that time."

    page = _Page(limit=limit, cursor=cursor, since=since, until=until)
    _print(run, messages, page, why_empty=why_empty)


def list_conversations(
    run: Run,
    handle: Annotated[
        str,
        typer.Argument(metavar="HANDLE", help="Whose message groups.", show_default=False),
    ] = "",
    *,
    limit: Limit = 20,
    cursor: Cursor = "",
    since: Since = None,
    until: Until = None,
) -> None:
    """Print the newest page of a user's message groups, the newest first.

    A row says whether the group is unread and whether it is muted for that user.
    The user is named by handle or uuid; without a name it is a seeded one.
    """
    who = handle or _seeded()[1]
    _print(
        run,
        _List.of_message_groups(_user_uuid(run, who)),
        _Page(limit=limit, cursor=cursor, since=since, until=until),
        why_empty=lambda: f"{who} has no message group.",
    )


@dataclass(frozen=True, kw_only=True)
class _List:
    """A list: a partition of the table or of an index, in the order of the attribute `sort`.

    It is printed newest first. With `reads_downwards`, people see the page oldest first.
    """

    pk: str
    sort: str
    index: str | None = None
    reads_downwards: bool = False

    @classmethod
    def of_messages(cls, message_group_uuid: str) -> Self:
        return cls(pk=keys.message_pk(message_group_uuid), sort="sk", reads_downwards=True)

    @classmethod
    def of_message_groups(cls, user_uuid: str) -> Self:
        pk = keys.message_group_pk(user_uuid)
        return cls(pk=pk, sort="last_sk", index=keys.LIST_INDEX)

    def newest(self, run: Run, *, limit: int, before: str | None = None) -> Reading:
        """Return a reading of the rows before a place, newest first, `limit` at a time."""
        arguments: dict[str, Any] = {
            "TableName": run.target.output("TableName"),
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": to_dynamodb({":pk": self.pk}),
            "ScanIndexForward": False,
            "Limit": limit,
        }
        if before:
            arguments["KeyConditionExpression"] += f" AND {self.sort} < :before"
            arguments["ExpressionAttributeValues"] |= to_dynamodb({":before": before})
        if self.index:
            arguments["IndexName"] = self.index
        return Reading(run.target.client("dynamodb").query, **arguments)


@dataclass(frozen=True, kw_only=True)
class _Page:
    """Which part of a list is asked for; `cursor` is the place of the row before the page."""

    limit: int
    cursor: str
    since: datetime | None
    until: datetime | None

    @property
    def before(self) -> str | None:
        """The upper end of the page. A cursor is always before `until`."""
        return self.cursor or (keys.format_time(self.until.astimezone()) if self.until else None)

    @property
    def low(self) -> str:
        """The lower end of the page, which the Query cannot have: it takes one condition only."""
        return keys.format_time(self.since.astimezone()) if self.since else ""


def _print(run: Run, rows: _List, page: _Page, *, why_empty: Callable[[], str]) -> None:
    # One row more than the page has: it tells whether there are older ones.
    reading = rows.newest(run, limit=page.limit + 1, before=page.before)
    found = takewhile(lambda item: str(item[rows.sort]) >= page.low, reading.items())
    items = list(islice(found, page.limit + 1))
    shown = items[: page.limit]
    empty = "" if shown else why_empty()
    for item in reversed(shown) if rows.reads_downwards else shown:
        run.output.line(_line(item, rows.sort), item)
    cursor = str(shown[-1][rows.sort]) if len(items) > page.limit else None
    if run.output.as_json:
        units = {"read_units": reading.capacity} if run.target.on_aws else {}
        run.output.json({"summary": units | {"cursor": cursor}})
        return
    if empty:
        note(empty)
    note(f"{quantity(len(shown), 'row')}{cost(run, reading)}.")
    if cursor:
        note(f"Older ones: --cursor {shlex.quote(plain(cursor))}")


def _newest(run: Run, rows: _List) -> Item | None:
    """Return the newest row of a list."""
    return next(rows.newest(run, limit=1).items(), None)


def _line(item: Item, sort: str) -> str:
    """Return a row as the listing shows it: who, when by the local clock, what."""
    try:
        time = keys.parse_message_sk(str(item[sort])).created_at.astimezone()
        when = f"{time:%Y-%m-%d %H:%M}"
    except ValueError:
        when = str(item[sort])
    parts = [f"{item.get('user_handle', '?'):15}", when, str(item.get("message", ""))]
    if group := item.get("message_group_uuid"):
        parts[2:2] = [str(group), f"{_marks(item):12}"]
    return "  ".join(parts)


def _marks(item: Item) -> str:
    """Return the marks that a message group row has for its owner."""
    try:
        row = MessageGroupRow.from_item(item)
    except UnreadableItemError:
        return "?"
    marks = {"unread": row.is_unread, "muted": row.marks.muted}
    return " ".join(name for name, is_set in marks.items() if is_set)


def _seeded() -> tuple[str, str]:
    """Return the uuid of the seed's first group, and the handle of its first member."""
    group = seed_message_groups()[0]
    return group.uuid, group.members[0]


def _group(run: Run, words: list[str]) -> str:
    """Return the uuid of the group that is named on the command line."""
    if not words:
        return _seeded()[0]
    if len(words) == 1 and (uuid := _uuid(words[0])):
        return uuid
    users = [_user_uuid(run, word) for word in words]
    if len(users) == 1:
        if newest := _newest(run, _List.of_message_groups(users[0])):
            return str(newest["message_group_uuid"])
        raise CommandError(f"{words[0]} has no message group.")
    try:
        pk = keys.pair_pk(*users)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    answer = run.target.client("dynamodb").get_item(
        TableName=run.target.output("TableName"),
        Key=to_dynamodb({"pk": pk, "sk": keys.PAIR_SK}),
    )
    if "Item" not in answer:
        raise CommandError(f"{' and '.join(words)} have no message group.")
    return Pair.group_in(from_dynamodb(answer["Item"]))


def _user_uuid(run: Run, who: str) -> str:
    found = _uuid(who)
    return found or str(database.perform(run.target, "find-user", handle=who.lstrip("@"))["uuid"])


def _uuid(text: str) -> str | None:
    try:
        return keys.canonical_uuid(text)
    except ValueError:
        return None
