"""Every sample event, by its handler on moto; tests/sam_local does the same in containers."""

import importlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from messaging import keys
from messaging.repository import Repository
from runtime.deadline import Deadline
from seed.examples import seed_users
from seed.writing import write_conversations
from tests.fakes import sample_events
from tests.fakes.calls import denied, noted_calls
from tests.fakes.gateway import Context
from tests.fakes.iam import Iam
from tests.fakes.records import record
from tests.fakes.sample_events import EVENTS, EXPECTED, Contents, Stores
from tests.fakes.template import Stack, create_table_arguments
from tests.integration.conftest import database_user_of, fill_directory, table_on_moto

# As EventBridge sends what a rule's schedule says.
SCHEDULED = {
    "version": "0",
    "id": "00000000-0000-4000-8000-000000000001",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "000000000000",
    "time": "2026-12-31T12:00:00Z",
    "region": "us-east-1",
    "resources": ["arn:aws:events:us-east-1:000000000000:rule/ping"],
    "detail": {},
}


@pytest.fixture(scope="module")
def seeded(stack: Stack, database_url: str) -> Iterator[Stores]:
    """The seeded table and users. Filling the table takes longer than most of the tests."""
    with pytest.MonkeyPatch.context() as patch, table_on_moto(stack, patch) as dynamodb:
        table_name = str(create_table_arguments(stack)["TableName"])
        write_conversations(
            Repository(dynamodb, table_name, deadline=Deadline()), datetime.now(UTC)
        )
        users = {user.user: user.cognito_user_id or "MOCK" for user in seed_users()}
        fill_directory(database_url, users, patch)
        yield Stores(dynamodb=dynamodb, table_name=table_name, database_url=database_url)


@pytest.fixture
def stores(seeded: Stores) -> Iterator[Stores]:
    """The seeded table and users, which are restored after each test."""
    before = seeded.read()
    yield seeded
    seeded.restore(before)


def invoke(name: str, event: Any) -> Any:
    """Call a function as Lambda does: what it raises becomes its answer."""
    with database_user_of(folder_of(name)):
        return call(name, event)


def call(name: str, event: Any) -> Any:
    app = importlib.import_module(f"functions.{folder_of(name)}.app")
    try:
        return app.lambda_handler(event, Context())
    except Exception as error:  # noqa: BLE001  # as Lambda does
        return {"errorType": type(error).__name__, "errorMessage": str(error)}


def folder_of(name: str) -> str:
    return name.partition("/")[0]


def deliver(before: Contents, after: Contents) -> None:
    """Do what the stream's mapping does with the messages that came."""
    if messages := sample_events.messages_to_follow(before, after):
        event = {"Records": [record(message) for message in messages]}
        assert invoke("update_message_groups", event) == sample_events.ALL_DONE


def test_every_sample_event_has_its_expectation_and_every_function_an_event() -> None:
    names = {str(path.relative_to(EVENTS).with_suffix("")) for path in EVENTS.glob("*/*.json")}
    assert names == set(EXPECTED)
    folders = {path.parent.name for path in EVENTS.parent.glob("functions/*/app.py")}
    # It answers to an address that CloudFormation signs for one deployment.
    assert {name.partition("/")[0] for name in names} == folders - {"provide_schema"}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_event_answers_and_writes_what_it_should(name: str, stores: Stores) -> None:
    before = stores.read()
    payload = invoke(name, sample_events.event(name))
    assert sample_events.answer(name, payload) == EXPECTED[name].answer
    deliver(before, stores.read())
    after = stores.read()
    assert not sample_events.differences(name, before, after)
    again = invoke(name, sample_events.event(name))
    assert sample_events.answer(name, again) == EXPECTED[name].answer
    assert stores.read().rows() == after.rows()


def test_every_function_may_do_what_its_sample_events_make_it_do(
    stack: Stack, stores: Stores
) -> None:
    iam = Iam(stack)
    functions = {function.code.name: name for name, function in stack.functions().items()}
    with_calls = set()
    for name in EXPECTED:
        folder = folder_of(name)
        with database_user_of(folder), noted_calls() as calls:
            call(name, sample_events.event(name))
        assert not denied(iam, functions[folder], calls), name
        with_calls |= {folder} if calls else set()
    assert "create_message" in with_calls


def test_a_daily_ping_does_nothing(stack: Stack, stores: Stores) -> None:
    before = stores.read()
    code = {name: function.code.name for name, function in stack.functions().items()}
    pinged = {}
    for _, rule in stack.resources("AWS::Events::Rule"):
        (target,) = rule["Targets"]
        assert "Input" not in target  # all functions know the ping by what EventBridge sends
        name = code[target["Arn"]["Fn::GetAtt"][0]]
        pinged[name] = invoke(name, SCHEDULED)
    assert len(pinged) > 1
    answers = [{}, SCHEDULED]  # Cognito's triggers answer with the event
    assert {name for name, answer in pinged.items() if answer not in answers} == set()
    assert stores.read() == before


def test_http_events_are_as_the_gateway_of_the_template_sends_them(stack: Stack) -> None:
    routes = {
        stack.functions()[route.function].code.name: f"{route.method} {route.path}"
        for route in stack.routes()
    }
    for name in EXPECTED:
        event = sample_events.event(name)
        if route := routes.get(name.partition("/")[0]):
            assert event["routeKey"] == event["requestContext"]["routeKey"] == route
            has_authorizer = "authorizer" in event["requestContext"]
            assert has_authorizer == (name != "list_message_groups/without_a_token")
            if has_authorizer:
                claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
                assert claims["sub"] in {user.cognito_user_id for user in seed_users()}
                assert claims["token_use"] == "access"


ON_CONNECTIONS = {
    "connect_live": "$connect",
    "keep_live": "$default",
    "disconnect_live": "$disconnect",
}


def test_events_of_connections_are_as_the_gateway_of_the_template_sends_them(stack: Stack) -> None:
    web_socket = stack.web_socket()
    assert web_socket
    code = {name: function.code.name for name, function in stack.functions().items()}
    assert {code[name]: route for route, name in web_socket.routes.items()} == ON_CONNECTIONS
    for name in EXPECTED:
        if route := ON_CONNECTIONS.get(folder_of(name)):
            context = sample_events.event(name)["requestContext"]
            assert (context["routeKey"], context["stage"]) == (route, web_socket.stage)


# As `sam local generate-event` makes them: what somebody tries first, or wires wrongly.
FOREIGN = sorted((Path(sample_events.__file__).parent / "aws_events").glob("*.json"))
OWN_FORMAT = "apigateway_http_api_proxy"


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.stem)
def test_a_foreign_event_is_answered_with_a_clear_error_and_logged_by_name(
    path: Path, stack: Stack, stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    before, event = stores.read(), json.loads(path.read_text())
    for route in stack.routes():
        function = stack.functions()[route.function].code.name
        found = sample_events.answer("", invoke(function, event))
        if path.stem == OWN_FORMAT:  # of another HTTP API
            assert found == sample_events.problem(HTTPStatus.NOT_FOUND, "route_not_found")
            continue
        assert found == sample_events.problem(HTTPStatus.BAD_REQUEST, "event_not_supported")
        logged = caplog.records[-1]
        assert logged.levelname == "ERROR"
        assert vars(logged)["error"] == "ForeignEventError"
        assert "payload format 2.0" in logged.message
        caplog.clear()
    for trigger, name in stack.triggers().items():
        failed = invoke(stack.functions()[name].code.name, event)
        assert failed["errorType"] == "ForeignEventError"
        assert trigger in failed["errorMessage"]
    for function in ON_CONNECTIONS:
        assert invoke(function, event)["errorType"] == "ForeignEventError"
    told = invoke("send_hints", event)
    assert told is None if "Records" in event else told["errorType"] == "ForeignEventError"
    moved = invoke("update_message_groups", event)
    if "Records" in event:  # of somebody else's table, or of no table at all
        assert moved == sample_events.ALL_DONE
    else:
        assert moved["errorType"] == "ForeignEventError"
    assert invoke("provide_schema", event)["errorType"] == "ForeignEventError"
    assert stores.read() == before


@pytest.mark.parametrize("event", [{}, [], None, "text", {"routeKey": None}])
def test_what_is_no_event_at_all_is_answered_the_same(event: Any) -> None:
    for function in ("list_messages", "create_message"):
        found = sample_events.answer("", invoke(function, event))
        assert found == sample_events.problem(HTTPStatus.BAD_REQUEST, "event_not_supported")
    others = ("check_sign_up", "confirm_user", "provide_schema", "update_message_groups")
    for function in (*others, *ON_CONNECTIONS, "send_hints"):
        assert invoke(function, event)["errorType"] == "ForeignEventError"


def test_an_event_of_another_trigger_or_without_its_parameter_is_foreign() -> None:
    for function, other in (
        ("check_sign_up", "confirm_user/new_user"),
        ("confirm_user", "check_sign_up/free_handle"),
    ):
        failed = invoke(function, sample_events.event(other))
        assert failed["errorType"] == "ForeignEventError"
    event = sample_events.event("list_messages/newest_first")
    del event["pathParameters"]
    found = sample_events.answer("", invoke("list_messages", event))
    assert found == sample_events.problem(HTTPStatus.BAD_REQUEST, "event_not_supported")


def test_metrics_say_what_became_of_a_batch(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke("update_message_groups", sample_events.event("update_message_groups/many_groups"))
    line = next(line for line in capsys.readouterr().out.splitlines() if '"_aws"' in line)
    metrics = json.loads(line)
    assert metrics["Moves"] == [3.0]
    assert metrics["RecordsCoalesced"] == [1.0]
    assert metrics["RecordsParked"] == metrics["GroupsFailed"] == [0.0]
    assert len(metrics["GroupLag"]) == 3


def test_stream_events_are_as_the_streams_of_the_template() -> None:
    streams = {
        "update_message_groups": keys.MESSAGE_PREFIX,
        "send_hints": keys.MESSAGE_GROUP_PREFIX,
    }
    for folder, prefix in streams.items():
        for path in (EVENTS / folder).glob("*.json"):
            for entry in json.loads(path.read_text())["Records"]:
                assert entry["eventSource"] == "aws:dynamodb"
                assert entry["dynamodb"]["Keys"]["pk"]["S"].startswith(prefix)
