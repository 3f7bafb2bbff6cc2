"""A table of the bootcamp's application becomes this one's, while people write."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

import pytest

from commands import targets
from messaging import keys, message_groups
from messaging.attributes import to_dynamodb
from messaging.entities import Item, Marks
from messaging.message_groups import SendRequest
from messaging.repository import Repository
from runtime.deadline import Deadline
from runtime.user import User
from seed.examples import seed_users
from tests.local.conftest import LocalCloud, Operated
from tests.waiting import eventually

GROUP = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"
# What that application's rows have not: registers and marks.
UNKNOWN = {"last_sk", "their_sk"}.union(field.name for field in fields(Marks))


def as_the_bootcamp_has_it(items: list[Item]) -> list[Item]:
    """The items as its application writes them: local times, and the row's place as its key."""
    abroad = timezone(timedelta(hours=5, minutes=30))

    def local(sk: str) -> str:
        return keys.parse_message_sk(sk).created_at.astimezone(abroad).isoformat()

    old = []
    for item in items:
        if item["pk"].startswith(keys.MESSAGE_PREFIX):
            old.append(item | {"sk": local(item["sk"])})
        elif item["pk"].startswith(keys.MESSAGE_GROUP_PREFIX):
            known = {name: item[name] for name in item.keys() - UNKNOWN}
            old.append(known | {"sk": local(item["last_sk"])})
    return old


@pytest.fixture
def operated(
    start_cloud: Callable[..., LocalCloud], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Operated]:
    cloud = start_cloud()
    monkeypatch.setenv("LOCAL_STATE", str(cloud.state))
    yield Operated(cloud)
    cloud.stop()


@pytest.mark.proof
def test_a_table_of_the_bootcamp_is_adopted_beside_live_traffic(operated: Operated) -> None:
    target = targets.target(on_aws=False)
    client, name = target.client("dynamodb"), target.output("TableName")
    repository = Repository(client, name, deadline=Deadline())
    sender = User(uuid=seed_users()[0].user.uuid, handle="grahams", display_name="Grahams")
    written: list[str] = []

    def write() -> None:
        request = SendRequest(message=f"live {len(written)}")
        message_groups.create_message(
            repository, sender, GROUP, request, now=lambda: datetime.now(UTC)
        )
        written.append(request.message)

    write()  # from now on it is known who the members are
    items = operated.items()
    for item in items:
        key = to_dynamodb({"pk": item["pk"], "sk": item["sk"]})
        client.delete_item(TableName=name, Key=key)
    for item in as_the_bootcamp_has_it(items):
        client.put_item(TableName=name, Item=to_dynamodb(item))

    adopted = threading.Event()

    def write_on() -> None:
        while not adopted.is_set():
            write()
        write()

    with ThreadPoolExecutor(1) as executor:
        writing = executor.submit(write_on)
        try:
            operated.run("ddb reconcile")
        finally:
            adopted.set()
        writing.result()
    assert len(written) > 3
    eventually(lambda: operated.api("/api/message_groups")[0]["message"] == written[-1] or None)
    shown = operated.api(f"/api/messages/{GROUP}?limit=100")
    assert shown == sorted(shown, key=lambda message: message["created_at"], reverse=True)
    live = [message["message"] for message in shown if message["message"] in written]
    assert live == written[:-101:-1]
    # What the stream brought before a row had its key was parked.
    operated.run("ddb reconcile --failed")
    assert operated.rows("ddb reconcile --dry-run")[-1]["summary"]["left"] == 0
    # All that others had written by then counts as read.
    assert not any(group["unread"] for group in operated.api("/api/message_groups"))
