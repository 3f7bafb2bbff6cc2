"""Addresses that are everywhere are named as they were asked."""

import json

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sam_offline.everywhere import named_as_asked

POLICY = "connect-src 'self' ws://0.0.0.0:3000 http://0.0.0.0:4566; base-uri 'none'"
ANSWER = {
    "url": "ws://0.0.0.0:3000/live",
    "sign_in_url": "http://0.0.0.0:4566",
    "elsewhere": "http://0.0.0.0:8000",
    "message": "see http://0.0.0.0:3000 and http://0.0.0.0:4566",
    "address": "http://0.0.0.0:3000/api/messages?limit=1",
}


def asked(host: str, *urls: str, response: Response | None = None) -> Response:
    headers = [(b"host", host.encode())]
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": headers})
    given = response or JSONResponse(ANSWER, headers={"content-security-policy": POLICY})
    return named_as_asked(lambda _request, _body: given, *urls)(request, b"")


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("192.168.1.5:3000", "192.168.1.5"),
        ("studio.local", "studio.local"),
        ("[fe80::1]:3", "[fe80::1]"),
    ],
)
def test_an_address_gets_the_name_by_which_the_request_came(host: str, name: str) -> None:
    answer = asked(host, "http://0.0.0.0:3000", "http://0.0.0.0:4566")
    assert json.loads(bytes(answer.body)) == ANSWER | {
        "url": f"ws://{name}:3000/live",
        "sign_in_url": f"http://{name}:4566",
    }
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["content-security-policy"] == POLICY.replace("0.0.0.0", name)


def test_every_address_of_ipv6_is_named_too() -> None:
    given = JSONResponse({"url": "ws://[::]:3000/live"})
    answer = asked("[fe80::1]:3000", "http://[::]:3000", response=given)
    assert json.loads(bytes(answer.body)) == {"url": "ws://[fe80::1]:3000/live"}


def test_what_is_at_one_address_keeps_its_name() -> None:
    answer = asked("localhost:3000", "http://127.0.0.1:3000", "http://0.0.0.0:4566")
    told = json.loads(bytes(answer.body))
    assert (told["url"], told["sign_in_url"]) == (ANSWER["url"], "http://localhost:4566")


def test_what_is_no_json_is_left_alone() -> None:
    given = Response(b'"http://0.0.0.0:3000" \xff', media_type="image/png")
    assert asked("localhost", "http://0.0.0.0:3000", response=given).body == given.body
