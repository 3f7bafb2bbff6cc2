"""What people wrote is stored once and every list is exact, whatever goes wrong on the way.

The application runs as `make run` starts it; its table is behind a proxy that makes calls go
wrong, and the workers of E are killed while messages flow.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from uuid import UUID, uuid4

import pytest

from messaging import keys
from messaging.attributes import to_dynamodb
from messaging.entities import Item
from tests.local.conftest import LocalCloud, RunningCloud, running
from tests.local.fault_proxy import FaultProxy
from tests.local.lists import differences, scan
from tests.local.test_application import Person
from tests.waiting import LOOKS, eventually

SEED = 20261120
PEOPLE = ("grahams", "reef", "bayko", "lagoon", "harbor")
MESSAGES_EACH = 24
CALLS = {"PutItem", "UpdateItem", "Query", "TransactWriteItems"}
# The first person kills E's workers after so many messages, the second after twice as many, …:
# fewer times in all than a batch is tried.
KILL_AFTER = 4


@dataclass(frozen=True, kw_only=True)
class FaultyCloud:
    """The application, and the proxy between its functions and the table."""

    running: RunningCloud
    proxy: FaultProxy


@pytest.fixture
def faulty_cloud(start_cloud: Callable[..., LocalCloud]) -> Iterator[FaultyCloud]:
    proxy = FaultProxy()
    process = start_cloud(FUNCTIONS_PROXY=proxy.url)
    stack = process.wait_until_ready()
    with running(process, stack) as cloud:
        yield FaultyCloud(running=cloud, proxy=proxy)
    process.stop()
    proxy.stop()


def send(person: Person, body: dict[str, str]) -> dict[str, str]:
    """Send until it is answered, as a client does that named its message."""
    for _ in range(LOOKS):
        answer = person.post("/api/messages", **body)
        if answer.status_code == 200:
            sent: dict[str, str] = answer.json()
            return sent
        assert answer.status_code in {500, 503}, answer.text
    pytest.fail("a message could not be sent")


def poison(cloud: FaultyCloud, number: int) -> tuple[str, str]:
    """Write something under a message's key that is no message."""
    item = {
        "pk": keys.message_pk(str(UUID(int=number))),
        "sk": keys.message_sk(keys.Position(keys.parse_time("2026-01-01"), str(uuid4()))),
    }
    cloud.running.dynamodb.put_item(
        TableName=cloud.running.stack["TableName"], Item=to_dynamodb(item)
    )
    return item["pk"], item["sk"]


def kill_workers(cloud: FaultyCloud) -> None:
    """Kill E's workers, as soon as there is one."""
    for worker in eventually(lambda: cloud.running.workers("UpdateMessageGroups") or None):
        worker.kill()


@pytest.mark.proof
def test_every_message_is_stored_once_and_every_list_exact_after_faults(
    faulty_cloud: FaultyCloud, tell: Callable[[str], None]
) -> None:
    cloud = faulty_cloud.running
    people = [Person(cloud, handle, cloud.token(handle)) for handle in PEOPLE]

    def write_one(number: int, receiver: str, text: str) -> dict[str, str]:
        body = {"handle": receiver, "message": text, "message_uuid": str(uuid4())}
        return send(people[number], body)

    def write(number: int) -> list[dict[str, str]]:
        random = Random(SEED + number)
        sent = []
        for turn in range(MESSAGES_EACH):
            receiver = random.choice([p for p in PEOPLE if p != people[number].handle])
            sent.append(write_one(number, receiver, f"{people[number].handle} {turn}"))
            if turn + 1 == KILL_AFTER * (number + 1):
                kill_workers(faulty_cloud)
        return sent

    faulty_cloud.proxy.faulty = True
    with ThreadPoolExecutor(len(people)) as executor:
        writing = [executor.submit(write, number) for number in range(len(people))]
        poisons = {poison(faulty_cloud, number) for number in range(1, 4)}
        sent = [message for future in writing for message in future.result()]
    happened = faulty_cloud.proxy.happened

    def every_call_has_failed() -> bool | None:
        """Write one more message as long as it is not so: E follows in its own time."""
        if {name.split()[0] for name in list(happened)} >= CALLS:
            return True
        sent.append(write_one(0, PEOPLE[1], "one more"))
        return None

    eventually(every_call_has_failed)
    faulty_cloud.proxy.faulty = False

    table_name = cloud.stack["TableName"]

    def exact() -> list[Item] | None:
        items = scan(faulty_cloud.running.dynamodb, table_name)
        return items if not differences(items) and parked_keys(items) == poisons else None

    items = eventually(exact)
    # Nothing else was given up.
    queue = cloud.stack["FailedRecordsQueueUrl"]
    assert "Messages" not in cloud.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)

    stored = [item["message_uuid"] for item in items if "message_uuid" in item]
    uuids = [message["uuid"] for message in sent]
    assert len(uuids) >= len(PEOPLE) * MESSAGES_EACH
    assert [stored.count(uuid) for uuid in uuids] == [1] * len(uuids)
    tell(f"{happened.total()} faults: {dict(happened)}")


def parked_keys(items: list[Item]) -> set[tuple[str, str]]:
    return {
        (item["record_keys"]["pk"], item["record_keys"]["sk"])
        for item in items
        if item["pk"] == keys.FAILED_PK
    }
