"""Events and answers as API Gateway makes them, format 2.0."""

import base64
from typing import Any
from urllib.parse import unquote

import pytest
from starlette.requests import Request
from starlette.responses import Response

from sam_offline.authorizer import JwtAuthorizer, UnauthorizedError
from sam_offline.functions import Result
from sam_offline.http_api import HttpApi
from sam_offline.stack import Route

CORS = {
    "allowOrigins": ["https://a.example"],
    "allowMethods": ["GET", "POST"],
    "allowHeaders": ["authorization"],
    "exposeHeaders": ["link"],
    "maxAge": 600,
}


class _Everybody(JwtAuthorizer):
    """Takes the token `good`."""

    def __init__(self) -> None: ...

    header = "authorization"

    def claims(self, header: str | None) -> dict[str, Any]:
        if header != "good":
            raise UnauthorizedError
        return {"sub": "s", "exp": 5, "scope": "read write"}


class _Api:
    """The API with a function that remembers its event and returns what it is told."""

    def __init__(self, payload: Any = None, *, failed: bool = False) -> None:
        self.events: list[dict[str, Any]] = []
        self._result = Result(payload=payload, failed=failed)
        paths = [
            ("GET", "/things/{id}", ()),
            ("GET", "/things/fixed", ()),
            ("POST", "/things", ()),
            ("ANY", "/files/{path+}", ()),
            ("GET", "/admin", ("admin",)),
            ("GET", "/mine", ("read",)),
        ]
        routes = tuple(
            Route(method=m, path=p, function=p, authorizer="jwt", scopes=s) for m, p, s in paths
        )
        self.api = HttpApi(
            routes=routes, authorizers={"jwt": _Everybody()}, cors=CORS, invoke=self._invoke
        )

    def _invoke(self, _name: str, event: Any) -> Result:
        self.events.append(event)
        return self._result

    def call(
        self, method: str, path: str, body: bytes = b"", *headers: tuple[str, str]
    ) -> Response:
        path, _, query = path.partition("?")
        known = [("host", "127.0.0.1:3000"), ("authorization", "good")]
        scope = {
            "type": "http",
            "method": method,
            "http_version": "1.1",
            "raw_path": path.encode(),
            "path": unquote(path),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in (*known, *headers)],
            "client": ("127.0.0.1", 1),
        }
        return self.api.answer(Request(scope), body)


def _header(answer: Response, name: str) -> str | None:
    return answer.headers.get(name)


def test_an_event_has_what_the_request_has() -> None:
    api = _Api()
    api.call(
        "GET",
        "/things/a%20b%2Fc?x=1&x=2&y=&z=%2C",
        b"",
        ("cookie", "a=1; b=2"),
        ("x-a", "1"),
        ("x-a", "2"),
    )
    (event,) = api.events
    assert event["version"] == "2.0"
    assert event["routeKey"] == "GET /things/{id}"
    assert event["rawPath"] == "/things/a b/c"
    assert event["pathParameters"] == {"id": "a b/c"}
    assert event["rawQueryString"] == "x=1&x=2&y=&z=%2C"
    assert event["queryStringParameters"] == {"x": "1,2", "y": "", "z": ","}
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["headers"]["x-a"] == "1,2"
    assert event["requestContext"]["http"]["method"] == "GET"
    claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
    assert claims == {"sub": "s", "exp": "5", "scope": "read write"}
    assert "body" not in event
    assert event["isBase64Encoded"] is False


def test_an_event_lacks_what_the_request_lacks() -> None:
    api = _Api()
    api.call("POST", "/things")
    assert not {"queryStringParameters", "pathParameters", "cookies", "body"} & set(api.events[0])


@pytest.mark.parametrize(
    ("kind", "body", "encoded"),
    [
        ("application/json", b'{"a":1}', False),
        ("application/problem+json; charset=utf-8", b"{}", False),
        ("text/plain", "ü".encode(), False),
        ("application/json", b"\xff\xfe", True),
        ("application/octet-stream", b"abc", True),
        ("application/x-www-form-urlencoded", b"a=1", True),
    ],
)
def test_bodies_that_are_no_text_come_in_base64(kind: str, body: bytes, encoded: bool) -> None:
    api = _Api()
    api.call("POST", "/things", body, ("content-type", kind))
    event = api.events[0]
    assert event["isBase64Encoded"] is encoded
    assert event["body"] == (base64.b64encode(body).decode() if encoded else body.decode())


@pytest.mark.parametrize(
    ("method", "path", "function"),
    [
        ("GET", "/things/fixed", "/things/fixed"),
        ("GET", "/things/other", "/things/{id}"),
        ("PUT", "/files/a/b", "/files/{path+}"),
    ],
)
def test_the_most_specific_route_is_taken(method: str, path: str, function: str) -> None:
    api = _Api()
    assert api.call(method, path).status_code == 200
    assert api.events[0]["routeKey"].endswith(f" {function}")


@pytest.mark.parametrize(
    "call", [("GET", "/nothing"), ("PUT", "/things"), ("GET", "/things/a/b"), ("POST", "/things/")]
)
def test_no_route_is_not_found_even_without_a_token(call: tuple[str, str]) -> None:
    answer = _Api().call(*call, b"", ("authorization", "bad"))
    assert (answer.status_code, answer.body) == (404, b'{"message":"Not Found"}')


def test_a_bad_token_is_unauthorized_and_reaches_no_function() -> None:
    api = _Api()
    answer = api.call("GET", "/things/1", b"", ("authorization", "bad"))
    assert (answer.status_code, answer.body) == (401, b'{"message":"Unauthorized"}')
    assert _header(answer, "www-authenticate") == "Bearer"
    assert _header(answer, "content-type") == "application/json"
    assert not api.events


def test_a_route_with_scopes_wants_one_of_them() -> None:
    assert _Api().call("GET", "/admin").status_code == 403
    assert _Api().call("GET", "/mine").status_code == 200


def test_an_answer_is_passed_on() -> None:
    payload = {
        "statusCode": 201,
        "headers": {"Link": "<x>"},
        "cookies": ["a=1", "b=2"],
        "body": "ü",
    }
    answer = _Api(payload).call("POST", "/things")
    assert (answer.status_code, answer.body) == (201, "ü".encode())
    assert _header(answer, "link") == "<x>"
    assert answer.headers.getlist("set-cookie") == ["a=1", "b=2"]
    assert _header(answer, "content-type") == "text/plain;charset=UTF-8"


@pytest.mark.parametrize("payload", [{"a": 1}, ["a"], None, "text"])
def test_a_plain_value_is_a_json_body(payload: Any) -> None:
    answer = _Api(payload).call("POST", "/things")
    assert answer.status_code == 200
    assert _header(answer, "content-type") == "application/json"


@pytest.mark.parametrize(
    "payload",
    [
        {"statusCode": "many"},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "body": "%%%", "isBase64Encoded": True},
        {"statusCode": 200, "body": "\ud800"},
        {"statusCode": 200, "headers": {"x": "a\r\nb: c"}},
    ],
)
def test_an_answer_that_is_none_is_a_bare_500(payload: Any) -> None:
    answer = _Api(payload).call("POST", "/things")
    assert (answer.status_code, answer.body) == (500, b'{"message":"Internal Server Error"}')


def test_an_error_of_the_function_leaks_nothing() -> None:
    answer = _Api({"errorMessage": "secret"}, failed=True).call("POST", "/things")
    assert (answer.status_code, answer.body) == (500, b'{"message":"Internal Server Error"}')


def test_a_preflight_is_answered_before_the_authorizer() -> None:
    api = _Api()
    wish = ("access-control-request-method", "POST")
    answer = api.call(
        "OPTIONS", "/things", b"", ("authorization", "bad"), ("origin", "https://a.example"), wish
    )
    assert answer.status_code == 204
    assert dict(answer.headers) == {
        "access-control-allow-origin": "https://a.example",
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "authorization",
        "access-control-max-age": "600",
    }
    stranger = api.call("OPTIONS", "/things", b"", ("origin", "https://b.example"), wish)
    assert (stranger.status_code, dict(stranger.headers)) == (204, {})
    assert not api.events


def test_only_listed_origins_may_read_answers() -> None:
    payload = {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}}
    ours = _Api(payload).call("POST", "/things", b"", ("origin", "https://a.example"))
    assert _header(ours, "access-control-allow-origin") == "https://a.example"
    assert _header(ours, "access-control-expose-headers") == "link"
    theirs = _Api(payload).call("POST", "/things", b"", ("origin", "https://b.example"))
    assert _header(theirs, "access-control-allow-origin") is None
