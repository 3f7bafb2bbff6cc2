"""What the web client is told about its stack, and what its pages may do."""

import json
from urllib.parse import urlsplit

import pytest

from commands.web.site import Person, Site, is_page

OUTPUTS = {
    "Region": "eu-west-1",
    "ApiUrl": "https://api.example",
    "LiveUrl": "wss://socket.example/live",
    "UserPoolId": "eu-west-1_pool",
    "UserPoolClientId": "client",
}
ON_AWS = Site.from_outputs(OUTPUTS)


def directives(site: Site) -> dict[str, list[str]]:
    policy = site.headers()["Content-Security-Policy"]
    parts = [directive.split() for directive in policy.split("; ")]
    return {name: sources for name, *sources in parts}


def test_pages_connect_to_the_api_the_socket_and_cognito_alone() -> None:
    assert directives(ON_AWS)["connect-src"] == [
        "'self'",
        "wss://socket.example",
        "https://cognito-idp.eu-west-1.amazonaws.com",
    ]


def test_a_stack_without_a_socket_allows_none() -> None:
    outputs = {name: value for name, value in OUTPUTS.items() if name != "LiveUrl"}
    site = Site.from_outputs(outputs)
    assert site.config()["socket_url"] == ""
    assert not [source for source in directives(site)["connect-src"] if source.startswith("ws")]


def test_a_client_on_another_host_may_call_the_api_where_it_is() -> None:
    site = Site.from_outputs(OUTPUTS, api_url=OUTPUTS["ApiUrl"])
    assert site.config()["api_url"] == "https://api.example"
    assert "https://api.example" in directives(site)["connect-src"]


@pytest.mark.parametrize(
    "site",
    [
        ON_AWS,
        Site.from_outputs(OUTPUTS, api_url=OUTPUTS["ApiUrl"]),
        Site.from_outputs(OUTPUTS, sign_in_url="http://127.0.0.1:4566"),
    ],
)
def test_the_client_may_reach_all_that_it_is_told_of(site: Site) -> None:
    """Whatever address the configuration gains, the policy has to have it."""
    urls = [value for name, value in site.config().items() if name.endswith("_url")]
    assert len(urls) == 3
    for url in urls:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}" if parts.netloc else "'self'"
        assert origin in directives(site)["connect-src"]


def test_pages_run_no_code_that_stands_in_them_and_stand_in_nobodys_frame() -> None:
    found = directives(ON_AWS)
    assert found["default-src"] == ["'none'"]
    assert found["script-src"] == found["style-src"] == ["'self'"]
    assert found["require-trusted-types-for"] == ["'script'"]
    assert found["frame-ancestors"] == found["base-uri"] == found["form-action"] == ["'none'"]
    assert not [s for sources in found.values() for s in sources if "unsafe" in s or "*" in s]


def test_nobody_is_offered_with_one_click_unless_there_is_a_seed() -> None:
    assert ON_AWS.config()["people"] == ()
    assert ON_AWS.config()["password"] == ""
    person = Person(handle="reef", display_name="Reef", email="reef@example.com")
    site = Site.from_outputs(OUTPUTS, people=[person], password="of the seed")
    (offered,) = json.loads(json.dumps(site.config()))["people"]
    assert offered == {"handle": "reef", "display_name": "Reef", "email": "reef@example.com"}


@pytest.mark.parametrize(
    "path",
    ["/", "/messages", "/messages/5ae290ed-55d1-47a0-bc6d-fe2bc2700399", "/messages/new/a.b.js"],
)
def test_a_route_of_the_client_is_a_page(path: str) -> None:
    assert is_page(path)


@pytest.mark.parametrize("path", ["/index.html", "/config.json", "/elements/list.js", "/icon.svg"])
def test_a_file_of_the_client_is_none(path: str) -> None:
    assert not is_page(path)
