"""docs/openapi.yaml against template and code, and what the tests' clients do with it."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from openapi_spec_validator import validate

from runtime.errors import RequestError, TryAgainError
from sam_offline.server import too_large, too_late
from tests.contract import Contract, contract
from tests.fakes.template import Stack
from tests.unit.test_project import codes, request_errors, stack

__all__ = ["stack"]

GROUP = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"
LISTED = f"/api/messages/{GROUP}"
# What the gateway in front of every route may answer by itself.
OF_GATEWAY = {"401", "413", "429", "500", "503"}


def responses() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every response: where it stands, its status, and what is said of it."""
    for method, path, operation in contract().operations():
        for status, response in operation["responses"].items():
            yield f"{method} {path} {status}", status, contract().resolved(response)


def documented_codes(kind: str = "application/problem+json") -> Iterator[tuple[str, str]]:
    """Every error code, and a status with which it is documented."""
    for where, status, response in responses():
        for content, media in response["content"].items():
            if content == kind:
                (_, own) = media["schema"]["allOf"]
                named = own["properties"]["errors"]["items"]["enum"]
                assert named, where
                yield from ((code, status) for code in named)


def test_the_contract_is_valid_openapi() -> None:
    validate(contract().document)


def test_the_contract_has_the_routes_of_the_template(stack: Stack) -> None:
    routes = sorted(f"{route.method} {route.path}" for route in stack.routes())
    assert sorted(f"{method} {path}" for method, path, _ in contract().operations()) == routes


def test_parameters_of_a_path_are_described() -> None:
    for method, path, operation in contract().operations():
        given = [
            *contract().document["paths"][path].get("parameters", []),
            *operation.get("parameters", []),
        ]
        described = {p["name"] for p in map(contract().resolved, given) if p["in"] == "path"}
        assert described == {part[1:-1] for part in path.split("/") if part.startswith("{")}, method


def test_every_route_needs_a_token_as_the_template_says(stack: Stack) -> None:
    assert contract().document["security"] == [{"accessToken": []}]
    assert not [path for _, path, operation in contract().operations() if "security" in operation]
    assert all(route.authorizer for route in stack.routes())


def test_the_contract_has_every_code_of_the_api_and_no_other() -> None:
    document = contract().document
    of_sign_up = {"handle_invalid", "display_name_invalid", "email_invalid", "handle_taken"}
    documented = {code for code, _ in documented_codes()}
    assert documented | set(document["x-codes-of-foreign-events"]) == codes() - of_sign_up


def test_a_code_is_documented_with_the_status_of_its_error() -> None:
    documented = set(documented_codes())
    foreign = contract().document["x-codes-of-foreign-events"]
    of_errors = [error for error in request_errors(RequestError) if hasattr(error, "code")]
    assert of_errors
    for error in of_errors:
        if error.code not in foreign:
            statuses = {status for code, status in documented if code == error.code}
            assert statuses == {str(error.status.value)}, error


def test_every_route_has_what_the_gateway_answers_by_itself() -> None:
    for method, path, operation in contract().operations():
        for status in OF_GATEWAY:
            response = contract().resolved(operation["responses"][status])
            example = response["content"]["application/json"]["example"]
            assert example.keys() == {"message"}, (method, path, status)


def test_the_local_gateway_answers_what_the_contract_says() -> None:
    for name, answer in {"TryAgain": too_late(), "TooLarge": too_large()}.items():
        text = bytes(answer.body).decode()
        assert not contract().faults(
            "POST", "/api/messages", answer.status_code, dict(answer.headers), text
        )
        described = contract().document["components"]["responses"][name]
        assert described["content"]["application/json"]["example"] == json.loads(text)


def test_every_example_is_as_its_schema_says() -> None:
    found = 0
    for value in nested(contract().document):
        if "schema" in value and "example" in value:
            found += 1
            assert not contract().differences(value["schema"], value["example"]), value["example"]
    assert found > 20


def nested(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in `value`."""
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from nested(part)
    elif isinstance(value, list):
        for part in value:
            yield from nested(part)


MESSAGE = {
    "uuid": GROUP,
    "display_name": "Reef",
    "handle": "reef",
    "message": "hello",
    "created_at": "2026-11-21T12:01:01.845204+00:00",
}
PAGE = {"content-type": "application/json", "cache-control": "no-store"}
PROBLEM = PAGE | {"content-type": "application/problem+json"}


def problem(status: int, *errors: str) -> dict[str, Any]:
    return {"type": "about:blank", "title": "x", "status": status, "errors": list(errors)}


def faults(status: int, body: object, headers: dict[str, str], path: str = LISTED) -> list[str]:
    return contract().faults("GET", path, status, headers, json.dumps(body))


def test_an_answer_of_the_contract_has_no_fault() -> None:
    link = {"link": '<x?cursor=a>; rel="next", <x?cursor=b>; rel="prev"'}
    assert faults(200, [MESSAGE], PAGE | link) == []
    assert faults(422, problem(422, "limit_invalid", "order_invalid"), PROBLEM) == []
    again = {"retry-after": str(TryAgainError.headers["Retry-After"])}
    assert faults(503, problem(503, "try_again"), PROBLEM | again) == []
    gateways = {"content-type": "application/json"}
    assert faults(404, {"message": "Not Found"}, gateways, "/api/nothing") == []


@pytest.mark.parametrize(
    ("status", "body", "headers", "path"),
    [
        (200, [{**MESSAGE, "colour": "blue"}], PAGE, LISTED),
        (200, [{**MESSAGE, "message": None}], PAGE, LISTED),
        (200, [{**MESSAGE, "created_at": "2026-11-21T12:01:01+00:00"}], PAGE, LISTED),
        (200, [{"uuid": GROUP}], PAGE, LISTED),
        (200, [], {"content-type": "application/json"}, LISTED),
        (200, [], PAGE | {"content-type": "text/html"}, LISTED),
        (200, [], PAGE | {"retry-after": "1"}, LISTED),
        (200, [], PAGE | {"link": "<x>"}, LISTED),
        (204, [], PAGE, LISTED),
        (422, problem(422, "message_blank"), PROBLEM, LISTED),
        (422, problem(422), PROBLEM, LISTED),
        (404, problem(404, "user_not_found"), PROBLEM, LISTED),
        (404, {"message": "Not Found", "more": 1}, PAGE, LISTED),
        (404, {"message": "Not Found"}, PAGE, "/api/nothing"),
        (503, problem(503, "try_again"), PROBLEM | {"retry-after": "0"}, LISTED),
        (200, [], PAGE, "/api/nothing"),
        (200, {"uuid": "x", "handle": "reef", "display_name": "Reef"}, PAGE, "/api/users/x/short"),
    ],
)
def test_what_the_contract_does_not_have_is_a_fault(
    status: int, body: object, headers: dict[str, str], path: str
) -> None:
    assert faults(status, body, headers, path)


@pytest.mark.parametrize("status", ["200", "401", "413"])
def test_a_status_that_the_contract_does_not_have_is_a_fault(status: str) -> None:
    document = deepcopy(contract().document)
    del document["paths"]["/api/me"]["get"]["responses"][status]
    assert Contract(document).faults("GET", "/api/me", int(status), PAGE, "{}") == [
        f"status {status}"
    ]
