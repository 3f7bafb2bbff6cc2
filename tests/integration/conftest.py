"""Integration tests: handlers and repository on moto, the table from the template, in one thread.

PostgreSQL is a real one, from the local cloud.
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import psycopg2
import pytest
from joserfc.jwk import RSAKey
from moto import mock_aws
from moto.core.serialize import BaseJSONSerializer

from administration import database_users
from administration.operations import perform_at
from local.postgres import Postgres
from messaging.repository import Repository
from runtime import environment, side_by_side
from runtime.deadline import Deadline
from runtime.user import User
from sam_offline.processes import free_port
from sam_offline.state import StateFolder
from tests.fakes.gateway import Gateway
from tests.fakes.iam import Iam
from tests.fakes.people import BAYKO, GRAHAMS, REEF
from tests.fakes.template import Stack, create_table_arguments, read_stack, time_to_live

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_serialize_structure = BaseJSONSerializer._serialize_type_structure


def _serialize_quickly(
    self: BaseJSONSerializer, serialized: Any, value: Any, shape: Any, key: str
) -> None:
    """Leave DynamoDB's values as they are.

    moto has them as DynamoDB sends them, and would look for all ten types of a value by a dozen
    names each in every attribute: that was half of the time of these tests.
    """
    if shape.name == "AttributeValue":
        self._default_serialize(serialized, value, shape, key)
    else:
        _serialize_structure(self, serialized, value, shape, key)


BaseJSONSerializer._serialize_type_structure = _serialize_quickly  # type: ignore[method-assign]

_import_key = RSAKey.import_key


@cache
def _imported(key: str) -> RSAKey:
    return _import_key(json.loads(key))


def _import_key_once(value: Any) -> RSAKey:
    """Every pool of moto has the same key, whose primes take a tenth of a second to find."""
    return _imported(json.dumps(value))


setattr(RSAKey, "import_key", _import_key_once)  # noqa: B010


@pytest.fixture(autouse=True)
def one_call_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto loses updates of concurrent callers; the local tier has a table that does not."""
    monkeypatch.setattr(side_by_side, "ThreadPoolExecutor", lambda _: ThreadPoolExecutor(1))


@pytest.fixture(scope="session")
def stack() -> Stack:
    return _stack()


@cache
def _stack() -> Stack:
    return read_stack(parameters={"DatabaseUrl": "postgresql://somewhere/cruddur"})


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    state = StateFolder(tmp_path_factory.mktemp("postgres"))
    state.acquire()
    postgres = Postgres(state=state, port=free_port(0, "POSTGRES_PORT"))
    try:
        postgres.wait()
        perform_at(postgres.url, {"action": "migrate"})
        yield postgres.url
    finally:
        postgres.stop()
        state.release()


@pytest.fixture
def directory(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database with three users, whose cognito_user_id is their handle."""
    fill_directory(
        database_url, {user: user.handle for user in (GRAHAMS, REEF, BAYKO)}, monkeypatch
    )
    return database_url


def fill_directory(url: str, users: Mapping[User, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let these users, given with their cognito_user_ids, be the directory of the functions."""
    owner = psycopg2.connect(url)
    with owner, owner.cursor() as cursor:
        cursor.execute("TRUNCATE public.users")
        for user, cognito_user_id in users.items():
            insert_user(cursor, user, cognito_user_id=cognito_user_id)
    owner.close()
    monkeypatch.setenv("DATABASE_AUTH", "url")
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DATABASE_USER", database_users.APP)


@contextmanager
def database_user_of(function: str) -> Iterator[None]:
    """Let what a function does be done as the database user that the template gives it."""
    with pytest.MonkeyPatch.context() as patch:
        environments = {f.code.name: f.environment for f in _stack().functions().values()}
        patch.setenv("DATABASE_USER", environments[function].get("DATABASE_USER", ""))
        environment.renew()
        yield
    environment.renew()


def insert_user(
    cursor: psycopg2.extensions.cursor, user: User, *, cognito_user_id: str = "MOCK"
) -> None:
    cursor.execute(
        "INSERT INTO public.users (uuid, handle, display_name, email, cognito_user_id) "
        "VALUES (%(uuid)s, %(handle)s, %(display_name)s, %(handle)s || '@example.com', %(id)s)",
        vars(user) | {"id": cognito_user_id},
    )


@pytest.fixture
def dynamodb(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator["DynamoDBClient"]:
    """The template's table on moto, known to the functions by their environment."""
    with table_on_moto(stack, monkeypatch) as client:
        yield client


@contextmanager
def table_on_moto(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator["DynamoDBClient"]:
    """Make the template's table on moto, known to the functions by their environment."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", stack.template.region)
    with mock_aws():
        monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # thousands of images
        client = boto3.client("dynamodb")
        arguments = create_table_arguments(stack)
        client.create_table(**arguments)
        expiry: Any = time_to_live(stack)
        client.update_time_to_live(TableName=arguments["TableName"], TimeToLiveSpecification=expiry)
        monkeypatch.setenv("TABLE_NAME", arguments["TableName"])
        # moto knows the connections of this address to which something was sent.
        monkeypatch.setenv("LIVE_URL", _live_url())
        yield client


@cache
def _live_url() -> str:
    """Where connections are managed after a deployment."""
    return Iam(_stack()).variables("SendHints")["LIVE_URL"]


@pytest.fixture
def table_name(stack: Stack) -> str:
    return str(create_table_arguments(stack)["TableName"])


@pytest.fixture
def repository(dynamodb: "DynamoDBClient", table_name: str) -> Repository:
    return Repository(dynamodb, table_name, deadline=Deadline(), sleep=lambda _: None)


@pytest.fixture
def gateway(stack: Stack, dynamodb: "DynamoDBClient", directory: str) -> Gateway:
    return Gateway(routes=stack.routes(), functions=_folders(stack))


def _folders(stack: Stack) -> dict[str, Path]:
    return {name: function.code for name, function in stack.functions().items()}
