"""CPU of a warm request, of its handler and of the reference's, over the bare call that it makes.

    bin/python -m bench.warm

All in this process, in turns, against the same engine, with pages of 20 rows.
"""

import importlib
import json
import os
import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from bench.cold_start import Stage, stage
from bench.figures import Spread, table
from bench.reference import Reference, create_table
from directory.connection import database
from directory.statements import statement
from messaging import keys, repository
from messaging.repository import to_dynamodb

REQUESTS = 150
PAGE = 20


def milliseconds(scene: Stage) -> dict[str, Spread]:
    """Return CPU milliseconds of one call of each contender."""
    variables = scene.variables() | {"DATABASE_AUTH": "url", "DATABASE_URL": scene.directory.url}
    with patch.dict(os.environ, variables):
        contenders = _contenders(scene)
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(REQUESTS + 10):
            for name, call in contenders.items():
                began = time.process_time()
                call()
                times[name].append((time.process_time() - began) * 1000)
    return {name: Spread.of(values[10:]) for name, values in times.items()}


def _contenders(scene: Stage) -> Mapping[str, Callable[[], object]]:
    handler = importlib.import_module("functions.list_messages.app").lambda_handler
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 25_000)
    event = scene.list_messages()
    client = repository.of_environment()._client
    reference = Reference(client=client, table="reference-warm")
    create_table(client, reference.table)
    group = reference.begin(scene.people, "x" * 100)
    for _ in range(PAGE):
        reference.write(scene.people[0], group, "x" * 100)

    def bare() -> object:
        return client.query(
            TableName=scene.running.table_name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=to_dynamodb({":pk": keys.message_pk(scene.group)}),
            ScanIndexForward=False,
            Limit=PAGE + 1,
        )

    def theirs() -> object:
        database().fetch_one(
            statement("users/by_cognito_user_id"),
            {"cognito_user_id": scene.people[0].handle},
        )
        return json.dumps(reference.list_rows(f"MSG#{group}"))

    def ours() -> Any:
        answer = handler(event, context)
        if answer["statusCode"] != 200:
            raise SystemExit(f"the handler answered {answer}")
        return answer

    return {"A": ours, "reference": theirs, "bare call": bare}


def report(spreads: Mapping[str, Spread]) -> str:
    """Return them as a table in Markdown."""
    return table(
        ["a warm page of 20 messages", "CPU ms"],
        [[name, f"{spread:.2f}"] for name, spread in spreads.items()],
    )


if __name__ == "__main__":
    with stage() as measured:
        print(report(milliseconds(measured)))
