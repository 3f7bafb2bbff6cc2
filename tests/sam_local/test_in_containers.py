"""Every route through `sam local start-api`, every sample event through `sam local invoke`."""

from collections.abc import Callable
from typing import Any

import httpx
import psycopg2
import pytest

from sam_offline.containers import bridge_address
from tests.fakes import sample_events
from tests.fakes.sample_events import EXPECTED, LONG
from tests.fakes.template import Stack
from tests.sam_local.conftest import Cloud, restored
from tests.waiting import eventually

ROUTES = {
    "GET /api/message_groups": "/api/message_groups",
    "GET /api/messages/{message_group_uuid}": f"/api/messages/{LONG}",
    "POST /api/message_groups": "/api/message_groups",
    "POST /api/messages": "/api/messages",
    "GET /api/users/{handle}/short": "/api/users/@reef/short",
    "GET /api/message_groups/{message_group_uuid}": f"/api/message_groups/{LONG}",
    "PATCH /api/message_groups/{message_group_uuid}": f"/api/message_groups/{LONG}",
    "GET /api/me": "/api/me",
    "PATCH /api/me": "/api/me",
    "POST /api/live": "/api/live",
}


def until[Value](read: Callable[[], Value], right: Callable[[Value], bool]) -> Value:
    """Read until it is right, and return what was read then."""

    def found() -> Value | None:
        value = read()
        return value if right(value) else None

    return eventually(found)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_these_are_all_routes(stack: Stack) -> None:
    assert set(ROUTES) == {f"{route.method} {route.path}" for route in stack.routes()}


def test_every_route_serves_who_has_an_access_token_and_a_send_moves_the_rows(
    api: httpx.Client, cloud: Cloud
) -> None:
    token = cloud.access_token("grahams")
    api.headers.update(bearer(token))

    def first_group() -> Any:
        return api.get("/api/message_groups").json()[0]

    with restored(cloud.stores):
        batches = cloud.batches()
        assert first_group()["uuid"] == LONG
        page = api.get(f"/api/messages/{LONG}?limit=2")
        assert page.status_code == 200
        assert len(page.json()) == 2
        assert 'rel="next"' in page.headers["link"]
        assert api.get("/api/users/@reef/short").json()["handle"] == "reef"

        body = {"message_group_uuid": LONG, "message": "In a container."}
        sent = api.post("/api/messages", json=body)
        assert sent.status_code == 200
        row = until(first_group, lambda row: row["message"] == "In a container.")
        assert (row["uuid"], row["message"]) == (LONG, "In a container.")
        assert row["created_at"] == sent.json()["created_at"]

        new = api.post("/api/message_groups", json={"handle": "lagoon", "message": "Hello."})
        assert new.status_code == 201
        assert first_group()["uuid"] == new.json()["message_group_uuid"]
        # The message that made the group needs no move.
        assert until(cloud.batches, lambda seen: seen > batches) == batches + 1


@pytest.mark.parametrize("key", ROUTES)
def test_nobody_gets_in_without_an_access_token(key: str, api: httpx.Client, cloud: Cloud) -> None:
    method, _, _ = key.partition(" ")

    def ask(**headers: str) -> tuple[int, Any]:
        answer = api.request(method, ROUTES[key], headers=headers)
        return answer.status_code, answer.json().get("errors")

    assert ask(Authorization="") == (401, ["unauthorized"])
    id_token = cloud.tokens("grahams")["IdToken"]
    assert ask(**bearer(id_token)) == (403, ["token_use_invalid"])


def test_the_database_wants_a_password_from_whoever_does_not_come_from_this_machine(
    cloud: Cloud,
) -> None:
    address = bridge_address()
    if address is None:
        pytest.skip("Docker Desktop leads containers to 127.0.0.1")
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(cloud.stack["DatabaseUrl"].replace("127.0.0.1", address))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_event_answers_and_writes_what_it_should(
    name: str, invoke: Callable[[str], Any], cloud: Cloud
) -> None:
    with restored(cloud.stores) as before:
        batches = cloud.batches()
        assert sample_events.answer(name, invoke(name)) == EXPECTED[name].answer
        after = cloud.stores.read()
        if sample_events.messages_to_follow(before, after):  # the mapping moves the rows
            assert until(cloud.batches, lambda seen: seen > batches) > batches
            after = cloud.stores.read()
        assert not sample_events.differences(name, before, after)
