"""``bin/ddb/patterns/*``: the queries behind the API's lists, as an operator looks at them."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Annotated, Any

import typer

from cruddur import database
from cruddur.command import Run
from cruddur.ddb.paging import Reading
from cruddur.errors import CommandError
from cruddur.seed import seed_message_groups
from messaging import keys
from messaging.entities import Item, Pair
from messaging.repository import from_dynamodb, to_dynamodb

_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


def _is_cursor(text: str) -> str:
    """Return `text` if it is the sk of a row."""
    try:
        if text:
            keys.parse_message_sk(text)
    except ValueError:
        raise typer.BadParameter(f"not a cursor: {text}") from None
    return text


Limit = Annotated[int, typer.Option(min=1, help="So many rows at most: a page.")]
Cursor = Annotated[
    str,
    typer.Option(help="Go on where a page ended, as that page says.", callback=_is_cursor),
]
Since = Annotated[
    datetime | None, typer.Option(formats=_TIMES, help="From this time on; local without offset.")
]
Until = Annotated[
    datetime | None, typer.Option(formats=_TIMES, help="Before this time; local without offset.")
]


def get_conversation(
    run: Run,
    *,
    limit: Limit = 20,
    cursor: Cursor = "",
    since: Since = None,
    until: Until = None,
) -> None:
    """Print a conversation: the newest page, its messages in the order they were written.

    A conversation is named by its group's uuid, or by the handles of its two members; with one
    handle it is the one with that user's newest message, with none the seeded one.
    """
    group = _group(run, run.words)
    _print(
        run,
        keys.message_pk(group),
        _Page(limit=limit, cursor=cursor, since=since, until=until),
        empty=f"There is no message in the group {group}.",
    )


def list_conversations(
    run: Run,
    *,
    limit: Limit = 20,
    cursor: Cursor = "",
    since: Since = None,
    until: Until = None,
) -> None:
    """Print a user's message groups: the page with the newest messages, the newest last.

    The user is named by handle or uuid; with none it is a seeded one.
    """
    who = run.words[0] if run.words else _seeded()[1]
    _print(
        run,
        keys.message_group_pk(_user_uuid(run, who)),
        _Page(limit=limit, cursor=cursor, since=since, until=until),
        empty=f"{who} has no message group.",
    )


@dataclass(frozen=True, kw_only=True)
class _Page:
    """Which part of a partition is asked for; `cursor` is the sk of the row before the page."""

    limit: int
    cursor: str
    since: datetime | None
    until: datetime | None

    def condition(self, pk: str) -> dict[str, Any]:
        """Return what the Query needs: one row more than the page tells whether it is the last."""
        low = keys.format_time(self.since.astimezone()) if self.since else None
        # A cursor lies before `until` already, and a Query takes one condition on the sk.
        until = self.until if not self.cursor else None
        high = keys.format_time(until.astimezone()) if until else None
        condition = {
            (False, False): "",
            (True, False): " AND sk >= :low",
            (False, True): " AND sk < :high",
            (True, True): " AND sk BETWEEN :low AND :high",
        }[low is not None, high is not None]
        values = {":pk": pk, ":low": low, ":high": high}
        given = {name: value for name, value in values.items() if value is not None}
        arguments = {
            "KeyConditionExpression": "pk = :pk" + condition,
            "ExpressionAttributeValues": to_dynamodb(given),
            "ScanIndexForward": False,
            "Limit": self.limit + 1,
        }
        if self.cursor:
            arguments["ExclusiveStartKey"] = to_dynamodb({"pk": pk, "sk": self.cursor})
        return arguments


def _print(run: Run, pk: str, page: _Page, *, empty: str) -> None:
    reading = _query(run, **page.condition(pk))
    items = list(islice(reading.items(), page.limit + 1))
    rows = items[: page.limit]
    for item in reversed(rows):
        run.output.line(_line(item), item)
    cursor = str(rows[-1]["sk"]) if len(items) > page.limit else None
    if run.output.as_json:
        run.output.json({"summary": {"read_units": reading.capacity, "cursor": cursor}})
        return
    if not rows:
        typer.echo(empty, err=True)
    typer.echo(f"{len(rows)} rows, {reading.capacity:g} read units.", err=True)
    if cursor:
        typer.echo(f"Older ones: --cursor '{cursor}'", err=True)


def _query(run: Run, **arguments: Any) -> Reading:
    client = run.target.client("dynamodb")
    return Reading(client.query, TableName=run.target.output("TableName"), **arguments)


def _line(item: Item) -> str:
    """Return a row as the listing shows it: who, when by the local clock, what."""
    try:
        time = keys.parse_message_sk(str(item["sk"])).created_at.astimezone()
        when = f"{time:%Y-%m-%d %H:%M}"
    except ValueError:
        when = str(item["sk"])
    parts = [f"{item.get('user_handle', '?'):15}", when, str(item.get("message", ""))]
    if group := item.get("message_group_uuid"):
        parts.insert(2, str(group))
    return "  ".join(parts)


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
        page = _Page(limit=1, cursor="", since=None, until=None)
        newest = _query(run, **page.condition(keys.message_group_pk(users[0])))
        for item in newest.items():
            return str(item["message_group_uuid"])
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
