"""Signing up, in and out, and what is left of someone who has left."""

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from playwright.sync_api import Request, expect

from seed.examples import PASSWORD
from tests.browser.people import Person, code_for
from tests.browser.windows import Window, until_sent
from tests.local.conftest import RunningCloud


def test_from_sign_up_to_the_first_message(
    open_window: Callable[..., Window], somebody: Callable[[str], Person], cloud: RunningCloud
) -> None:
    friend = somebody("Coral Friend")
    handle = f"ocean{uuid4().hex[:8]}"
    email = f"{handle}@example.com"
    window = open_window()
    page = window.page
    page.goto("/")
    window.button("Create an account").click()
    page.get_by_label("Name").fill("Ocean New")
    page.get_by_label("Handle").fill(handle)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    window.button("Create account").click()
    expect(page.get_by_text("make run")).to_be_visible()  # that is where the code is
    page.get_by_label("Code").fill(code_for(cloud, email))
    window.button("Confirm").click()
    expect(page.get_by_text("No messages yet")).to_be_visible()
    page.get_by_role("link", name="New message").click()
    page.get_by_role("textbox", name="Handle").fill(f"@{friend.handle}")
    window.button("Find").click()
    window.send(friend, "Hello from the first minute")
    until_sent(window, "Hello from the first minute")
    expect(page).to_have_url(re.compile(r"/messages/[0-9a-f-]{36}$"))
    (uuid,) = [page.url.rpartition("/")[2]]
    assert friend.messages(uuid) == ["Hello from the first minute"]
    expect(window.row(friend)).to_contain_text("Hello from the first minute")


def test_people_of_the_local_cloud_sign_in_with_one_click(
    open_window: Callable[..., Window],
) -> None:
    window = open_window()
    window.page.goto("/")
    window.button("Sign in as Lagoon").click()
    expect(window.page.get_by_role("heading", name="Messages", level=1)).to_be_visible()


def test_a_wrong_password_is_said_and_can_be_mended(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    person = somebody("Reed Wrong")
    window = open_window()
    window.expect_errors("status of 400")
    window.page.goto("/")
    window.page.get_by_label("E-mail address").fill(person.email)
    window.page.get_by_label("Password").fill("not the password")
    window.button("Sign in").click()
    expect(window.page.get_by_role("alert")).to_be_visible()
    window.sign_in(person)


def test_a_handle_that_is_taken_is_refused_before_anything_is_made(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    other = somebody("Kelp Taken")
    window = open_window()
    window.expect_errors("status of 400")
    page = window.page
    page.goto("/")
    window.button("Create an account").click()
    page.get_by_label("Name").fill("Kelp Again")
    page.get_by_label("Handle").fill(other.handle.upper())
    page.get_by_label("E-mail address").fill(f"again-{other.email}")
    page.get_by_label("Password").fill(PASSWORD)
    window.button("Create account").click()
    expect(page.get_by_role("alert")).to_contain_text("handle already")


def test_a_forgotten_password_is_replaced(
    open_window: Callable[..., Window], somebody: Callable[[str], Person], cloud: RunningCloud
) -> None:
    person = somebody("Dune Forgetful")
    window = open_window()
    page = window.page
    page.goto("/")
    window.button("Forgotten password?").click()
    page.get_by_label("E-mail address").fill(person.email)
    window.button("Send a code").click()
    expect(page.get_by_label("Code")).to_be_visible()
    page.get_by_label("Code").fill(code_for(cloud, person.email))
    page.get_by_label("New password").fill(f"{PASSWORD}-new")
    window.button("Set password").click()
    expect(page.get_by_text("No messages yet")).to_be_visible()


def cognito(window: Window, call: str) -> list[Request]:
    """The calls of Cognito so far that have this name."""
    found = (r for r in window.requests if r.headers.get("x-amz-target", "").endswith(f".{call}"))
    return list(found)


def sent(request: Request) -> dict[str, Any]:
    """The JSON of a request's body."""
    return dict(json.loads(request.post_data or "{}"))


def test_signing_out_ends_the_session_everywhere(
    open_window: Callable[..., Window], somebody: Callable[[str], Person], cloud: RunningCloud
) -> None:
    """The refresh token is refused, and nothing of the person stays in the browser."""
    person, friend = somebody("Storm Out"), somebody("Cliff Out")
    person.write(friend, "Something to remember")
    window = open_window(person)
    window.open(friend)
    window.composer(friend).fill("A draft that nobody else may find")
    other_tab = window.tab()
    other_tab.goto("/messages")
    expect(other_tab.get_by_role("link", name="New message")).to_be_visible()
    window.button("Account").click()
    window.button("Sign out").click()
    for page in (window.page, other_tab):
        expect(page.get_by_role("heading", name="Sign in", level=1)).to_be_visible()
    (revoked,) = cognito(window, "RevokeToken")
    refusal = cloud.cognito.exceptions.NotAuthorizedException
    try:
        cloud.cognito.initiate_auth(
            AuthFlow="REFRESH_TOKEN_AUTH",
            ClientId=cloud.stack["UserPoolClientId"],
            AuthParameters={"REFRESH_TOKEN": sent(revoked)["Token"]},
        )
    except refusal:
        refused = True
    else:
        refused = False
    assert refused
    left = window.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    for secret in ("A draft", person.email, sent(revoked)["Token"]):
        assert secret not in left


def test_a_session_that_has_ended_asks_to_sign_in_and_comes_back_to_the_page(
    open_window: Callable[..., Window], somebody: Callable[[str], Person], cloud: RunningCloud
) -> None:
    person, friend = somebody("Tide Ended"), somebody("Rock Ended")
    person.write(friend, "Before the end")
    window = open_window(person)
    window.open(friend)
    address = window.page.url
    cloud.cognito.admin_user_global_sign_out(
        UserPoolId=cloud.stack["UserPoolId"], Username=person.email
    )
    window.expect_errors("status of 40[01]")
    window.page.reload()
    expect(window.page.get_by_role("status").get_by_text("session has ended")).to_be_visible()
    assert window.page.url == address
    window.sign_in(person)
    expect(window.message("Before the end")).to_be_visible()
    assert window.page.url == address


def test_tokens_are_refreshed_before_they_end(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    """An access token is good for half an hour; nobody notices that there is another one."""
    person, friend = somebody("Brook Fresh"), somebody("Delta Fresh")
    person.write(friend, "Half an hour ago")
    window = open_window()
    window.page.clock.install()
    window.sign_in(person)
    window.open(friend)
    before = len(cognito(window, "InitiateAuth"))
    with window.page.expect_request(
        lambda request: request.headers.get("x-amz-target", "").endswith(".InitiateAuth")
    ) as refreshed:
        window.page.clock.fast_forward("29:00")
    assert sent(refreshed.value)["AuthFlow"] == "REFRESH_TOKEN_AUTH"
    window.page.clock.resume()
    window.send(friend, "And still here")
    until_sent(window, "And still here")
    assert len(cognito(window, "InitiateAuth")) == before + 1
    expect(window.page.get_by_role("heading", name="Sign in")).to_have_count(0)


def test_a_token_is_kept_no_wider_than_needed(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    """The access token, which opens everything, is in memory only."""
    window = open_window(somebody("Pearl Kept"))
    window.page.reload()
    expect(window.page.get_by_role("link", name="New message")).to_be_visible()
    tokens = {r.headers["authorization"].split()[1] for r in window.requests_to("/api/", "GET")}
    assert tokens
    stored = window.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert not [token for token in tokens if token in stored]


def test_who_is_not_registered_can_leave(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    """A session that belongs to nobody whom the API knows: somebody else may sign in."""
    window, other = open_window(), somebody("Dell Other")
    window.expect_errors("status of 403")
    window.context.route("**/api/me", lambda route: None)  # no answer
    window.page.goto("/")
    with window.page.expect_request("**/api/me"):
        window.button("Sign in as Bayko").click()
    # A new tab has the session of the first, which does not know yet whose it is.
    window.page = window.tab()
    window.page.route(
        "**/api/me",
        lambda route: route.fulfill(
            status=403,
            content_type="application/problem+json",
            json={"title": "Forbidden", "status": 403, "errors": ["user_not_registered"]},
        ),
    )
    window.page.goto("/")
    expect(window.page.get_by_role("alert")).to_contain_text("not registered")
    window.button("Sign out").click()
    window.page.unroute("**/api/me")
    window.answer("**/api/me")
    window.sign_in(other)


def test_the_list_does_not_wait_for_who_one_is(open_window: Callable[..., Window]) -> None:
    """Every round trip in a row is a wait for the first page."""
    window = open_window()
    window.context.route("**/api/me", lambda route: None)
    window.page.goto("/")
    with (
        window.page.expect_request("**/api/me"),
        window.page.expect_request("**/api/message_groups?*"),
    ):
        window.button("Sign in as Bayko").click()


def test_too_many_refreshes_end_no_session(
    open_window: Callable[..., Window], somebody: Callable[[str], Person], cloud: RunningCloud
) -> None:
    """Cognito refuses when too many ask at once, which says nothing about this session."""
    person, friend = somebody("Fern Throttled"), somebody("Moss Throttled")
    person.write(friend, "Before the crowd")
    window = open_window(person)
    window.open(friend)
    window.expect_errors("status of 400")
    endpoint = f"{cloud.stack['EndpointUrl']}/"
    window.context.route(
        endpoint,
        lambda route: route.fulfill(
            status=400,
            headers={"access-control-allow-origin": "*"},
            json={"__type": "TooManyRequestsException", "message": "Rate exceeded"},
        ),
    )
    with window.page.expect_response(endpoint):
        window.page.reload()
    expect(window.page.get_by_role("status").get_by_text("cannot be reached")).to_be_visible()
    window.answer(endpoint)
    expect(window.message("Before the crowd")).to_be_visible()


def test_who_has_signed_out_leaves_no_sign_of_unread_messages(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    person, friend = somebody("Lake Leaves"), somebody("Pond Writes")
    friend.write(person, "Unread")
    window = open_window(person)
    icon = window.page.locator("link[rel=icon]")
    expect(icon).to_have_attribute("href", "/icon-unread.svg")
    window.button("Account").click()
    window.button("Sign out").click()
    expect(window.page.get_by_role("heading", name="Sign in", level=1)).to_be_visible()
    expect(window.page).to_have_title("Sign in · Cruddur Messages")
    expect(icon).to_have_attribute("href", "/icon.svg")
