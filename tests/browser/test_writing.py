"""Messages on their way: shown at once, kept, and sent exactly once."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.browser.people import Person
from tests.browser.windows import PHONE, Window, until_sent

SEND = "**/api/messages"
READ = "**/api/messages/*"


@pytest.fixture
def pair(somebody: Callable[[str], Person]) -> tuple[Person, Person, str]:
    """Two people with a message group, and its uuid."""
    one, other = somebody("Anna Writes"), somebody("Bela Reads")
    sent = one.write(other, "The first one")
    return one, other, sent["message_group_uuid"]


def test_two_people_see_each_others_messages_arrive(
    open_window: Callable[..., Window], pair: tuple[Person, Person, str]
) -> None:
    one, other, uuid = pair
    left, right = open_window(one), open_window(other)
    left.open(other)
    right.open(one)
    for number in range(3):
        left.send(other, f"Question {number}")
        expect(right.message(f"Question {number}")).to_be_visible()
        right.send(one, f"Answer {number}")
        expect(left.message(f"Answer {number}")).to_be_visible()
    texts = ["The first one"]
    for number in range(3):
        texts += [f"Question {number}", f"Answer {number}"]
    left.expect_texts(texts)
    right.expect_texts(texts)
    assert one.messages(uuid) == texts
    for window, person in ((left, other), (right, one)):
        expect(window.row(person)).to_contain_text("Answer 2")


def test_what_is_sent_offline_is_sent_once_after_a_reload(
    open_window: Callable[..., Window], pair: tuple[Person, Person, str]
) -> None:
    one, other, uuid = pair
    window = open_window(one)
    window.open(other)
    window.expect_errors("net::ERR_")
    window.context.set_offline(True)
    window.send(other, "Written on the train")
    expect(window.message("Written on the train")).to_have_attribute("data-state", "pending")
    expect(window.page.get_by_role("status").get_by_text("You are offline")).to_be_visible()
    # The pages are to be had again, the service is not yet.
    window.refuse("**/api/**", "*")
    window.context.set_offline(False)
    window.page.reload()
    window.answer("**/api/**")
    until_sent(window, "Written on the train")
    assert one.messages(uuid) == ["The first one", "Written on the train"]
    window.page.reload()
    until_sent(window, "Written on the train")
    window.expect_texts(["The first one", "Written on the train"])


def test_a_connection_cut_after_the_request_makes_one_message(
    open_window: Callable[..., Window], pair: tuple[Person, Person, str]
) -> None:
    """The service has stored it, and the answer is lost: a repeat tells, or reading it."""
    one, other, uuid = pair
    window = open_window(one)
    window.open(other)
    window.expect_errors("net::ERR_")
    cut: list[int] = []

    def cut_once(route: Route) -> None:
        if route.request.method == "POST" and not cut:
            cut.append(route.fetch().status)
            route.abort("connectionreset")
        else:
            route.fallback()

    window.context.route(SEND, cut_once)
    # Here the repeat is to tell.
    window.refuse(READ, "GET")
    with window.page.expect_response(
        lambda response: (
            response.ok
            and response.request.method == "POST"
            and response.url.endswith("/api/messages")
        )
    ):
        window.send(other, "Lost on the way back")
    window.answer(READ)
    until_sent(window, "Lost on the way back")
    assert cut == [200]
    assert len(window.requests_to("/api/messages", "POST")) == 2
    assert one.messages(uuid) == ["The first one", "Lost on the way back"]
    window.expect_texts(["The first one", "Lost on the way back"])


def test_what_is_refused_is_told_apart_and_can_be_edited(
    open_window: Callable[..., Window], pair: tuple[Person, Person, str]
) -> None:
    one, other, uuid = pair
    window = open_window(one)
    window.open(other)
    window.expect_errors("status of 422")
    window.context.route(
        SEND,
        lambda route: route.fulfill(
            status=422,
            content_type="application/problem+json",
            json={"title": "Unprocessable", "status": 422, "errors": ["message_invalid"]},
        ),
    )
    window.send(other, "What the service does not take")
    message = window.message("What the service does not take")
    expect(message).to_have_attribute("data-state", "refused")
    expect(message).to_contain_text("Refused")
    window.context.unroute(SEND)
    message.get_by_role("button", name="Edit").click()
    expect(window.composer(other)).to_have_value("What the service does not take")
    window.send(other, "What it takes")
    until_sent(window, "What it takes")
    assert one.messages(uuid) == ["The first one", "What it takes"]
    window.expect_texts(["The first one", "What it takes"])


def test_enter_sends_and_shift_enter_begins_a_line(
    open_window: Callable[..., Window], pair: tuple[Person, Person, str]
) -> None:
    one, other, uuid = pair
    window = open_window(one)
    window.open(other)
    expect(window.button("Send")).to_be_disabled()
    composer = window.composer(other)
    composer.press_sequentially("Two")
    composer.press("Shift+Enter")
    composer.press_sequentially("lines")
    expect(window.button("Send")).to_be_enabled()
    composer.press("Enter")
    until_sent(window, "Two\nlines")
    expect(composer).to_have_value("")
    composer.fill("   ")
    expect(window.button("Send")).to_be_disabled()
    composer.press("Enter")
    assert one.messages(uuid) == ["The first one", "Two\nlines"]


def test_enter_in_an_input_method_chooses_and_does_not_send(
    open_window: Callable[..., Window], pair: tuple[Person, Person, str]
) -> None:
    one, other, uuid = pair
    window = open_window(one)
    window.open(other)
    window.composer(other).focus()
    keyboard = window.context.new_cdp_session(window.page)
    keyboard.send(
        "Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3}
    )
    # The key that an input method takes for itself has this code.
    keyboard.send(
        "Input.dispatchKeyEvent",
        {"type": "rawKeyDown", "windowsVirtualKeyCode": 229, "key": "Enter", "code": "Enter"},
    )
    keyboard.send("Input.insertText", {"text": "日本"})
    expect(window.composer(other)).to_have_value("日本")
    window.composer(other).press("Enter")
    until_sent(window, "日本")
    assert one.messages(uuid) == ["The first one", "日本"]


def test_characters_are_counted_as_the_api_counts_them(
    open_window: Callable[..., Window], pair: tuple[Person, Person, str]
) -> None:
    """Code points, of which an emoji is one, though JavaScript counts two."""
    one, other, uuid = pair
    window = open_window(one)
    window.open(other)
    composer = window.composer(other)
    composer.fill("🐚" * 1025)
    expect(window.page.get_by_text("1 too many")).to_be_visible()
    expect(window.button("Send")).to_be_disabled()
    composer.press("Enter")
    composer.fill("🐚" * 1024)
    expect(window.button("Send")).to_be_enabled()
    composer.press("Enter")
    until_sent(window, "🐚" * 1024)
    assert one.messages(uuid) == ["The first one", "🐚" * 1024]


def test_a_draft_is_there_again_after_a_reload(
    open_window: Callable[..., Window], pair: tuple[Person, Person, str]
) -> None:
    one, other, _ = pair
    window = open_window(one)
    window.open(other)
    window.composer(other).fill("Not finished")
    window.page.goto("/messages")
    window.open(other)
    expect(window.composer(other)).to_have_value("Not finished")
    window.page.reload()
    expect(window.composer(other)).to_have_value("Not finished")


def test_nothing_is_ever_sent_as_the_next_person(
    open_window: Callable[..., Window],
    pair: tuple[Person, Person, str],
    somebody: Callable[[str], Person],
) -> None:
    """Signing out with something unsent asks; the next person in this browser sees nothing."""
    one, other, uuid = pair
    third = somebody("Cleo Next")
    window = open_window(one)
    window.open(other)
    window.refuse("**/api/**", "*")
    window.send(other, "Never to be sent")
    window.button("Account").click()
    window.button("Sign out").click()
    window.button("Sign out and discard").click()
    expect(window.page.get_by_role("heading", name="Sign in", level=1)).to_be_visible()
    window.answer("**/api/**")
    window.sign_in(third)
    window.page.goto("/messages")
    third.write(other, "From the third")
    window.page.reload()
    window.open(other)
    expect(window.message("From the third")).to_be_visible()
    window.expect_texts(["From the third"])
    assert one.messages(uuid) == ["The first one"]
    assert other.message_group(third)["message"] == "From the third"


def test_after_six_days_it_asks_before_it_sends_again(
    open_window: Callable[..., Window], pair: tuple[Person, Person, str]
) -> None:
    """The service remembers a message's name for seven; later a repeat would be a second one."""
    one, other, uuid = pair
    window = open_window(one)
    window.open(other)
    window.refuse(SEND, "POST")
    window.send(other, "An old one")
    expect(window.message("An old one")).to_have_attribute(
        "data-state", re.compile("pending|unconfirmed")
    )
    assert window.requests_to("/api/messages", "POST")
    window.page.add_init_script(
        "const now = Date.now; Date.now = () => now() + 6.1 * 24 * 3600 * 1000;"
    )
    window.page.reload()
    window.answer(SEND)
    message = window.message("An old one")
    expect(message).to_contain_text("Not known whether this was delivered")
    assert one.messages(uuid) == ["The first one"]
    message.get_by_role("button", name="Send as new").click()
    until_sent(window, "An old one")
    assert one.messages(uuid) == ["The first one", "An old one"]


def test_what_is_written_during_the_first_message_goes_along(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    """The first answer may take seconds; who writes on meanwhile loses nothing of it."""
    one, other = somebody("Dora First"), somebody("Egon First")
    window = open_window(one)
    window.page.goto(f"/messages/new/{other.handle}")
    window.context.route("**/api/message_groups", lambda route: None)  # no answer yet
    with window.page.expect_request(
        lambda request: request.method == "POST" and request.url.endswith("/api/message_groups")
    ):
        window.send(other, "The first of all")
    window.composer(other).fill("And another")
    window.answer("**/api/message_groups")
    expect(window.page).to_have_url(re.compile(r"/messages/[0-9a-f-]{36}$"))
    expect(window.composer(other)).to_have_value("And another")
    window.page.reload()
    expect(window.composer(other)).to_have_value("And another")


def test_a_long_text_leaves_the_newest_message_in_sight(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    """The field grows with each line, and the messages above it make room."""
    one, other = somebody("Falk Long"), somebody("Gerd Long")
    for number in range(20):
        uuid = other.write(one, f"Line {number}")["message_group_uuid"]
    one.read(uuid)
    window = open_window(one)
    window.open(other)
    expect(window.message("Line 19")).to_be_in_viewport()
    composer = window.composer(other)
    before = composer.bounding_box()
    composer.press_sequentially("a")
    for _ in range(12):
        composer.press("Shift+Enter")
        composer.press_sequentially("b")
    after = composer.bounding_box()
    assert before
    assert after
    assert after["height"] > 2 * before["height"]
    expect(window.message("Line 19")).to_be_in_viewport(ratio=0.9)
    expect(window.button("To the newest message")).to_have_count(0)
    composer.fill("")
    expect(window.message("Line 19")).to_be_in_viewport(ratio=0.9)
    assert composer.bounding_box() == before


def test_what_the_connection_is_like_hides_no_message(
    open_window: Callable[..., Window], pair: tuple[Person, Person, str]
) -> None:
    one, other, _ = pair
    window = open_window(one, viewport=PHONE)
    window.open(other)
    window.expect_errors("net::ERR_")
    window.context.set_offline(True)
    window.send(other, "Written on the train")
    notice = window.page.get_by_role("status").get_by_text("You are offline")
    expect(notice).to_be_visible()
    hidden, shown = notice.bounding_box(), window.scroller(other).bounding_box()
    assert hidden
    assert shown
    assert hidden["y"] + hidden["height"] <= shown["y"]
    expect(window.message("Written on the train")).to_be_in_viewport(ratio=0.9)


@pytest.mark.parametrize(
    "refuse",
    [
        pytest.param(
            """for (const name of ["localStorage", "sessionStorage"])
              Object.defineProperty(window, name, {
                get() { throw new DOMException("Access is denied", "SecurityError"); } });
            for (const name of ["request", "query"])
              LockManager.prototype[name] = async () => {
                throw new DOMException("The request was denied.", "SecurityError"); };""",
            id="cookies are blocked",
        ),
        pytest.param(
            """Storage.prototype.setItem = () => {
              throw new DOMException("It is full", "QuotaExceededError"); };""",
            id="the storage is full",
        ),
    ],
)
def test_a_browser_that_keeps_nothing_is_good_for_one_visit(
    open_window: Callable[..., Window], pair: tuple[Person, Person, str], refuse: str
) -> None:
    """As Chromium answers when its owner blocks cookies: a page has neither storage nor locks."""
    one, other, uuid = pair
    window = open_window()
    window.page.add_init_script(refuse)
    window.sign_in(one)
    window.open(other)
    window.send(other, "From a cautious browser")
    until_sent(window, "From a cautious browser")
    window.composer(other).fill("Not finished")
    window.page.get_by_role("link", name="New message").click()
    window.open(other)
    expect(window.composer(other)).to_have_value("Not finished")
    other.write(one, "An answer")
    expect(window.message("An answer")).to_be_visible()
    assert one.messages(uuid) == ["The first one", "From a cautious browser", "An answer"]


def test_a_machine_without_a_network_uses_what_runs_on_it(
    open_window: Callable[..., Window], pair: tuple[Person, Person, str]
) -> None:
    """As with `make run` on a train: the browser calls itself offline, and the API answers."""
    one, other, uuid = pair
    window = open_window()
    window.page.add_init_script(
        "Object.defineProperty(Navigator.prototype, 'onLine', { get: () => false });"
    )
    window.sign_in(one)
    window.page.evaluate("dispatchEvent(new Event('offline'))")
    window.open(other)
    window.send(other, "From the train")
    until_sent(window, "From the train")
    expect(window.page.get_by_text("You are offline")).to_have_count(0)
    assert one.messages(uuid) == ["The first one", "From the train"]
