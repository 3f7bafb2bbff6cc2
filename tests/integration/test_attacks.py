"""Every route, asked by everybody who could ask, for everything that they could ask for.

The routes come from the template and the bodies from the contract, so that a new route is attacked
before anybody thinks of it. After each request the table is compared with what it was before, and
the calls that were made are looked at: nothing is read or written for who may not.
"""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from messaging import keys
from runtime.user import User
from tests.fakes.gateway import Gateway
from tests.fakes.people import GRAHAMS, REEF
from tests.fakes.tokens import FORGED
from tests.integration.attacked import (
    GROUPS,
    MESSAGES,
    SECRET,
    STRANGER,
    Cell,
    World,
    people,
    remove_from_directory,
    world,
)

__all__ = ["people", "world"]


def test_who_has_no_good_token_ends_at_the_gateway(
    world: World, tell: Callable[[str], None]
) -> None:
    cells = list(world.cells())
    before = world.items()
    for name, token in FORGED.items():
        for cell in cells:
            authorization = token(world.pool, "grahams")
            answer = world.send(cell.route.method, cell.target, authorization, cell.body)
            assert (answer.status, answer.body) == (401, {"message": "Unauthorized"}), (
                name,
                cell,
            )
    assert world.invoked == []
    assert world.items() == before
    tell(f"{len(cells)} cells for each of {len(FORGED)} who have no good token")


@pytest.mark.proof
@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("an id token", "token_use_invalid"),
        ("a user without a row", "user_not_registered"),
        ("a removed user", "user_not_registered"),
    ],
)
def test_who_may_not_use_the_api_gets_403_and_nothing_else(
    world: World, who: str, code: str, database_url: str, tell: Callable[[str], None]
) -> None:
    cells = list(world.cells())
    if who == "a removed user":
        remove_from_directory(database_url, "grahams")
    token = {
        "an id token": world.pool.id_token("grahams"),
        "a user without a row": world.pool.access_token("of no row"),
        "a removed user": world.pool.access_token("grahams"),
    }[who]
    for cell in cells:
        answer, done = world.attack(cell, f"Bearer {token}")
        assert answer.status == 403, cell
        assert answer.errors == [code], cell
        assert not done.calls, cell
        assert not done.changed, cell
    tell(f"{len(cells)} cells: {who}")


@pytest.mark.proof
@pytest.mark.parametrize("who", [STRANGER, GRAHAMS], ids=lambda user: user.handle)
def test_who_is_signed_in_reads_and_writes_only_their_own(
    world: World, who: User, tell: Callable[[str], None]
) -> None:
    token = f"Bearer {world.pool.access_token(who.handle)}"
    cells = list(world.cells())
    refusals: dict[str, set[str]] = {}
    for cell in cells:
        answer, done = world.attack(cell, token)
        assert answer.status in expected(cell, who), (cell, answer)
        texts = json.dumps(answer.body)
        if answer.status >= 400:
            # Whether somebody is a member is all that is looked at.
            assert {call.leading_key.partition("#")[0] for call in done.calls} <= {"MEMBERS"}, cell
            refusals.setdefault(f"{cell.route} {answer.status}", set()).add(texts)
        if answer.status >= 400 or cell.route.method == "GET":
            assert not done.changed, cell
        assert SECRET not in texts or who == GRAHAMS, cell
        assert world.groups_of_others not in texts, cell
        for key in done.changed:
            assert world.groups_of_others not in "".join(key), cell
            # A group that is new gives its other member a row, too.
            is_new_row = key[0].startswith(keys.MESSAGE_GROUP_PREFIX) and key not in done.before
            assert done.owner(key) in {None, who.uuid} or is_new_row, cell
    # What is not there, what is not theirs and what is nonsense look the same.
    assert {route: len(bodies) for route, bodies in refusals.items() if len(bodies) > 1} == {}
    tell(f"{len(cells)} cells: {who.handle}")


def expected(cell: Cell, who: User) -> set[int]:
    """The statuses that somebody who is signed in may get."""
    names_group = "message_group_uuid" in {*(cell.body or {})} or "{message" in cell.route.path
    if names_group:
        return {200} if who == GRAHAMS and cell.object in {"own", "oneself"} else {404}
    names_handle = "handle" in {*(cell.body or {})} or "{handle}" in cell.route.path
    if names_handle and cell.object in {"none", "malformed"}:
        return {404}
    if "handle" in {*(cell.body or {})} and cell.object == "oneself" and who == GRAHAMS:
        return {422}
    return {200, 201}


def cursors(world: World, target: str, handle: str) -> Iterator[str]:
    """The cursors that a list gives to somebody."""
    token = f"Bearer {world.pool.access_token(handle)}"
    answer = world.send("GET", f"{target}?limit=1", token)
    for part in answer.headers.get("link", "").split(", "):
        _, found, rest = part.partition("cursor=")
        if found:
            yield rest.partition(">")[0].partition("&")[0]


def forged(cursor: str) -> Iterator[str]:
    """Cursors that somebody makes of one: cut, longer, with other letters and other contents."""
    yield from (cursor[:length] for length in range(len(cursor)))
    yield from (
        cursor[:at] + letter + cursor[at + 1 :]
        for at in range(0, len(cursor), 5)
        for letter in "A_-=%"
    )
    yield cursor * 2
    direction, sk = "o", base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()[1:]
    for text in (
        f"x{sk}",
        sk,
        f"{direction}{sk}\0",
        f"{direction}{sk}#{sk}",
        f"{direction}9999-12-31T23:59:59.999999+00:00#~",
        f"{direction}0001-01-01T00:00:00.000000+00:00",
        f"{direction}GRP#{REEF.uuid}",
        f"{direction}MSG#{sk}",
        f"{direction}{{}}",
    ):
        yield base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.proof
def test_a_cursor_shows_nothing_but_the_callers_own_list_wherever_it_comes_from(
    world: World, gateway: Gateway, tell: Callable[[str], None]
) -> None:
    """Cut, forged, and swapped between routes, users and groups."""
    lists = {
        "grahams": [GROUPS, f"{MESSAGES}/{world.group}"],
        "reef": [GROUPS, f"{MESSAGES}/{world.group}", f"{MESSAGES}/{world.groups_of_others}"],
    }
    for text in ("two", "three"):
        for group in (world.group, world.groups_of_others):
            gateway.post(MESSAGES, {"message_group_uuid": group, "message": text}, by="reef")
    taken = {
        cursor
        for handle, targets in lists.items()
        for target in targets
        for cursor in cursors(world, target, handle)
    }
    assert len(taken) > 4
    tried = taken | {forgery for cursor in sorted(taken)[:1] for forgery in forged(cursor)}
    token = f"Bearer {world.pool.access_token('grahams')}"
    before = world.items()
    for target in lists["grahams"]:
        own = {row["uuid"] for row in world.send("GET", target, token).body}
        for cursor in sorted(tried):
            answer = world.send("GET", f"{target}?cursor={cursor}", token)
            if answer.status == 200:
                assert {row["uuid"] for row in answer.body} <= own, cursor
            else:
                assert (answer.status, answer.errors) == (422, ["cursor_invalid"]), cursor
    strange = f"{MESSAGES}/{world.groups_of_others}"
    for cursor in sorted(taken):
        assert world.send("GET", f"{strange}?cursor={cursor}", token).status == 404
    assert world.items() == before
    tell(f"{2 * len(tried) + len(taken)} cursors")


@pytest.mark.proof
def test_a_position_of_elsewhere_marks_nothing_but_the_callers_own_row(
    world: World, gateway: Gateway, tell: Callable[[str], None]
) -> None:
    (foreign,) = gateway.get(f"{MESSAGES}/{world.groups_of_others}", by="bayko").body
    (own,) = gateway.get(f"{MESSAGES}/{world.group}", by="grahams").body
    time, uuid = own["created_at"], own["uuid"]
    positions: list[Any] = [
        {"created_at": foreign["created_at"], "uuid": foreign["uuid"]},
        {"created_at": time, "uuid": foreign["uuid"]},
        {"created_at": foreign["created_at"], "uuid": uuid},
        {"created_at": "0001-01-01T00:00:00+00:00", "uuid": uuid},
        {"created_at": "9999-12-31T23:59:59-23:59", "uuid": uuid},
        {"created_at": time[:-6], "uuid": uuid},
        {"created_at": f"{time}#{uuid}", "uuid": uuid},
        {"created_at": time, "uuid": f"{uuid}#"},
        {"created_at": time, "uuid": ""},
        {"created_at": time},
        *({"created_at": time[:length], "uuid": uuid} for length in range(len(time))),
        *({"created_at": time, "uuid": uuid[:length]} for length in range(len(uuid))),
        *("", None, [], 7, f"{time}#{uuid}", {"$ne": ""}),
    ]
    token = f"Bearer {world.pool.access_token('grahams')}"
    for position in positions:
        before = world.items()
        body = {"read_up_to": position}
        answer = world.send("PATCH", f"{GROUPS}/{world.group}", token, body)
        assert answer.status in {200, 422}, (position, answer)
        after = world.items()
        changed = {key for key in before if before[key] != after[key]}
        assert before.keys() == after.keys()
        assert changed <= {(f"GRP#{GRAHAMS.uuid}", world.group)}, position
        assert answer.status == 200 or not changed, position
        elsewhere = f"{GROUPS}/{world.groups_of_others}"
        assert world.send("PATCH", elsewhere, token, body).status in {404, 422}
        assert world.items() == after
    tell(f"{2 * len(positions)} positions")
