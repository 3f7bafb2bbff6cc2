"""A stack with the one index of older versions goes over to this one, as docs/deploy.md has it.

DynamoDB makes or removes one index at a time and changes none, so that each deployment does one
of these; in between everything serves.
"""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from messaging import keys
from tests.fakes import adopted
from tests.fakes.people import BAYKO, GRAHAMS, REEF
from tests.rehearse.cloud import Project
from tests.rehearse.stage import Stage
from tests.waiting import eventually

# A deployment's RowsIndexProjection, and what the indexes hold afterwards.
STEPS = {
    "ALL": {keys.ROWS_INDEX: "ALL", keys.LIST_INDEX: "ALL"},
    "NONE": {keys.LIST_INDEX: "ALL"},
    "KEYS_ONLY": {keys.ROWS_INDEX: "KEYS_ONLY", keys.LIST_INDEX: "ALL"},
}


@pytest.fixture(scope="module")
def former(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A stack of its own whose table has one index and rows of the older versions."""
    folder: Path = tmp_path_factory.mktemp("former") / "project"
    former = dataclasses.replace(
        stage,
        project=Project(folder, stage.aws),
        stack_name="cruddur-former",
        table_name="cruddur-former-messages",
    )
    template = folder / "template.yaml"
    today = template.read_text()
    one_index, cut = re.subn(
        rf"        - IndexName: {keys.LIST_INDEX}\n(?:         .*\n)+", "", today, count=1
    )
    assert cut == 1
    template.write_text(
        one_index.replace("        - { AttributeName: last_sk, AttributeType: S }\n", "")
    )
    former.deploy(RowsIndexProjection="ALL")
    assert indexes(former) == {keys.ROWS_INDEX: "ALL"}
    template.write_text(today)
    row = adopted.row_item(BAYKO.uuid, "2026-01-01T00:00:00.000000+00:00#m", GRAHAMS, BAYKO)
    former.aws.client("dynamodb").put_item(
        TableName=former.table_name, Item={name: {"S": value} for name, value in row.items()}
    )
    return former


def indexes(stage: Stage) -> dict[str, Any]:
    table = stage.aws.client("dynamodb").describe_table(TableName=stage.table_name)["Table"]
    return {
        index["IndexName"]: index["Projection"]["ProjectionType"]
        for index in table["GlobalSecondaryIndexes"]
    }


@pytest.mark.parametrize("projection", STEPS)
def test_with_every_index_on_the_way_messages_are_stored_and_lists_follow(
    former: Stage, projection: str
) -> None:
    before = indexes(former)
    former.deploy(RowsIndexProjection=projection)
    after = indexes(former)
    assert after == STEPS[projection]
    assert len(before.keys() ^ after.keys()) == 1
    assert {before[name] == after[name] for name in before.keys() & after.keys()} == {True}

    former.deliver_first_messages_too()
    api = former.gateway
    to_reef = {"handle": REEF.handle, "message": f"First with {projection}"}
    sent = api.post("/api/message_groups", to_reef, by="grahams").body
    text = f"Then with {projection}"
    body = {"message_group_uuid": sent["message_group_uuid"], "message": text}
    assert api.post("/api/messages", body, by="reef").status == 200
    page = api.get(f"/api/messages/{sent['message_group_uuid']}?limit=1", by="grahams")
    assert [message["message"] for message in page.body] == [text]

    def moved() -> bool | None:
        lists = [api.get("/api/message_groups", by=by).body for by in ("grahams", "reef")]
        # Rows of older versions come into the list when reconcile gives them their place.
        return [[row["message"] for row in rows] for rows in lists] == [[text], [text]] or None

    assert eventually(moved)
