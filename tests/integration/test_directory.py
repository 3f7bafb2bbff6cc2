"""Who may sign up as whom, and what the connection bears."""

import importlib
import inspect
import select as select_module
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import boto3
import psycopg2
import pytest
from cryptography import x509
from psycopg2.extensions import parse_dsn

from administration.database_users import SIGN_UP
from directory import connection, users
from directory.config import RDS_CERTIFICATES, DatabaseSettings
from directory.connection import Database
from directory.errors import DatabaseError, SignUpError, UserNotRegisteredError
from directory.statements import statement
from runtime.deadline import Deadline
from runtime.errors import MissingSettingError, TryAgainError
from runtime.user import User
from tests.fakes.gateway import Context
from tests.integration.conftest import database_user_of, insert_user
from tests.waiting import eventually

SUB = str(UUID(int=77))


def event(source: str, handle: str, *, email: Any = "new@example.com", **more: Any) -> Any:
    attributes = {"preferred_username": handle, "name": "New Person", "email": email} | more
    if source != "PreSignUp_SignUp":
        attributes = {"sub": SUB, "email_verified": "true"} | attributes
    return {
        "version": "1",
        "triggerSource": source,
        "userName": SUB,
        "request": {"userAttributes": attributes},
        "response": {},
    }


def call(function: str, trigger: Any, *, seconds: float | None = None) -> None:
    """Call a trigger's function; one that lets someone pass gives its event back."""
    app = importlib.import_module(f"functions.{function}.app")
    with database_user_of(function):
        assert app.lambda_handler(trigger, Context(seconds=seconds)) is trigger


def check(handle: str, **attributes: Any) -> None:
    call("check_sign_up", event("PreSignUp_SignUp", handle, **attributes))


def confirm(
    handle: str,
    *,
    source: str = "PostConfirmation_ConfirmSignUp",
    seconds: float | None = None,
    **more: Any,
) -> None:
    call("confirm_user", event(source, handle, **more), seconds=seconds)


def sign_in(handle: str, **more: Any) -> None:
    confirm(handle, source="PostAuthentication_Authentication", **more)


def select(url: str, query: str) -> list[tuple[Any, ...]]:
    owner = psycopg2.connect(url)
    with owner, owner.cursor() as cursor:
        cursor.execute(query)
        rows = cursor.fetchall()
    owner.close()
    return rows


def add(url: str, user: User) -> None:
    owner = psycopg2.connect(url)
    with owner, owner.cursor() as cursor:
        insert_user(cursor, user)
    owner.close()


WAITING = User(uuid=str(UUID(int=9)), handle="waiting", display_name="Waiting")


def test_who_confirms_is_in_the_directory(directory: str) -> None:
    check("newcomer")
    for _ in range(2):
        confirm("newcomer")
    user = users.get_by_cognito_user_id(SUB)
    assert (user.handle, user.display_name) == ("newcomer", "New Person")
    assert users.get_by_handle("NewComer") == user


@pytest.mark.parametrize("handle", ["reef", "REEF"])
def test_a_taken_handle_is_refused_at_sign_up_and_at_confirmation(
    directory: str, handle: str
) -> None:
    with pytest.raises(SignUpError, match=r"^handle_taken$"):
        check(handle)
    with pytest.raises(SignUpError, match=r"^handle_taken$"):
        confirm(handle)
    assert select(directory, "SELECT count(*) FROM public.users") == [(3,)]


@pytest.mark.parametrize(
    "handle", ["", " ", "@reef", "a b", "a" * 31, "-a", "\u00e4", "a\n", "a\0", "a'; DROP TABLE x"]
)
def test_a_malformed_handle_is_refused(directory: str, handle: str) -> None:
    with pytest.raises(SignUpError, match=r"^handle_invalid$"):
        check(handle)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "  ",
        "\u3164",
        "\u115f\u1160\uffa0",
        "\u2800",
        "\u034f",
        "n" * 51,
        "a\nb",
        "\ud800",
        "\0",
    ],
)
def test_a_display_name_that_lists_cannot_show_is_refused(directory: str, name: str) -> None:
    with pytest.raises(SignUpError, match=r"^display_name_invalid$"):
        check("newcomer", name=name)


@pytest.mark.parametrize("name", ["\ud55c\uae00", "\u0e01\u0e34", "\u2801", "e\u0301"])
def test_a_display_name_of_any_script_is_taken(directory: str, name: str) -> None:
    confirm("newcomer", name=name)
    assert users.get_by_handle("newcomer").display_name == name


def test_a_row_that_waits_is_for_its_own_e_mail_address(directory: str) -> None:
    add(directory, WAITING)
    with pytest.raises(SignUpError, match=r"^handle_taken$"):
        check("waiting", email="other@example.com")
    with pytest.raises(SignUpError, match=r"^handle_taken$"):
        confirm("waiting", email="other@example.com")
    check("Waiting", email="Waiting@Example.com")
    confirm("Waiting", email="Waiting@Example.com")
    assert users.get_by_cognito_user_id(SUB) == WAITING


def test_a_row_that_waits_is_for_who_has_proven_the_address(directory: str) -> None:
    add(directory, WAITING)
    with pytest.raises(SignUpError, match=r"^handle_taken$"):
        confirm("waiting", email="waiting@example.com", email_verified="false")
    sign_in("waiting", email="waiting@example.com", email_verified="false")
    with pytest.raises(UserNotRegisteredError):
        users.get_by_cognito_user_id(SUB)


@pytest.mark.parametrize("seconds", [2.0, 0.5])
def test_who_confirms_at_a_slow_cold_start_is_in_the_directory(
    directory: str, seconds: float
) -> None:
    """Of Cognito's five seconds so many are left; a healthy server answers at once."""
    confirm("newcomer", seconds=seconds)
    assert users.get_by_cognito_user_id(SUB).handle == "newcomer"


def test_registering_is_one_statement(directory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    fetch_one = Database.fetch_one

    def noted(database: Database, statement: str, parameters: Any) -> Any:
        asked.append(statement)
        return fetch_one(database, statement, parameters)

    monkeypatch.setattr(Database, "fetch_one", noted)
    for expected in (1, 2):
        confirm("newcomer")
        assert len(asked) == expected


def test_one_person_registered_many_times_at_once_is_one_row(directory: str) -> None:
    profile = users.Profile.from_trigger(event("PostConfirmation_ConfirmSignUp", "newcomer"))

    def register(_: int) -> Any:
        settings = DatabaseSettings(url=directory, user=SIGN_UP)
        database = Database(settings, deadline=Deadline())

        def registered() -> Any:
            with suppress(TryAgainError):  # so many at once wait for each other
                return database.fetch_one(statement("users/register"), vars(profile))
            return None

        return eventually(registered)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(register, range(40)))
    assert found == [{"uuid": users.get_by_cognito_user_id(SUB).uuid}] * 40


def test_who_confirmed_in_vain_is_registered_when_they_sign_in(
    directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as down:
        down.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/x")
        with pytest.raises(TryAgainError):
            confirm("newcomer")
    for _ in range(2):
        sign_in("newcomer")
    assert users.get_by_cognito_user_id(SUB).handle == "newcomer"


def test_signing_in_changes_nobody_who_is_there(directory: str) -> None:
    before = select(directory, "SELECT * FROM public.users ORDER BY handle")
    sign_in("another", sub="reef", email="another@example.com")
    assert select(directory, "SELECT * FROM public.users ORDER BY handle") == before


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("postgresql://127.0.0.1:1/x", {}),
        ("", {}),
        (None, {"preferred_username": "reef"}),
        (None, {"preferred_username": None}),
        (None, {"sub": "a\0"}),
    ],
    ids=["no database", "no setting", "taken handle", "no handle", "refused by the database"],
)
def test_nobody_is_kept_from_signing_in_and_the_failure_is_logged(
    directory: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    url: str | None,
    more: dict[str, Any],
) -> None:
    if url is not None:
        monkeypatch.setenv("DATABASE_URL", url)
    sign_in("newcomer", **more)
    (logged,) = caplog.records
    # The metric filter SignInErrors counts this message.
    assert (logged.levelname, logged.getMessage()) == ("ERROR", "not registered")
    assert "new@example.com" not in str(vars(logged))


def test_signing_in_waits_two_seconds_for_a_database_at_most(
    silent_server: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = waits(monkeypatch)
    monkeypatch.setenv("DATABASE_AUTH", "url")
    monkeypatch.setenv("DATABASE_URL", f"postgresql://127.0.0.1:{silent_server()}/x")
    sign_in("newcomer")
    assert 0 < max(waited) <= 2


def test_other_confirmations_write_nothing(directory: str) -> None:
    confirm("newcomer", source="PostConfirmation_ConfirmForgotPassword")
    assert select(directory, "SELECT count(*) FROM public.users") == [(3,)]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"email": None}, "email_invalid"),
        ({"email": "a\0@example.com"}, "email_invalid"),
        ({"email": "\ud800@example.com"}, "email_invalid"),
        ({"name": None}, "display_name_invalid"),
        ({"preferred_username": None}, "handle_invalid"),
    ],
)
def test_malformed_attributes_are_refused_by_name(
    directory: str, more: dict[str, Any], code: str
) -> None:
    with pytest.raises(SignUpError, match=f"^{code}$"):
        check("newcomer", **more)


@pytest.mark.parametrize("sub", ["a\0", "\ud800", "MOCK", "", "nobody"])
def test_nobody_is_behind_a_strange_sub(directory: str, sub: str) -> None:
    add(directory, WAITING)
    with pytest.raises(UserNotRegisteredError):
        users.get_by_cognito_user_id(sub)


def database(url: str) -> Database:
    return Database(DatabaseSettings(url=url), deadline=Deadline())


def test_what_the_database_refuses_shows_no_value(directory: str) -> None:
    values = {"handle": "!", "email": "hidden@example.com"}
    with pytest.raises(DatabaseError) as refused:
        database(directory).fetch_one(
            "INSERT INTO public.users (display_name, handle, email) "
            "VALUES ('X', %(handle)s, %(email)s)",
            values,
        )
    shown = "".join(traceback.format_exception(refused.value))
    assert "hidden" not in shown


def test_an_e_mail_address_that_does_not_fit_is_refused(directory: str) -> None:
    with pytest.raises(SignUpError, match=r"^email_invalid$"):
        check("newcomer", email="x" * 321)


@pytest.mark.parametrize("connected", [False, True])
def test_no_call_is_begun_when_no_time_is_left(directory: str, connected: bool) -> None:
    deadline = Deadline()
    kept = Database(DatabaseSettings(url=directory), deadline=deadline)
    if connected:
        kept.fetch_one("SELECT 1", {})
    deadline.start(-1)
    with pytest.raises(TryAgainError):
        kept.fetch_one("CREATE TABLE public.begun ()", {})
    assert select(directory, "SELECT to_regclass('public.begun')") == [(None,)]


def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return how long each wait for the server may take, as they come."""
    waited: list[float] = []

    def noted(readable: Any, writable: Any, exceptional: Any, seconds: float) -> Any:
        waited.append(seconds)
        return select_module.select(readable, writable, exceptional, seconds)

    monkeypatch.setattr(connection, "select", SimpleNamespace(select=noted))
    return waited


def test_no_wait_is_longer_than_the_invocation(
    silent_server: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = waits(monkeypatch)
    deadline = Deadline()
    deadline.start(0.3)
    settings = DatabaseSettings(url=f"postgresql://127.0.0.1:{silent_server()}/x")
    with pytest.raises(TryAgainError):
        Database(settings, deadline=deadline).fetch_one("SELECT 1", {})
    assert 0 < max(waited) <= 0.3


def test_the_server_bounds_statements_and_lost_connections(directory: str) -> None:
    kept = database(directory)
    assert kept.fetch_one("SHOW statement_timeout", {}) == {"statement_timeout": "1s"}
    connection = kept._connection
    assert connection
    assert connection.get_dsn_parameters()["tcp_user_timeout"] == "1000"


def test_what_else_connects_in_a_process_may_wait_for_longer(directory: str) -> None:
    seconds = connection.ANSWER_SECONDS + 0.1
    assert select(directory, f"SELECT 1 FROM pg_sleep({seconds})") == [(1,)]


def test_parameters_are_bound(directory: str) -> None:
    text = "x'; DROP TABLE public.users; --"
    assert database(directory).fetch_one("SELECT %(text)s AS text", {"text": text}) == {
        "text": text
    }


def test_a_function_connects_while_it_starts_and_only_then(
    directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connections() -> list[Any]:
        named = "SELECT pid FROM pg_stat_activity WHERE application_name = 'cruddur-messages'"
        return select(directory, named)

    app = importlib.import_module("functions.check_sign_up.app")
    before = connections()
    importlib.reload(app)  # outside of Lambda nothing is made before it is asked for
    assert connections() == before
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    importlib.reload(app)
    (made,) = set(connections()) - set(before)
    row = connection.database().fetch_one("SELECT pg_backend_pid() AS pid", {})
    assert row == {"pid": made[0]}


@pytest.mark.parametrize("url", ["", "postgresql://127.0.0.1:1/x"])
def test_a_function_starts_without_its_database_and_its_first_call_says_so(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    monkeypatch.setenv("DATABASE_AUTH", "url")
    monkeypatch.setenv("DATABASE_URL", url)
    importlib.reload(importlib.import_module("functions.check_sign_up.app"))
    with pytest.raises(TryAgainError if url else MissingSettingError):
        users.get_by_handle("reef")


def test_a_healthy_connection_is_kept(directory: str) -> None:
    kept = database(directory)
    pids = {str(kept.fetch_one("SELECT pg_backend_pid() AS pid", {})) for _ in range(3)}
    assert len(pids) == 1


def test_a_connection_that_died_is_made_again(directory: str) -> None:
    kept = database(directory)
    row = kept.fetch_one("SELECT pg_backend_pid() AS pid", {})
    assert row
    select(directory, f"SELECT pg_terminate_backend({row['pid']})")
    assert kept.fetch_one("SELECT 1 AS one", {}) == {"one": 1}


def test_a_statement_that_takes_too_long_is_cancelled(directory: str) -> None:
    kept = database(directory)
    with pytest.raises(TryAgainError):
        kept.fetch_one("SELECT pg_sleep(30)", {})
    assert kept.fetch_one("SELECT 1 AS one", {}) == {"one": 1}


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/x", "postgresql://nowhere.invalid/x"])
def test_a_database_that_is_not_there_is_a_matter_of_time(url: str) -> None:
    with pytest.raises(TryAgainError):
        database(url).fetch_one("SELECT 1", {})


def test_a_server_that_accepts_and_says_nothing_is_given_up(
    silent_server: Callable[[], int],
) -> None:
    with pytest.raises(TryAgainError):
        database(f"postgresql://127.0.0.1:{silent_server()}/x").fetch_one("SELECT 1", {})


@pytest.fixture
def silent_server() -> Any:
    import socket

    server = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []

    def accept() -> None:
        try:
            while True:
                accepted.append(server.accept()[0])
        except OSError:
            return

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield lambda: server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()
    for client in accepted:
        client.close()


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_AUTH", "url")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(MissingSettingError, match="DATABASE_URL"):
        users.get_by_cognito_user_id("x")


def test_iam_signs_in_with_a_token_and_verifies_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("DEFAULT_REGION", "eu-west-1"), ("ACCESS_KEY_ID", "k")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very secret")
    environment = {
        "DATABASE_AUTH": "iam",
        "DATABASE_URL": "postgresql://db.example.com:5432/cruddur",
        "DATABASE_USER": "cruddur_app",
    }
    arguments = DatabaseSettings.from_environment(environment).connection_arguments()
    assert arguments["sslmode"] == "verify-full"
    assert arguments["sslrootcert"] == str(RDS_CERTIFICATES / "eu-west-1.pem")
    assert parse_dsn(arguments["dsn"])["user"] == "cruddur_app"
    assert "db.example.com:5432/?Action=connect&DBUser=cruddur_app" in arguments["password"]
    assert "rds-db" in arguments["password"]
    assert "very secret" not in arguments["password"]
    with pytest.raises(MissingSettingError, match="DATABASE_AUTH"):
        DatabaseSettings.from_environment(environment | {"DATABASE_AUTH": "password"})


def test_the_token_is_the_one_that_boto3_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEFAULT_REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{name}", "eu-west-1")
    url = "postgresql://cruddur_app@db.example.com/cruddur"
    ours = DatabaseSettings(url=url, iam=True).connection_arguments()["password"]
    theirs = boto3.client("rds").generate_db_auth_token("db.example.com", 5432, "cruddur_app")

    def parts(token: str) -> dict[str, str]:
        address, _, query = token.partition("?")
        parameters = dict(parse_qsl(query, strict_parsing=True))
        # They depend on the second.
        assert parameters.pop("X-Amz-Signature")
        assert parameters.pop("X-Amz-Date")
        return {"address": address} | parameters

    assert parts(ours) == parts(theirs)


@pytest.mark.parametrize("address", ["db.example.com", "db.example.com:5432"])
def test_a_url_without_a_port_means_the_usual_one(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    for name in ("DEFAULT_REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "eu-west-1")
    settings = DatabaseSettings(url=f"postgresql://cruddur_app@{address}/cruddur", iam=True)
    assert "db.example.com:5432/?Action=connect" in settings.connection_arguments()["password"]


@pytest.mark.parametrize(
    ("url", "missing"),
    [("postgresql://db.example.com/cruddur", "no user"), ("postgresql:///cruddur", "no host")],
)
def test_a_url_that_names_nobody_to_sign_in_as_is_named(url: str, missing: str) -> None:
    with pytest.raises(MissingSettingError, match=missing):
        DatabaseSettings(url=url, iam=True).connection_arguments()


def test_the_certificates_are_the_ones_that_were_checked() -> None:
    import hashlib

    from directory import config

    certified = b"".join(path.read_bytes() for path in sorted(RDS_CERTIFICATES.iterdir()))
    assert hashlib.sha256(certified).hexdigest() in inspect.getsource(config)
    certificates = x509.load_pem_x509_certificates(certified)
    assert all(certificate.issuer == certificate.subject for certificate in certificates)
    for certificate in certificates:
        certificate.verify_directly_issued_by(certificate)
        assert "Amazon RDS" in certificate.subject.rfc4514_string()


def test_the_password_is_not_in_the_settings_repr() -> None:
    assert "secret" not in repr(DatabaseSettings(url="postgresql://u:secret@h/d"))
