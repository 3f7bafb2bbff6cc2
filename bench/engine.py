"""A DynamoDB that a measurement has for itself, with the template's table and a meter."""

import tempfile
import threading
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
from messaging.repository import CLIENT_CONFIG, Repository
from runtime.deadline import Deadline

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


TABLE = "table"

_READS = ("GetItem", "Query")
_WRITES = ("PutItem", "UpdateItem", "TransactWriteItems")


@dataclass(kw_only=True)
class Meter:
    """What calls consumed, as DynamoDB reports it (ConsumedCapacity).

    Attributes
    ----------
    calls
        How many, by operation.
    read_units
        Of pages up to 4 KB; the engine reports the same for larger ones.
    write_units
        By where they were consumed: `TABLE`, or the name of an index.
    """

    calls: Counter[str] = field(default_factory=Counter)
    read_units: float = 0
    write_units: Counter[str] = field(default_factory=Counter)

    def watch(self, client: "DynamoDBClient") -> None:
        """Count the calls of `client` from now on."""
        counting = threading.Lock()

        def ask(params: dict[str, Any], **_: Any) -> None:
            params.setdefault("ReturnConsumedCapacity", "INDEXES")

        def count(parsed: dict[str, Any], model: Any, **_: Any) -> None:
            consumed = parsed.get("ConsumedCapacity") or []
            with counting:
                self.calls[model.name] += 1
                for entry in consumed if isinstance(consumed, list) else [consumed]:
                    if model.name in _WRITES:
                        self._add(entry)
                    else:
                        self.read_units += entry["CapacityUnits"]

        for operation in _READS + _WRITES:
            client.meta.events.register(f"before-parameter-build.dynamodb.{operation}", ask)
        client.meta.events.register("after-call.dynamodb.*", count)

    def _add(self, consumed: dict[str, Any]) -> None:
        self.write_units[TABLE] += consumed["CapacityUnits"]
        for name, index in consumed.get("GlobalSecondaryIndexes", {}).items():
            self.write_units[name] += index["CapacityUnits"]
            self.write_units[TABLE] -= index["CapacityUnits"]

    def take(self) -> "Meter":
        """Return what was counted since this was called last."""
        taken = Meter(
            calls=self.calls.copy(),
            read_units=self.read_units,
            write_units=self.write_units.copy(),
        )
        self.calls.clear()
        self.read_units = 0
        self.write_units.clear()
        return taken


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
