"""A DynamoDB for one measurement, with the template's table; and a meter of its cost."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from local.settings import ROOT, TEMPLATE
from messaging.calls import CLIENT_CONFIG
from messaging.repository import Repository
from runtime.deadline import Deadline
from sam_offline import Offline
from sam_offline.running import isolate_from_aws
from sam_offline.stack import Function, StreamMapping

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.service_resource import Table


TABLE = "table"

_READS = ("GetItem", "Query")
_WRITES = ("PutItem", "DeleteItem", "UpdateItem", "TransactWriteItems")


@dataclass(kw_only=True)
class Meter:
    """What calls consumed, as DynamoDB reports it (ConsumedCapacity).

    Attributes
    ----------
    calls
        How many, by operation.
    read_units
        Right for pages up to 4 KB only, since the engine reports the same for larger ones. It
        reports nothing for a BatchGetItem: each key counts as one, since reads are consistent.
    write_units
        By the place where they were consumed: `TABLE`, or the name of an index.
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

        def count_keys(params: dict[str, Any], **_: Any) -> None:
            with counting:
                self.read_units += sum(len(one["Keys"]) for one in params["RequestItems"].values())

        client.meta.events.register("before-parameter-build.dynamodb.BatchGetItem", count_keys)
        for operation in _READS + _WRITES:
            client.meta.events.register(f"before-parameter-build.dynamodb.{operation}", ask)
        client.meta.events.register("after-call.dynamodb.*", count)

    def _add(self, consumed: dict[str, Any]) -> None:
        self.write_units[TABLE] += consumed["CapacityUnits"]
        for name, index in consumed.get("GlobalSecondaryIndexes", {}).items():
            self.write_units[name] += index["CapacityUnits"]
            self.write_units[TABLE] -= index["CapacityUnits"]

    def take(self) -> "Meter":
        """Return what was counted since the last call, and begin again."""
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
    """The running engine, and the stack that was made in it."""

    app: Offline

    @property
    def url(self) -> str:
        """The address of the engine."""
        return self.app.engine.url

    @property
    def table_name(self) -> str:
        """The table's name in the template."""
        return self.app.outputs["TableName"]

    @property
    def mapping(self) -> StreamMapping:
        """The template's event source mapping of E."""
        mappings = self.app.stack.stream_mappings()
        (mapping,) = (found for found in mappings if found.function == "UpdateMessageGroups")
        return mapping

    def client(self, service: Any) -> Any:
        """Return a boto3 client of the engine itself."""
        return self.app.engine.client(service)

    def repository(self, *, connections: int = 10) -> tuple[Repository, Meter]:
        """Return a repository with its own client, and the meter of that client."""
        table = boto3.Session().client(
            "dynamodb",
            endpoint_url=self.url,
            region_name=self.app.region,
            config=CLIENT_CONFIG.merge(Config(max_pool_connections=connections)),
        )
        meter = Meter()
        meter.watch(table)
        return Repository(table, self.table_name, deadline=Deadline()), meter

    def resource(self, table_name: str) -> tuple["Table", Meter]:
        """Return a table as a resource of boto3, and the meter of its client."""
        resource = boto3.Session().resource(
            "dynamodb", endpoint_url=self.url, region_name=self.app.region, config=CLIENT_CONFIG
        )
        meter = Meter()
        meter.watch(resource.meta.client)
        return resource.Table(table_name), meter


def functions_of(template: Path) -> dict[str, Function]:
    """Return the functions of a template."""
    with engine(template) as running:
        return running.app.stack.functions()


@contextmanager
def engine(template: Path = TEMPLATE) -> Iterator[Engine]:
    """Start an engine with the template's resources, and stop it in the end."""
    isolate_from_aws("us-east-1")
    database = {"DatabaseUrl": "postgresql://127.0.0.1/none"}
    app = Offline(template, parameters=database, api=False, tools=ROOT / ".build")
    try:
        app.create()
        yield Engine(app=app)
    finally:
        app.close()
