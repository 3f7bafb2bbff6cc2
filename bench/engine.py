"""A DynamoDB of one's own for a measurement, with the template's table and its meter."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from local.ministack import Ministack
from local.resources import Clients, create_resources
from local.settings import isolate_from_aws
from local.state import StateFolder
from local.template import Stack, create_table_arguments, read_stack
from messaging.deadline import Deadline
from messaging.repository import CLIENT_CONFIG, Repository

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(kw_only=True)
class Meter:
    """What calls consumed, as DynamoDB reports it (ConsumedCapacity)."""

    calls: Counter[str] = field(default_factory=Counter)
    write_units: Counter[str] = field(default_factory=Counter)

    def watch(self, client: "DynamoDBClient") -> None:
        """Count the calls of `client` from now on."""

        def ask(params: dict[str, Any], **_: Any) -> None:
            params.setdefault("ReturnConsumedCapacity", "INDEXES")

        def count(parsed: dict[str, Any], model: Any, **_: Any) -> None:
            self.calls[model.name] += 1
            if model.name in {"Query", "GetItem"}:
                return
            consumed = parsed.get("ConsumedCapacity") or []
            for entry in consumed if isinstance(consumed, list) else [consumed]:
                indexes = entry.get("GlobalSecondaryIndexes", {}).values()
                on_index = sum(index["CapacityUnits"] for index in indexes)
                self.write_units["index"] += on_index
                self.write_units["table"] += entry["CapacityUnits"] - on_index

        for operation in ("PutItem", "TransactWriteItems", "Query", "GetItem"):
            client.meta.events.register(f"before-parameter-build.dynamodb.{operation}", ask)
        client.meta.events.register("after-call.dynamodb.*", count)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The running engine and the stack that was made in it."""

    url: str
    stack: Stack
    clients: Clients

    @property
    def table_name(self) -> str:
        """The table's name in the template."""
        return str(create_table_arguments(self.stack)["TableName"])

    def repository(self, *, connections: int = 10) -> tuple[Repository, Meter]:
        """Return a repository with a client of its own, and the meter on it."""
        client = boto3.client(
            "dynamodb",
            endpoint_url=self.url,
            region_name=self.stack.region,
            config=CLIENT_CONFIG.merge(Config(max_pool_connections=connections)),
        )
        meter = Meter()
        meter.watch(client)
        return Repository(client, self.table_name, deadline=Deadline()), meter


@contextmanager
def engine() -> Iterator[Engine]:
    """Start an engine, make the template's resources in it, and stop it in the end."""
    stack = read_stack()
    isolate_from_aws(stack.region)
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        state = StateFolder(Path(folder))
        state.acquire()
        ministack = Ministack(state=state, region=stack.region)
        try:
            ministack.wait()
            url = ministack.url
            clients = Clients.of(
                aws_url=url, dynamodb_url=url, streams_url=url, region=stack.region
            )
            yield Engine(url=url, stack=create_resources(stack, clients), clients=clients)
        finally:
            ministack.stop()
            state.release()
