"""The web client beside the API, as a browser asks for it; tests/browser has the browser."""

from collections.abc import Iterator

import httpx
import pytest

from tests.local.conftest import RunningCloud


@pytest.fixture(scope="module")
def pages(cloud: RunningCloud) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=cloud.stack["ApiUrl"], timeout=None, trust_env=False) as client:
        yield client


GROUP = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"


@pytest.mark.parametrize("path", ["/", "/messages", f"/messages/{GROUP}", "/messages/new/a.b"])
def test_every_address_of_the_client_is_its_page(pages: httpx.Client, path: str) -> None:
    page = pages.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "<cruddur-app>" in page.text


def test_a_route_that_the_api_does_not_have_is_no_page(pages: httpx.Client) -> None:
    answer = pages.get("/api/rooms")
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


def test_the_configuration_leads_to_the_running_stack(
    cloud: RunningCloud, pages: httpx.Client
) -> None:
    config = pages.get("/config.json").json()
    assert config["user_pool_id"] == cloud.stack["UserPoolId"]
    assert config["user_pool_client_id"] == cloud.stack["UserPoolClientId"]
    assert config["sign_in_url"] == cloud.stack["EndpointUrl"]


def test_one_click_signs_in_who_is_offered(cloud: RunningCloud, pages: httpx.Client) -> None:
    config = pages.get("/config.json").json()
    assert config["people"]
    for person in config["people"]:
        answer = cloud.cognito.initiate_auth(
            ClientId=config["user_pool_client_id"],
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": person["email"], "PASSWORD": config["password"]},
        )
        assert answer["AuthenticationResult"]["AccessToken"]


def test_a_page_may_connect_to_its_stack_and_nowhere_else(
    cloud: RunningCloud, pages: httpx.Client
) -> None:
    socket = cloud.stack["ApiUrl"].replace("http:", "ws:")
    for path in ("/", "/store.js", "/config.json", "/styles/base.css"):
        policy = pages.get(path).headers["content-security-policy"]
        assert f"connect-src 'self' {socket} {cloud.stack['EndpointUrl']};" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy


def test_cognito_lets_the_page_in_and_no_other(cloud: RunningCloud, pages: httpx.Client) -> None:
    def preflight(origin: str) -> httpx.Response:
        return pages.request(
            "OPTIONS",
            cloud.stack["EndpointUrl"],
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type,x-amz-target",
            },
        )

    assert preflight(cloud.stack["ApiUrl"]).is_success
    assert preflight("http://elsewhere.example").status_code == 403


def test_the_start_names_the_client_first(cloud: RunningCloud) -> None:
    lines = cloud.process.log.read_text().splitlines()
    (ready,) = [number for number, line in enumerate(lines) if "ready at" in line]
    assert lines[ready + 1].split() == [
        "web",
        "client",
        cloud.stack["ApiUrl"],
        "in",
        "a",
        "browser",
    ]
