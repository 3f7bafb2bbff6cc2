"""What was written: in order, without a jump, and marked as a person has read it."""

import re
from collections.abc import Callable

from playwright.sync_api import Locator, expect

from seed.examples import seed_message_groups
from tests.browser.people import Person, of_the_seed
from tests.browser.windows import PHONE, Window, until_sent
from tests.local.conftest import RunningCloud
from tests.waiting import eventually

LONG = seed_message_groups()[0]
# A browser rounds where it draws.
PIXELS = 2


def top(element: Locator) -> float:
    """How far from the window's top an element is drawn."""
    box = element.bounding_box()
    assert box
    return float(box["y"])


def load_older(window: Window, scroller: Locator) -> None:
    """Scroll to the oldest message that is there; what one reads stays where it is."""
    uuids = (
        "[...document.querySelectorAll('li[data-message-uuid]')].map(e => e.dataset.messageUuid)"
    )
    before = window.page.evaluate(uuids)
    place = scroller.evaluate(
        """(e, uuid) => new Promise((resolve) => {
          const watched = e.querySelector(`li[data-message-uuid="${uuid}"]`);
          const place = () => watched.getBoundingClientRect().top;
          const count = () => e.querySelectorAll("li[data-message-uuid]").length;
          e.scrollTop = 0;
          const [before, there] = [count(), place()];
          // What is seen is what was painted: a timer of the frame comes after that.
          const look = () => setTimeout(() => {
            const isAll = e.textContent.includes("This is the beginning");
            if (isAll || count() > before) resolve([there, place()]);
            else requestAnimationFrame(look);
          });
          look();
        })""",
        before[0],
    )
    assert abs(place[0] - place[1]) <= PIXELS, place
    assert window.page.evaluate(uuids)[-len(before) :] == before


def test_the_long_conversation_is_read_to_its_beginning_without_a_jump(
    open_window: Callable[..., Window], cloud: RunningCloud
) -> None:
    reef, grahams = of_the_seed(cloud, "Reef"), of_the_seed(cloud, "Grahams")
    reef.read(LONG.uuid)
    window = open_window(reef)
    window.open(grahams)
    scroller = window.scroller(grahams)
    texts = [text for _, text in LONG.messages]
    expect(scroller.get_by_text(texts[-1], exact=True).last).to_be_in_viewport()
    beginning = scroller.get_by_text("This is the beginning")
    expect(beginning).to_have_count(0)
    while not beginning.count():
        load_older(window, scroller)
    window.expect_texts(texts)
    # And back down, to the newest.
    scroller.evaluate("e => { e.scrollTop = e.scrollHeight; }")
    expect(scroller.get_by_text(texts[-1], exact=True).last).to_be_in_viewport()
    window.expect_texts(texts)


def test_who_reads_older_messages_is_not_moved_by_new_ones(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    reader, writer = somebody("Ivy Reader"), somebody("Jon Writer")
    for number in range(45):
        uuid = writer.write(reader, f"Line {number}")["message_group_uuid"]
    reader.read(uuid)
    window = open_window(reader)
    window.open(writer)
    scroller = window.scroller(writer)
    expect(window.message("Line 44")).to_be_in_viewport()
    scroller.evaluate("e => { e.scrollTop = 0; }")
    expect(window.message("Line 0")).to_be_attached()
    window.message("Line 5").scroll_into_view_if_needed()
    place = top(window.message("Line 5"))
    for number in range(2):
        writer.write(reader, f"New {number}")
    jump = window.button("2 new messages")
    expect(jump).to_be_visible()
    assert abs(top(window.message("Line 5")) - place) <= PIXELS
    jump.click()
    expect(window.message("New 1")).to_be_in_viewport()
    expect(jump).to_have_count(0)
    # Near the end one is taken along.
    writer.write(reader, "New 2")
    expect(window.message("New 2")).to_be_in_viewport()
    window.expect_texts(reader.messages(uuid))


def test_with_much_that_is_unread_one_begins_where_one_left_off(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    reader, writer = somebody("Ina Behind"), somebody("Jim Talks")
    uuid = writer.write(reader, "The last that was read")["message_group_uuid"]
    reader.read(uuid)
    for number in range(40):
        writer.write(reader, f"Line {number}")
    window = open_window(reader)
    window.open(writer)
    expect(window.page.locator("li.new-divider")).to_be_in_viewport()
    expect(window.message("Line 0")).to_be_in_viewport()
    expect(window.message("Line 39")).not_to_be_in_viewport()
    # What was not on the screen is not read.
    eventually(lambda: True if reader.message_group(writer)["unread_count"] < 40 else None)
    assert reader.message_group(writer)["unread_count"] > 20


def test_older_message_groups_come_as_one_scrolls(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    person = somebody("Kim Popular")
    others = [somebody(f"Friend {number:02}") for number in range(35)]
    for other in others:
        other.write(person, "Hello")
    window = open_window(person)
    rows = window.page.get_by_role("navigation", name="Message groups").get_by_role(
        "link", name=re.compile("^Friend")
    )
    expect(rows.first).to_contain_text("Friend 34")
    expect(window.row(others[0])).to_have_count(0)
    rows.last.scroll_into_view_if_needed()
    expect(window.row(others[0])).to_be_attached()
    expect(rows).to_have_count(35)


def test_what_is_unread_is_counted_and_reading_takes_it_away(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    reader, writer = somebody("Lea Counts"), somebody("Mo Writes")
    for number in range(3):
        uuid = writer.write(reader, f"Number {number}")["message_group_uuid"]
    window = open_window(reader)
    expect(window.row(writer)).to_contain_text("3 unread")
    expect(window.page).to_have_title(re.compile(r"^\(3\) "))
    expect(window.page.locator("link[rel=icon]")).to_have_attribute("href", "/icon-unread.svg")
    window.open(writer)
    divider = window.page.locator("li.new-divider")
    expect(divider).to_contain_text("New")
    expect(window.row(writer)).not_to_contain_text("unread")
    expect(window.page).not_to_have_title(re.compile(r"^\("))
    expect(window.page.locator("link[rel=icon]")).to_have_attribute("href", "/icon.svg")
    eventually(lambda: True if not reader.message_group(writer)["unread"] else None)
    assert reader.messages(uuid) == [f"Number {number}" for number in range(3)]


def test_a_tab_that_nobody_looks_at_reads_nothing(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    reader, writer = somebody("Nia Away"), somebody("Ole Writes")
    writer.write(reader, "The first one")
    window = open_window(reader)
    window.open(writer)
    expect(window.row(writer)).not_to_contain_text("unread")
    # Headless windows are always on top: the page is told that it is not.
    window.page.evaluate(
        """const is = (value) => ({ get: () => value, configurable: true });
        Object.defineProperty(document, "visibilityState", is("hidden"));
        Object.defineProperty(document, "hidden", is(true));
        document.dispatchEvent(new Event("visibilitychange"));"""
    )
    writer.write(reader, "While nobody looks")
    expect(window.row(writer)).to_contain_text("While nobody looks")
    expect(window.row(writer)).to_contain_text("1 unread")
    assert reader.message_group(writer)["unread_count"] == 1
    window.page.evaluate(
        """delete document.visibilityState; delete document.hidden;
        document.dispatchEvent(new Event("visibilitychange"));"""
    )
    expect(window.message("While nobody looks")).to_be_in_viewport()
    expect(window.row(writer)).not_to_contain_text("unread")
    eventually(lambda: True if not reader.message_group(writer)["unread"] else None)


def test_a_group_is_marked_unread_and_muted(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    reader, writer = somebody("Pia Marks"), somebody("Quinn Writes")
    uuid = writer.write(reader, "Look at this later")["message_group_uuid"]
    window = open_window(reader)
    options = window.page.get_by_role("navigation").get_by_role(
        "button", name=f"Options for {writer.display_name}"
    )
    options.click()
    window.button("Mute").click()
    expect(window.row(writer).get_by_role("img", name="Muted")).to_be_visible()
    # What is muted is still counted at its row, and nowhere else.
    expect(window.row(writer)).to_contain_text("1 unread")
    expect(window.page).not_to_have_title(re.compile(r"^\("))
    assert reader.message_group(writer)["muted"]
    options.click()
    window.button("Unmute").click()
    expect(window.row(writer).get_by_role("img", name="Muted")).to_have_count(0)
    expect(window.page).to_have_title(re.compile(r"^\(1\) "))
    window.open(writer)
    expect(window.row(writer)).not_to_contain_text("nread")
    eventually(lambda: True if not reader.message_group(writer)["unread"] else None)
    window.page.goto("/messages")
    options.click()
    window.button("Mark as unread").click()
    expect(window.row(writer)).to_contain_text("Unread")
    eventually(lambda: True if reader.message_group(writer)["unread"] else None)
    window.page.reload()
    expect(window.row(writer)).to_contain_text("Unread")
    assert reader.messages(uuid) == ["Look at this later"]


def test_the_sender_sees_that_a_message_was_seen(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    sender, reader = somebody("Rob Asks"), somebody("Sue Reads")
    sender.write(reader, "Have you seen this?")
    left = open_window(sender)
    left.open(reader)
    message = left.message("Have you seen this?")
    expect(message.get_by_role("img", name="Sent")).to_be_visible()
    right = open_window(reader)
    right.open(sender)
    expect(message.get_by_role("img", name="Seen")).to_be_visible()


def test_who_shares_no_receipts_is_not_seen_to_read(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    sender, reader = somebody("Tom Asks"), somebody("Uma Private")
    sender.write(reader, "Have you seen this?")
    right = open_window(reader)
    right.button("Account").click()
    right.page.get_by_label("Read receipts").uncheck()
    expect(right.page.get_by_label("Read receipts")).not_to_be_checked()
    right.page.reload()
    right.open(sender)
    eventually(lambda: True if not reader.message_group(sender)["unread"] else None)
    left = open_window(sender)
    left.open(reader)
    expect(left.message("Have you seen this?").get_by_role("img", name="Sent")).to_be_visible()


def test_links_reload_and_the_back_button_lead_where_they_say(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    person = somebody("Val Walks")
    first, second = somebody("Wim First"), somebody("Xia Second")
    first.write(person, "From the first")
    second.write(person, "From the second")
    window = open_window(person)
    window.open(first)
    window.open(second)
    window.page.reload()
    expect(window.message("From the second")).to_be_visible()
    expect(window.row(second)).to_have_attribute("aria-current", "page")
    window.page.go_back()
    expect(window.message("From the first")).to_be_visible()
    window.page.go_forward()
    expect(window.message("From the second")).to_be_visible()
    # One that is there already is shown instead of a new one.
    window.page.goto(f"/messages/new/{first.handle}")
    expect(window.message("From the first")).to_be_visible()
    expect(window.page).to_have_url(re.compile(r"/messages/[0-9a-f-]{36}$"))


def test_nobody_is_found_who_is_not_there_and_nobody_writes_to_themselves(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    person = somebody("Yan Seeks")
    window = open_window(person)
    window.expect_errors("status of 404")
    window.page.get_by_role("link", name="New message").click()
    window.page.get_by_role("textbox", name="Handle").fill("nobody-of-this-name")
    window.button("Find").click()
    alert = window.page.get_by_role("alert")
    expect(alert).to_contain_text("There is no one called @nobody-of-this-name")
    window.page.get_by_role("textbox", name="Handle").fill(f"@{person.handle}")
    window.button("Find").click()
    expect(alert).to_contain_text("That is you")


def test_two_tabs_of_one_person_show_the_same(
    open_window: Callable[..., Window], somebody: Callable[[str], Person], cloud: RunningCloud
) -> None:
    person, friend = somebody("Zoe Tabs"), somebody("Abe Friend")
    person.write(friend, "The first one")
    window = open_window(person)
    window.open(friend)
    address = window.page.url
    first = window.page
    window.page = window.tab()
    window.page.goto(address)
    expect(window.message("The first one")).to_be_visible()
    window.send(friend, "From the second tab")
    until_sent(window, "From the second tab")
    second, window.page = window.page, first
    expect(window.message("From the second tab")).to_be_visible()
    friend.write(person, "To both")
    for page in (first, second):
        window.page = page
        expect(window.message("To both")).to_be_visible()
        window.expect_texts(["The first one", "From the second tab", "To both"])


def test_on_a_phone_the_list_loads_nothing_while_something_else_is_shown(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    person = somebody("Bea Popular")
    others = [somebody(f"Friend {number:02}") for number in range(35)]
    for other in others:
        uuid = other.write(person, "Hello")["message_group_uuid"]
    window = open_window(person, viewport=PHONE)
    expect(window.row(others[-1])).to_be_visible()
    window.page.goto(f"/messages/{uuid}")
    window.send(others[-1], "Hello yourself")
    until_sent(window, "Hello yourself")
    lists = [request.url for request in window.requests_to("/api/message_groups", "GET")]
    assert not [url for url in lists if "cursor=" in url]
    window.page.get_by_role("link", name="Back to messages").click()
    rows = window.page.get_by_role("link", name=re.compile("^Friend"))
    rows.last.scroll_into_view_if_needed()
    expect(window.row(others[0])).to_be_attached()


def test_a_mark_that_is_refused_is_not_asked_for_again(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    reader, writer = somebody("Cyd Refused"), somebody("Dag Writes")
    writer.write(reader, "Read me")
    window = open_window()
    window.page.clock.install()
    window.sign_in(reader)
    window.expect_errors("status of 422")
    window.context.route(
        "**/api/message_groups/*",
        lambda route: (
            route.fulfill(
                status=422,
                content_type="application/problem+json",
                json={"title": "Unprocessable", "status": 422, "errors": ["read_up_to_invalid"]},
            )
            if route.request.method == "PATCH"
            else route.fallback()
        ),
    )
    with window.page.expect_response(lambda response: response.request.method == "PATCH"):
        window.open(writer)
    window.page.clock.fast_forward("00:10")
    with window.page.expect_response(lambda response: response.request.method == "PATCH"):
        writer.write(reader, "And me")
        expect(window.message("And me")).to_be_visible()
        window.page.clock.fast_forward("00:10")
    # Nor when what is shown is drawn anew.
    with window.page.expect_response("**/api/message_groups?*"):
        window.page.clock.fast_forward("01:01")
    window.page.clock.fast_forward("00:10")
    assert len(window.requests_to("/api/message_groups/", "PATCH")) == 2


def test_the_keyboard_stays_where_it_is_when_a_row_moves_up(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    reader, first, second = somebody("Eda Keys"), somebody("Fia Lower"), somebody("Gil Upper")
    first.write(reader, "The first one")
    second.write(reader, "The second one")
    window = open_window(reader)
    window.row(first).focus()
    first.write(reader, "To the top")
    expect(window.row(first)).to_contain_text("To the top")
    expect(window.page.get_by_role("navigation").get_by_role("link").nth(1)).to_contain_text(
        "To the top"
    )
    expect(window.row(first)).to_be_focused()
