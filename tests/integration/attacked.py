"""The application as those find it who attack it: both APIs, the stream, and what is stored."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote
from uuid import uuid4

import psycopg2
import pytest
from cachetools import TTLCache
from starlette.requests import Request

from directory import users
from messaging.attributes import from_dynamodb
from runtime import environment
from runtime.user import User
from sam_offline.access import AccessPolicy
from sam_offline.functions import Result
from sam_offline.http_api import HttpApi
from sam_offline.ministack import CREDENTIALS
from sam_offline.processes import bind
from sam_offline.server import HttpServer
from sam_offline.stack import Route, StreamMapping
from sam_offline.streams import matcher
from sam_offline.web_socket_api import WebSocketApi
from tests.contract import contract
from tests.fakes.calls import Call, noted_calls
from tests.fakes.gateway import Answer, Gateway
from tests.fakes.people import BAYKO, GRAHAMS, REEF
from tests.fakes.records import record
from tests.fakes.template import Stack
from tests.fakes.tokens import Pool
from tests.integration.conftest import fill_directory

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = [
    "GROUPS",
    "LIVE",
    "MESSAGES",
    "PEOPLE",
    "SECRET",
    "STRANGER",
    "Cell",
    "Clock",
    "World",
    "clock",
    "owner",
    "people",
    "remove_from_directory",
    "served",
    "world",
]

STRANGER = User(
    uuid="00000000-0000-4000-8000-00000000000d", handle="stranger", display_name="Stranger"
)
PEOPLE = (GRAHAMS, REEF, BAYKO, STRANGER)
SECRET = "nobody else's business"
GROUPS = "/api/message_groups"
MESSAGES = "/api/messages"
LIVE = "/api/live"
NO_GROUP = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"

type Items = dict[tuple[str, str], Any]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One request: to a route, for an object of some kind."""

    route: Route
    object: str
    target: str
    body: Mapping[str, Any] | None

    def __str__(self) -> str:
        return f"{self.route.method} {self.target} ({self.object}) {self.body or ''}"


@dataclass(kw_only=True)
class Done:
    """What something has done: the table before and after it, and the calls of functions."""

    before: Items
    after: Items = field(default_factory=dict)
    calls: set[Call] = field(default_factory=set)

    @property
    def changed(self) -> set[tuple[str, str]]:
        """The keys of the items that are others than before."""
        return {
            key for key in self.before | self.after if self.before.get(key) != self.after.get(key)
        }

    def owner(self, key: tuple[str, str]) -> str | None:
        """Whose item this is, or was, where it is one person's."""
        return owner(self.after.get(key) or self.before[key])


def owner(item: Mapping[str, Any]) -> str | None:
    """Whose item this is, where it is one person's."""
    kind, _, rest = item["pk"]["S"].partition("#")
    if kind in {"TICKET", "CONNECTION"}:
        return str(item["user_uuid"]["S"])
    return rest if kind in {"GRP", "USER", "SENT", "CONNECTIONS"} else None


class Clock:
    """The time of the functions, which a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = timedelta()
        clock = self

        class Moved(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Self:
                return cls.fromtimestamp(time.time() + clock.ahead.total_seconds(), tz)

        for function in ("create_live_ticket", "connect_live", "keep_live"):
            monkeypatch.setattr(import_module(f"functions.{function}.app"), "datetime", Moved)
        monkeypatch.setattr("messaging.hints.datetime", Moved)
        monkeypatch.setattr(users, "TTLCache", partial(TTLCache, timer=self._seconds))
        environment.renew()

    def _seconds(self) -> float:
        """Only the test makes it go on."""
        return self.ahead.total_seconds()


@dataclass(kw_only=True)
class World:
    """Both APIs with their authorizer; grahams writes with reef, and reef with bayko.

    Where they are `served`, it is at `url`, as the local cloud does it.
    """

    gateway: Gateway
    stack: Stack
    dynamodb: "DynamoDBClient"
    table_name: str
    pool: Pool = field(default_factory=Pool)
    invoked: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)
    group: str = ""
    groups_of_others: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        self._turn = threading.RLock()
        settings = self.stack.web_socket()
        assert settings
        self._sockets = WebSocketApi(settings, invoke=self.invoke)
        routes = self.routes = self.stack.routes()
        self._api = HttpApi(
            routes=routes,
            authorizers={route.authorizer or "": self.pool.authorizer() for route in routes},
            cors={},
            invoke=self.invoke,
            otherwise=self._sockets.before(None),
        )

    @contextmanager
    def served(self) -> Iterator[None]:
        """Let clients connect to `url`, and functions find them there."""
        listener = bind("127.0.0.1", 0, "PORT")
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = HttpServer(
            self._api.answer,
            listener,
            access=AccessPolicy(),
            limit=None,
            sockets=self._sockets.serve,
        )
        server.start()
        try:
            yield
        finally:
            server.stop()

    def invoke(self, function: str, event: Any) -> Result:
        """Call a function, one at a time: moto loses updates of concurrent callers."""
        with self._turn:
            self.invoked.append(function)
            try:
                return Result(payload=self.gateway.invoke(function, event))
            except Exception as error:  # noqa: BLE001  # as Lambda does
                self.crashed.append(f"{function}: {error!r}")
                return Result(payload={"errorType": type(error).__name__}, failed=True)

    def items(self) -> Items:
        """What is stored."""
        with self._turn:
            found = self.dynamodb.scan(TableName=self.table_name)["Items"]
        return {(item["pk"]["S"], item["sk"]["S"]): item for item in found}

    @contextmanager
    def watched(self) -> Iterator[Done]:
        """Note what is done meanwhile."""
        done = Done(before=self.items())
        with noted_calls() as done.calls:
            yield done
        done.after = self.items()

    def deliver(self, before: Items) -> None:
        """Let the streams bring what has changed since then, and what follows from that."""
        mappings: tuple[StreamMapping, ...] = self.stack.stream_mappings()
        while (after := self.items()) != before:
            records = [_record(before.get(key), item) for key, item in after.items()]
            changes = [change for change in records if change]
            for mapping in mappings:
                if batch := list(filter(matcher(mapping.filters), changes)):
                    self.invoke(mapping.function, {"Records": batch})
            before = after

    def token(self, user: User) -> str:
        return f"Bearer {self.pool.access_token(user.handle)}"

    def ticket(self, user: User) -> str:
        return str(self.send("POST", LIVE, self.token(user)).body["ticket"])

    def send(self, method: str, target: str, authorization: str | None, body: Any = None) -> Answer:
        """Send a request; what is answered is in the contract."""
        path, _, query = target.partition("?")
        headers = {"host": "api", "content-type": "application/json"}
        if authorization is not None:
            headers["authorization"] = authorization
        scope = {
            "type": "http",
            "method": method,
            "http_version": "1.1",
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        content = b"" if body is None else json.dumps(body).encode()
        answer = self._api.answer(Request(scope), content)
        text = bytes(answer.body).decode()
        found = contract().faults(method, path, answer.status_code, answer.headers, text)
        assert not found, (method, target, found)
        return Answer(
            status=answer.status_code, headers=dict(answer.headers), body=json.loads(text)
        )

    def attack(self, cell: Cell, authorization: str | None) -> tuple[Answer, Done]:
        """Send the request to functions that remember nobody."""
        environment.renew()
        with self.watched() as done:
            answer = self.send(cell.route.method, cell.target, authorization, cell.body)
        return answer, done

    def cells(self) -> Iterator[Cell]:
        """Every route, with each kind of object that it can be asked for."""
        for route in self.routes:
            operation = contract().document["paths"][route.path][route.method.lower()]
            body = None
            if "requestBody" in operation:
                body = operation["requestBody"]["content"]["application/json"]["example"]
            for kind, named in self.objects().items():
                target = route.path.format(**named)
                names = named.keys() & (body or {}).keys()
                if kind == "own" or target != route.path or names:
                    # A uuid of its own: two sends must not be one.
                    fresh = {"message_uuid": str(uuid4())} if "message" in (body or {}) else {}
                    sent = body and {**body, **{name: named[name] for name in names}, **fresh}
                    yield Cell(route=route, object=kind, target=target, body=sent)

    def objects(self) -> dict[str, dict[str, str]]:
        """What a path or a body can name, by whose it is to grahams."""
        return {
            "own": {"message_group_uuid": self.group, "handle": "reef"},
            "oneself": {"message_group_uuid": self.group, "handle": "grahams"},
            "others'": {"message_group_uuid": self.groups_of_others, "handle": "bayko"},
            "none": {"message_group_uuid": NO_GROUP, "handle": "nobody"},
            "malformed": {"message_group_uuid": "%00", "handle": "%00"},
        }


def _record(old: Any, new: Any) -> dict[str, Any] | None:
    """The stream's record of an item that was written, if it was."""
    if old == new:
        return None
    made = record(from_dynamodb(new), event_name="MODIFY" if old else "INSERT")
    if old:
        made["dynamodb"]["OldImage"] = old
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def people(database_url: str, monkeypatch: pytest.MonkeyPatch, directory: str) -> None:
    """Let the stranger be in the directory, too; ids in the pool are the handles."""
    fill_directory(database_url, {user: user.handle for user in PEOPLE}, monkeypatch)


@pytest.fixture
def world(
    gateway: Gateway,
    stack: Stack,
    dynamodb: "DynamoDBClient",
    table_name: str,
    people: None,
) -> Iterator[World]:
    def begin(sender: str, receiver: str) -> str:
        body = {"handle": receiver, "message": SECRET, "message_uuid": str(uuid4())}
        return str(gateway.post(GROUPS, body, by=sender).body["message_group_uuid"])

    world = World(gateway=gateway, stack=stack, dynamodb=dynamodb, table_name=table_name)
    world.group = begin("grahams", "reef")
    world.groups_of_others = begin("reef", "bayko")
    yield world
    assert world.crashed == []


@pytest.fixture
def served(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same, where clients can connect to it."""
    with world.served():
        monkeypatch.setenv("LIVE_URL", f"ws{world.url.removeprefix('http')}/live")
        # What is signed with others is refused there.
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        environment.renew()
        yield world


def remove_from_directory(url: str, handle: str) -> None:
    """Do what removes somebody, as docs/api.md says."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM public.users WHERE handle = %s", (handle,))
    connection.close()
