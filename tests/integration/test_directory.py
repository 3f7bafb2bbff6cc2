"""Who may sign up as whom, and what the connection bears."""

import importlib
import inspect
import threading
import traceback
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg2
import pytest
from cryptography import x509

from directory import users
from directory.config import RDS_CERTIFICATES, DatabaseSettings
from directory.connection import Database, DatabaseError
from messaging.deadline import Deadline
from messaging.entities import User
from messaging.errors import MissingSettingError, TryAgainError
from tests.fakes.gateway import Context
from tests.integration.conftest import insert_user

SUB = str(UUID(int=77))


def event(source: str, handle: str, *, email: str = "new@example.com", **more: str) -> Any:
    attributes = {"preferred_username": handle, "name": "New Person", "email": email} | more
    return {
        "version": "1",
        "triggerSource": source,
        "userName": SUB,
        "request": {"userAttributes": attributes},
        "response": {},
    }


def check(handle: str, **attributes: str) -> None:
    app = importlib.import_module("functions.check_sign_up.app")
    trigger = event("PreSignUp_SignUp", handle, **attributes)
    assert app.lambda_handler(trigger, Context()) is trigger


def confirm(handle: str, *, source: str = "PostConfirmation_ConfirmSignUp", **more: str) -> None:
    app = importlib.import_module("functions.confirm_user.app")
    trigger = event(source, handle, **({"sub": SUB} | more))
    assert app.lambda_handler(trigger, Context()) is trigger


def select(url: str, statement: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        rows = cursor.fetchall()
    connection.close()
    return rows


def add(url: str, user: User) -> None:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        insert_user(cursor, user)
    connection.close()


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
    with pytest.raises(users.SignUpError, match=r"^handle_taken$"):
        check(handle)
    with pytest.raises(users.SignUpError, match=r"^handle_taken$"):
        confirm(handle)
    assert select(directory, "SELECT count(*) FROM public.users") == [(3,)]


@pytest.mark.parametrize(
    "handle", ["", " ", "@reef", "a b", "a" * 31, "-a", "\u00e4", "a\n", "a\0", "a'; DROP TABLE x"]
)
def test_a_malformed_handle_is_refused(directory: str, handle: str) -> None:
    with pytest.raises(users.SignUpError, match=r"^handle_invalid$"):
        check(handle)


@pytest.mark.parametrize("name", ["", "  ", "n" * 51, "a\nb", "\ud800", "\0"])
def test_a_display_name_that_lists_cannot_show_is_refused(directory: str, name: str) -> None:
    with pytest.raises(users.SignUpError, match=r"^display_name_invalid$"):
        check("newcomer", name=name)


def test_a_row_that_waits_is_for_its_own_e_mail_address(directory: str) -> None:
    add(directory, WAITING)
    with pytest.raises(users.SignUpError, match=r"^handle_taken$"):
        check("waiting", email="other@example.com")
    with pytest.raises(users.SignUpError, match=r"^handle_taken$"):
        confirm("waiting", email="other@example.com")
    check("Waiting", email="Waiting@Example.com")
    confirm("Waiting", email="Waiting@Example.com")
    assert users.get_by_cognito_user_id(SUB) == WAITING


def test_other_confirmations_write_nothing(directory: str) -> None:
    confirm("newcomer", source="PostConfirmation_ConfirmForgotPassword")
    assert select(directory, "SELECT count(*) FROM public.users") == [(3,)]


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
    with pytest.raises(users.SignUpError, match=r"^email_invalid$"):
        check("newcomer", email="x" * 321)


def test_no_call_is_begun_that_might_not_end_in_time(directory: str) -> None:
    deadline = Deadline()
    deadline.start(1)
    with pytest.raises(TryAgainError):
        Database(DatabaseSettings(url=directory), deadline=deadline).fetch_one("SELECT 1", {})


def test_the_server_bounds_statements_and_lost_connections(directory: str) -> None:
    kept = database(directory)
    assert kept.fetch_one("SHOW statement_timeout", {}) == {"statement_timeout": "1s"}
    connection = kept._connection
    assert connection
    assert connection.get_dsn_parameters()["tcp_user_timeout"] == "1000"


def test_parameters_are_bound(directory: str) -> None:
    text = "x'; DROP TABLE public.users; --"
    assert database(directory).fetch_one("SELECT %(text)s AS text", {"text": text}) == {
        "text": text
    }


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
    for connection in accepted:
        connection.close()


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
        "DATABASE_URL": "postgresql://cruddur_app@db.example.com:5432/cruddur",
    }
    arguments = DatabaseSettings.from_environment(environment).connection_arguments()
    assert arguments["sslmode"] == "verify-full"
    assert arguments["sslrootcert"] == str(RDS_CERTIFICATES)
    assert "db.example.com:5432/?Action=connect&DBUser=cruddur_app" in arguments["password"]
    assert "rds-db" in arguments["password"]
    assert "very secret" not in arguments["password"]
    with pytest.raises(MissingSettingError, match="DATABASE_AUTH"):
        DatabaseSettings.from_environment(environment | {"DATABASE_AUTH": "password"})


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

    digest = hashlib.sha256(RDS_CERTIFICATES.read_bytes()).hexdigest()
    assert digest in inspect.getsource(config)
    certificates = x509.load_pem_x509_certificates(RDS_CERTIFICATES.read_bytes())
    assert all(certificate.issuer == certificate.subject for certificate in certificates)
    for certificate in certificates:
        certificate.verify_directly_issued_by(certificate)
        assert "Amazon RDS" in certificate.subject.rfc4514_string()


def test_the_password_is_not_in_the_settings_repr() -> None:
    assert "secret" not in repr(DatabaseSettings(url="postgresql://u:secret@h/d"))
