"""The sample events of E do to the rows of the seeded conversations what they are named for."""

import importlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cruddur.seed import seed_message_groups, seed_users, write_conversations
from local.template import Stack
from messaging import keys
from messaging.entities import Item
from messaging.repository import DynamoDBRepository, from_dynamodb
from tests.fakes.gateway import Context

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EVENTS = Path(__file__).parents[2] / "events" / "update_message_groups"
USERS = {user.user.handle: user.user for user in seed_users()}
LONG, OLD, SINGLE = (group.uuid for group in seed_message_groups())

# What each event shows in the end, by message group; nothing of any other group changes.
SHOWN: dict[str, dict[str, str]] = {
    "insert": {LONG: "Are the sandwiches packed?"},
    "many_groups": {LONG: "And the tea?", OLD: "Any news from the pier?", SINGLE: "Found the box."},
    "duplicates": {LONG: "Twice, for the echo."},
    "out_of_order": {LONG: "Said second, came first."},
    "first_message": {},
    "modify_and_remove": {},
    "poison": {LONG: "After the poison."},
    "reference_key": {LONG: "In local time."},
}


@pytest.fixture
def seeded(repository: DynamoDBRepository, monkeypatch: pytest.MonkeyPatch) -> DynamoDBRepository:
    write_conversations(repository, datetime.now(UTC))
    return repository


def items(client: "DynamoDBClient", table_name: str) -> dict[tuple[str, str], Item]:
    pages = client.get_paginator("scan").paginate(TableName=table_name)
    found = [from_dynamodb(item) for page in pages for item in page["Items"]]
    return {(item["pk"], item["sk"]): item for item in found}


def rows(table: dict[tuple[str, str], Item]) -> dict[tuple[str, str], Item]:
    """Return the group rows by group and owner, each of which has exactly one."""
    found = [item for item in table.values() if item["pk"].startswith(keys.MESSAGE_GROUP_PREFIX)]
    by_slot = {(row["message_group_uuid"], row["pk"]): row for row in found}
    assert len(by_slot) == len(found)
    return by_slot


def invoke(event: Any) -> Any:
    app = importlib.import_module("functions.update_message_groups.app")
    return app.lambda_handler(event, Context())


def test_every_sample_event_has_its_expectation() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_a_sample_event_moves_the_rows_it_should_and_no_others(
    name: str, seeded: DynamoDBRepository, dynamodb: "DynamoDBClient", table_name: str
) -> None:
    event = json.loads((EVENTS / f"{name}.json").read_text())
    sks = {
        from_dynamodb(record["dynamodb"]["NewImage"]).get("message"): record["dynamodb"]["Keys"][
            "sk"
        ]["S"]
        for record in event["Records"]
        if "NewImage" in record["dynamodb"]
    }
    before = items(dynamodb, table_name)
    for _ in range(2):
        assert invoke(event) == {"batchItemFailures": []}
        after = items(dynamodb, table_name)
        for slot, row in rows(after).items():
            group, _ = slot
            old = rows(before)[slot]
            if group not in SHOWN[name]:
                assert row == old
                continue
            shown = {"message": SHOWN[name][group], "sk": sks[SHOWN[name][group]]}
            assert row == old | shown
        others = {key for key in after if not key[0].startswith(keys.MESSAGE_GROUP_PREFIX)}
        parked = {key for key in others if key[0] == keys.FAILED_PK}
        assert len(parked) == (1 if name == "poison" else 0)
        assert {key: after[key] for key in others - parked} == {
            key: item
            for key, item in before.items()
            if not key[0].startswith(keys.MESSAGE_GROUP_PREFIX)
        }
        restore(dynamodb, table_name, before, after)
        assert items(dynamodb, table_name) == before


def restore(
    client: Any,
    table_name: str,
    before: dict[tuple[str, str], Item],
    after: dict[tuple[str, str], Item],
) -> None:
    from messaging.repository import to_dynamodb

    for pk, sk in after.keys() - before.keys():
        client.delete_item(TableName=table_name, Key=to_dynamodb({"pk": pk, "sk": sk}))
    for key in before.keys() - after.keys():
        client.put_item(TableName=table_name, Item=to_dynamodb(before[key]))


def test_metrics_say_what_became_of_a_batch(
    seeded: DynamoDBRepository, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke(json.loads((EVENTS / "many_groups.json").read_text()))
    line = next(line for line in capsys.readouterr().out.splitlines() if '"_aws"' in line)
    metrics = json.loads(line)
    assert metrics["Moves"] == [3.0]
    assert metrics["RecordsCoalesced"] == [1.0]
    assert metrics["RecordsParked"] == metrics["Rereads"] == metrics["Conflicts"] == [0.0]
    assert len(metrics["GroupLag"]) == 3


def test_the_events_are_as_the_streams_of_the_template(stack: Stack) -> None:
    for path in EVENTS.glob("*.json"):
        for record in json.loads(path.read_text())["Records"]:
            assert record["eventSource"] == "aws:dynamodb"
            assert record["dynamodb"]["Keys"]["pk"]["S"].startswith(keys.MESSAGE_PREFIX)
