"""The roles in template.yaml, and the calls that their functions make.

Each call is held against the function's role and the boundary: a call that they do not allow would
be denied in the cloud, and a right that no call has used is one too many. To PostgreSQL they sign
in with a token, as in the cloud.
"""

import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg2
import pytest

from administration import database_users
from directory import config
from directory.config import RDS_CERTIFICATES, DatabaseSettings
from functions.check_sign_up import app as check_sign_up
from functions.confirm_user import app as confirm_user
from functions.provide_schema import app as provide_schema
from functions.send_hints import app as send_hints
from functions.update_message_groups import app as update_message_groups
from messaging import keys
from messaging.repository import Repository
from runtime import environment
from sam_offline.ministack import CREDENTIALS
from tests.fakes import sample_events
from tests.fakes.calls import Call, denied, needs, noted_calls, rights
from tests.fakes.gateway import Context, Gateway
from tests.fakes.iam import CREATED, Iam
from tests.fakes.people import REEF
from tests.fakes.rds import Rds
from tests.fakes.records import changed, inserted
from tests.fakes.template import Stack, read_stack

if TYPE_CHECKING:
    pass

# Rights that the code of a function does not use, and why they are there.
NOT_BY_CODE = {
    ("UpdateMessageGroups", "sqs:SendMessage"): "Lambda sends what it gives up with the function's"
    " role; that it may send to this queue alone is in tests/unit/test_template_rules.py",
}


@dataclass
class Calls:
    """The calls of each function, by its folder."""

    iam: Iam
    rds: Rds
    made: dict[str, set[Call]] = field(default_factory=lambda: defaultdict(set))

    @contextmanager
    def of(self, function: str) -> Iterator[None]:
        """Note the calls of a function that starts cold, as who it is in the cloud."""
        with pytest.MonkeyPatch.context() as patch, noted_calls() as noted:
            be(function, self.iam, self.rds, patch)
            yield
        self.made[function] |= noted
        environment.renew()


def be(function: str, iam: Iam, rds: Rds, patch: pytest.MonkeyPatch) -> None:
    """Have the credentials of a function, and what the template tells it."""
    credentials = {**CREDENTIALS, "AWS_SESSION_TOKEN": iam.stack.functions()[function].arn}
    region = {"AWS_DEFAULT_REGION": iam.stack.template.region}
    for name, value in {**iam.variables(function), **credentials, **region}.items():
        if name != "AWS_ENDPOINT_URL":
            patch.setenv(name, value)
    patch.setenv("DATABASE_URL", rds.url)
    environment.renew()


def sign_in_as(user: str) -> Call:
    server = f"dbuser:{CREATED['Database']['DbiResourceId']}"
    return Call("rds-db:connect", f"arn:aws:rds-db:us-east-1:000000000000:{server}/{user}")


@pytest.fixture(scope="module")
def iam() -> Iam:
    """Of a stack that has made all that it needs itself."""
    return Iam(read_stack(parameters={}))


@pytest.fixture
def signed_in() -> dict[str, set[Call]]:
    """As whom functions have signed in to PostgreSQL."""
    return defaultdict(set)


@pytest.fixture
def rds(
    iam: Iam,
    directory: str,
    signed_in: dict[str, set[Call]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Rds]:
    def may_connect(function: str, user: str) -> bool:
        call = sign_in_as(user)
        if denied(iam, function, [call]):
            return False
        signed_in[function].add(call)
        return True

    rds = Rds(directory, tmp_path, may_connect, iam.stack.template.region)
    monkeypatch.setattr(config, "RDS_CERTIFICATES", tmp_path)
    yield rds
    environment.renew()
    rds.stop()


@pytest.fixture
def calls(
    gateway: Gateway, iam: Iam, rds: Rds, signed_in: Mapping[str, set[Call]], repository: Repository
) -> Calls:
    """Every path of every function."""
    calls = Calls(iam=iam, rds=rds)
    name = str(uuid4())
    new_group = {"handle": "reef", "message": "Hello", "message_uuid": name}
    with calls.of("CreateMessageGroup"):
        for _ in range(2):  # the repeat reads what the first wrote
            answer = gateway.post("/api/message_groups", new_group, by="grahams")
        gateway.post("/api/message_groups", {"handle": "reef", "message": "Hi"}, by="grahams")
    group = answer.body["message_group_uuid"]
    with calls.of("CreateMessage"):
        for _ in range(2):
            new = {"message_group_uuid": group, "message": "Hi", "message_uuid": str(uuid4())}
            assert gateway.post("/api/messages", new, by="reef").status == 200
            again = gateway.post("/api/messages", new, by="reef")
        to_bayko = {"handle": "bayko", "message": "Hello", "message_uuid": str(uuid4())}
        assert gateway.post("/api/messages", to_bayko, by="reef").status == 200
    with calls.of("ListMessages"):
        assert gateway.get(f"/api/messages/{group}", by="grahams").status == 200
    with calls.of("ListMessageGroups"):
        assert gateway.get("/api/message_groups?counts=true", by="reef").status == 200
    with calls.of("GetMessageGroup"):
        assert gateway.get(f"/api/message_groups/{group}", by="reef").body["unread_count"] > 0
    with calls.of("MarkMessageGroup"):
        soon = {"created_at": "9999-12-31T00:00:00+00:00", "uuid": group}
        early = gateway.patch(f"/api/message_groups/{group}", {"read_up_to": soon}, by="reef")
        assert early.errors == ["read_up_to_in_future"]
        muted = gateway.patch(f"/api/message_groups/{group}", {"muted": True}, by="reef")
        assert muted.body["unread_count"] > 0
    with calls.of("GetMe"):
        assert gateway.get("/api/me", by="reef").status == 200
    with calls.of("UpdateMe"):
        assert gateway.patch("/api/me", {"read_receipts": False}, by="reef").status == 200
    connections(gateway, calls, repository)
    unread = repository.get_sides(group, [REEF.uuid])[REEF.uuid].row
    assert unread
    seen = replace(unread, marks=replace(unread.marks, read_sk=unread.last_sk))
    with calls.of("SendHints"):
        send_hints.lambda_handler({"Records": [changed(unread, seen)]}, Context(seconds=60))
    message = repository.get_message(group, f"{again.body['created_at']}#{again.body['uuid']}")
    assert message
    orphan = replace(message, message_group_uuid=str(uuid4()))
    with calls.of("UpdateMessageGroups"):
        records = inserted(message, orphan)  # of the orphan's group there is neither row nor member
        update_message_groups.lambda_handler({"Records": records}, Context(seconds=60))
    sign_up(gateway, calls)
    for function, made in signed_in.items():
        calls.made[function] |= made
    return calls


def sign_up(gateway: Gateway, calls: Calls) -> None:
    """What there is beside messages: looking up, signing up, and loading the schema."""
    with calls.of("GetUserShort"):
        assert gateway.get("/api/users/reef/short", by="grahams").status == 200
    with calls.of("CheckSignUp"):
        event = sample_events.event("check_sign_up/free_handle")
        assert check_sign_up.lambda_handler(event, Context()) == event
    with calls.of("ConfirmUser"):
        event = sample_events.event("confirm_user/new_user")
        assert confirm_user.lambda_handler(event, Context()) == event
    with calls.of("ProvideSchema"), deploying() as (event, answers):
        provide_schema.lambda_handler(event, Context(seconds=60))
        assert [answer["Status"] for answer in answers] == ["SUCCESS"]


@contextmanager
def deploying() -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """CloudFormation, which deploys, and what its custom resource asks: secrets and functions."""
    answers: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            answers.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self._answer({})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            secret = json.dumps({"username": "owner", "password": "hidden"})
            self._answer({"SecretString": secret, "applied": []})

        def _answer(self, body: object) -> None:
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server, pytest.MonkeyPatch.context() as patch:
        url = f"http://127.0.0.1:{server.server_port}"
        for service in ("LAMBDA", "SECRETS_MANAGER"):
            patch.setenv(f"AWS_ENDPOINT_URL_{service}", url)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        names = ("StackId", "RequestId", "LogicalResourceId")
        try:
            yield (
                {"RequestType": "Create", "ResponseURL": url, **dict.fromkeys(names, "x")},
                answers,
            )
        finally:
            server.shutdown()
            thread.join()


def connections(gateway: Gateway, calls: Calls, repository: Repository) -> None:
    """Eleven connections of each member, one that is closed, and some that have ended."""
    for handle in ("grahams", "reef"):
        with calls.of("CreateLiveTicket"):
            tickets = [gateway.post("/api/live", {}, by=handle).body["ticket"] for _ in range(11)]
        with calls.of("ConnectLive"):
            for number, ticket in enumerate(tickets):
                name = f"{handle}{number}"
                assert gateway.connect("ConnectLive", "$connect", name, ticket=ticket) == 200
    with calls.of("DisconnectLive"):
        assert gateway.connect("DisconnectLive", "$disconnect", "reef10") == 200

    def end(name: str) -> None:
        """Let reef have a connection whose token has ended."""
        standing = repository.list_connections(REEF.uuid)[0]
        ended = replace(standing, connection_id=name, expires_at=datetime.now(UTC))
        assert repository.put_connection(ended, replaced=standing)

    end("one")
    with calls.of("KeepLive"):
        assert gateway.connect("KeepLive", "$default", "one") == 200
    end("another")


def test_every_function_may_do_what_it_does_and_nothing_else(
    iam: Iam, calls: Calls, tell: Callable[[str], None]
) -> None:
    assert calls.made.keys() <= iam.stack.functions().keys()
    unused = set()
    for function in iam.stack.functions():
        # A function that was not run above may do nothing. What its sample events call is held
        # against its role in test_events.py.
        made = calls.made.get(function, set())
        assert not denied(iam, function, made), function
        for right in rights(iam, function):
            if not any(needs(call, right) for call in made):
                unused.add((function, right.action))
    assert unused == NOT_BY_CODE.keys()
    tell(f"{sum(map(len, calls.made.values()))} kinds of calls by {len(calls.made)} functions")


def test_nobody_is_ever_taken_out_of_a_group(iam: Iam) -> None:
    """So who is a member can be remembered: their item is written with the group, and then read."""
    for function in iam.stack.functions():
        on_members = {
            right.action
            for right in rights(iam, function)
            if right.leading_key == f"{keys.MEMBERS_PREFIX}*"
        }
        creates = function in {"CreateMessage", "CreateMessageGroup"}
        assert on_members <= {"dynamodb:GetItem"} | ({"dynamodb:PutItem"} if creates else set())


def test_every_function_signs_in_to_the_database_as_its_own_user_and_as_no_other(
    iam: Iam, rds: Rds, monkeypatch: pytest.MonkeyPatch, tell: Callable[[str], None]
) -> None:
    refused = 0
    for function in iam.stack.functions():
        be(function, iam, rds, monkeypatch)
        for user in ("postgres", *database_users.RIGHTS):
            settings = DatabaseSettings(url=rds.url, user=user, iam=True)
            if sign_in_as(user) in [replace(r, leading_key="") for r in rights(iam, function)]:
                psycopg2.connect(**settings.connection_arguments()).close()
            else:
                with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
                    psycopg2.connect(**settings.connection_arguments())
                refused += 1
    tell(f"{refused} sign-ins to the database refused")


def test_a_server_that_cannot_prove_to_be_rds_gets_no_token(
    iam: Iam, rds: Rds, monkeypatch: pytest.MonkeyPatch
) -> None:
    be("ListMessages", iam, rds, monkeypatch)
    monkeypatch.setattr(config, "RDS_CERTIFICATES", RDS_CERTIFICATES)
    settings = DatabaseSettings(url=rds.url, user=database_users.APP, iam=True)
    with pytest.raises(psycopg2.OperationalError, match="certificate verify failed"):
        psycopg2.connect(**settings.connection_arguments())


def test_the_document_names_the_calls_of_every_function_that_works_on_the_table(
    stack: Stack, calls: Calls
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
    _, _, patterns = text.partition("\n## Access patterns\n")
    patterns, _, _ = patterns.partition("\n## ")
    documented = re.findall(r"^\|.*\(\.\./functions/(\w+)/app\.py\) \|$", patterns, re.MULTILINE)
    folders = {name: function.code.name for name, function in stack.functions().items()}
    on_the_table = [
        name
        for name, made in calls.made.items()
        if any(call.action.startswith("dynamodb:") for call in made)
    ]
    assert sorted(documented) == sorted(folders[name] for name in on_the_table)
