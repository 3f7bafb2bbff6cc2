"""A deployed stack has its schema loaded, and CloudFormation always gets an answer."""

import importlib
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import psycopg2
import pytest
from psycopg2 import errors

from administration import schema
from administration.database_users import APP, IDLE_SESSION, SIGN_UP
from runtime.errors import MissingSettingError
from tests.fakes.gateway import Context


@pytest.fixture
def new_database(database_url: str) -> Iterator[str]:
    """An empty database beside the one of the other tests."""
    connection = psycopg2.connect(database_url)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("CREATE DATABASE schema_test")
    yield database_url.rpartition("/")[0] + "/schema_test"
    cursor.execute("DROP DATABASE schema_test WITH (FORCE)")
    connection.close()


def load(url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("DATABASE_AUTH", "url")
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.delenv("DATABASE_USER", raising=False)
    app = importlib.import_module("functions.administer_directory.app")
    return app.lambda_handler({}, Context())


def test_the_schema_is_loaded_once_however_often(
    new_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(new_database, monkeypatch) == {"applied": list(schema.migrations())}
    assert load(new_database, monkeypatch) == {"applied": []}


def test_two_loaders_at_a_time_apply_every_migration_once(new_database: str) -> None:
    applied: list[str] = []

    def run() -> None:
        connection = psycopg2.connect(new_database)
        applied.extend(schema.migrate(connection))
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == list(schema.migrations())


@contextmanager
def cursor_of(url: str, user: str | None = None) -> Iterator[Any]:
    connection = psycopg2.connect(url, user=user) if user else psycopg2.connect(url)
    connection.autocommit = True
    yield connection.cursor()
    connection.close()


def refuses(cursor: Any, *statements: str) -> None:
    for statement in statements:
        with pytest.raises(errors.InsufficientPrivilege):
            cursor.execute(statement)


NOBODYS = (
    "DELETE FROM public.users",
    "UPDATE public.users SET cognito_user_id = 'mine'",
    "UPDATE public.users SET handle = handle",
    "INSERT INTO public.users (display_name, handle, email) VALUES ('A', 'a', 'a@example.com')",
    "SELECT * FROM public.activities",
    "DROP TABLE public.users",
    "ALTER FUNCTION public.register_user OWNER TO CURRENT_USER",
    "CREATE TABLE public.mine ()",
    "UPDATE public.schema_migrations SET name = 'x'",
)


def test_the_functions_of_the_api_read_users_without_addresses_and_nothing_else(
    new_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(new_database, monkeypatch)
    with cursor_of(new_database, APP) as cursor:
        cursor.execute("SHOW idle_session_timeout")
        assert cursor.fetchone() == (IDLE_SESSION,)
        cursor.execute("SELECT uuid, handle, display_name, cognito_user_id FROM public.users")
        refuses(
            cursor,
            *NOBODYS,
            "SELECT email FROM public.users",
            "SELECT public.register_user('id', 'a', 'A', 'a@example.com', true)",
        )


def test_the_functions_of_sign_up_change_no_account_that_somebody_has(
    new_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(new_database, monkeypatch)
    with cursor_of(new_database) as owner:
        owner.execute(
            "INSERT INTO public.users (display_name, handle, email, cognito_user_id) VALUES "
            "('Has', 'has', 'has@example.com', 'theirs'), "
            "('Waits', 'waits', 'waits@example.com', 'MOCK')"
        )
    with cursor_of(new_database, SIGN_UP) as cursor:
        refuses(cursor, *NOBODYS, "SELECT display_name FROM public.users")
        register = "SELECT * FROM public.register_user(%s, %s, 'X', %s, %s)"
        for taken in (
            ("mine", "has", "has@example.com", True),
            ("mine", "waits", "other@example.com", True),
            ("mine", "waits", "waits@example.com", False),
        ):
            cursor.execute(register, taken)
            assert cursor.fetchall() == []
        cursor.execute(register, ("new", "new", "new@example.com", False))
        assert cursor.rowcount == 1
        cursor.execute(register, ("mine", "WAITS", "Waits@example.com", True))
        assert cursor.rowcount == 1
    with cursor_of(new_database) as owner:
        owner.execute("SELECT handle, display_name, cognito_user_id FROM public.users ORDER BY 1")
        assert owner.fetchall() == [
            ("has", "Has", "theirs"),
            ("new", "X", "new"),
            ("waits", "Waits", "mine"),
        ]


def test_a_database_of_an_earlier_version_is_brought_up_to_date(
    new_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There one user read and wrote for every function."""
    first, *later = schema.migrations()
    with cursor_of(new_database) as owner:
        owner.execute(schema.migrations()[first])
        owner.execute("CREATE TABLE public.schema_migrations (name text PRIMARY KEY)")
        owner.execute("INSERT INTO public.schema_migrations VALUES (%s)", (first,))
        owner.execute(f"GRANT SELECT, INSERT, UPDATE ON public.users TO {APP}")
    assert load(new_database, monkeypatch) == {"applied": later}
    with cursor_of(new_database, APP) as cursor:
        refuses(cursor, *NOBODYS)


@pytest.mark.parametrize(
    "action",
    [{"action": "set-cognito-id", "handle": "a", "cognito_user_id": "b"}, {"action": "sessions"}],
    ids=["set-cognito-id", "sessions"],
)
@pytest.mark.parametrize("auth", ["iam", "url"])
def test_whoever_may_only_invoke_the_function_gets_nowhere(
    new_database: str, monkeypatch: pytest.MonkeyPatch, auth: str, action: dict[str, str]
) -> None:
    """In the cloud no URL names the owner: the template takes none that names a user."""
    load(new_database, monkeypatch)
    monkeypatch.setenv("DATABASE_AUTH", auth)
    monkeypatch.setenv("DATABASE_URL", new_database.replace("postgres@", ""))
    app = importlib.import_module("functions.administer_directory.app")
    assert "owner" in app.lambda_handler(action, Context())["error"]
    with pytest.raises(MissingSettingError, match="owner"):
        app.lambda_handler({}, Context())


def test_the_owner_comes_in_with_their_password(
    new_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_AUTH", "url")
    monkeypatch.setenv("DATABASE_URL", new_database.replace("postgres@", ""))
    app = importlib.import_module("functions.administer_directory.app")
    owner = {"username": "postgres", "password": "hidden"}
    assert app.lambda_handler(owner, Context()) == {"applied": list(schema.migrations())}


class CloudFormation:
    """Where a custom resource puts its answer."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.content_types: list[str | None] = []
        answers, content_types = self.answers, self.content_types

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                length = int(self.headers["content-length"])
                answers.append(json.loads(self.rfile.read(length)))
                content_types.append(self.headers["content-type"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def event(self, kind: str) -> dict[str, Any]:
        return {
            "RequestType": kind,
            "ResponseURL": f"http://127.0.0.1:{self._server.server_port}/?signature=secret",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Schema",
        }

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Services:
    """Secrets Manager and Lambda, for provide_schema."""

    def __init__(self, payload: Any = None, *, error: str = "") -> None:
        self.payload = {"applied": ["0001"]} if payload is None else payload
        self.error = error
        self.invoked: list[dict[str, Any]] = []

    def client(self, service: str, **_: Any) -> "Services":
        if service == self.error:
            raise ConnectionError("with a secret in it")
        return self

    def get_secret_value(self, **_: Any) -> dict[str, str]:
        return {"SecretString": json.dumps({"username": "owner", "password": "hidden"})}

    def invoke(self, **arguments: Any) -> dict[str, Any]:
        self.invoked.append(json.loads(arguments["Payload"]))
        body = io.BytesIO(json.dumps(self.payload).encode())
        failed = "errorType" in self.payload
        return {"Payload": body} | ({"FunctionError": "Unhandled"} if failed else {})


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    server = CloudFormation()
    yield server
    server.stop()


def provide(
    cloudformation: CloudFormation,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    *,
    kind: str = "Create",
) -> dict[str, Any]:
    app = importlib.import_module("functions.provide_schema.app")
    monkeypatch.setattr(app, "boto3", services)
    monkeypatch.setenv("DATABASE_SECRET", "arn")
    monkeypatch.setenv("ADMINISTER_DIRECTORY_FUNCTION", "load")
    app.lambda_handler(cloudformation.event(kind), Context(seconds=120))
    (answer,) = cloudformation.answers
    assert cloudformation.content_types == [""]
    assert answer["PhysicalResourceId"] == "schema"
    return answer


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_the_schema_is_asked_for_with_the_owners_secret(
    cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    services = Services()
    answer = provide(cloudformation, services, monkeypatch, kind=kind)
    assert answer["Status"] == "SUCCESS"
    assert services.invoked == [{"username": "owner", "password": "hidden"}]


def test_nothing_is_done_when_the_stack_is_deleted(
    cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = Services()
    assert provide(cloudformation, services, monkeypatch, kind="Delete")["Status"] == "SUCCESS"
    assert services.invoked == []


@pytest.mark.parametrize(
    "services",
    [
        Services({"errorType": "OperationalError", "errorMessage": "hidden"}),
        Services(error="lambda"),
        Services(error="secretsmanager"),
        Services("no object"),
    ],
    ids=["administer_directory", "lambda", "secret", "answer"],
)
def test_every_failure_is_answered_and_shows_no_secret(
    cloudformation: CloudFormation,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    services: Services,
) -> None:
    answer = provide(cloudformation, services, monkeypatch)
    assert answer["Status"] == "FAILED"
    shown = f"{answer}{[vars(record) for record in caplog.records]}"
    assert "hidden" not in shown
    assert "signature" not in shown
    assert "with a secret" not in shown
