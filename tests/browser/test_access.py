"""For everybody: by keyboard alone, on a phone, with a screen reader, in the dark."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.people import Person
from tests.browser.windows import PHONE, WIDE, Window, until_sent

PAGES = ["sign in", "sign up", "forgotten password", "empty list", "list", "message group"]
PAGES += ["options", "account", "new message", "not found"]


def show(window: Window, page: str, person: Person, other: Person) -> None:
    """Go to one of the client's pages, as people do."""
    if page in {"sign in", "sign up", "forgotten password"}:
        window.page.goto("/")
        if page == "sign up":
            window.button("Create an account").click()
        elif page == "forgotten password":
            window.button("Forgotten password?").click()
        expect(window.page.get_by_role("heading", level=1)).to_be_visible()
        return
    if page != "empty list":
        other.write(person, "One that is unread")
        person.write(other, "And https://example.com as an answer")
    window.sign_in(person)
    if page == "empty list":
        expect(window.page.get_by_text("No messages yet")).to_be_visible()
        return
    expect(window.row(other)).to_be_visible()
    if page == "message group":
        window.open(other)
        expect(window.message("One that is unread")).to_be_visible()
    elif page == "options":
        window.button(f"Options for {other.display_name}").first.click()
        expect(window.button("Mute")).to_be_visible()
    elif page == "account":
        window.button("Account").click()
        expect(window.button("Sign out")).to_be_visible()
    elif page in {"new message", "not found"}:
        window.page.get_by_role("link", name="New message").click()
        handle = window.page.get_by_role("textbox", name="Handle")
        expect(handle).to_be_visible()
        if page == "not found":
            window.expect_errors("status of 404")
            handle.fill("nobody-of-this-name")
            window.button("Find").click()
            expect(window.page.get_by_role("alert")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing(
    open_window: Callable[..., Window],
    somebody: Callable[[str], Person],
    page: str,
    scheme: str,
) -> None:
    window = open_window(color_scheme=scheme, reduced_motion="reduce")
    show(window, page, somebody("Ann Able"), somebody("Ben Able"))
    window.check_accessibility(f"{page}, {scheme}")
    if page != "sign in":
        window.page.set_viewport_size(PHONE)
        window.check_accessibility(f"{page}, {scheme}, on a phone")


def test_dark_is_dark_and_light_is_light(open_window: Callable[..., Window]) -> None:
    backgrounds = {}
    for scheme in ("light", "dark"):
        window = open_window(color_scheme=scheme)
        window.page.goto("/")
        expect(window.page.get_by_role("heading", level=1)).to_be_visible()
        backgrounds[scheme] = window.page.evaluate(
            """() => {
              const canvas = document.createElement("canvas").getContext("2d");
              canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
              canvas.fillRect(0, 0, 1, 1);
              return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
            }"""
        )
    assert min(backgrounds["light"]) > 200
    assert max(backgrounds["dark"]) < 80


def test_the_keyboard_alone_is_enough(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    """From signing in to a sent message and out again, without touching a mouse."""
    person, other = somebody("Cat Keys"), somebody("Dan Keys")
    uuid = other.write(person, "Answer me")["message_group_uuid"]
    window = open_window()
    page = window.page
    page.goto("/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()

    def tab_to(role: str, name: str, *, key: str = "Tab") -> None:
        for _ in range(40):
            page.keyboard.press(key)
            focused = page.locator(":focus")
            if focused.and_(page.get_by_role(role, name=name)).count():
                # Who uses the keyboard has to see where they are.
                style = (
                    "e => { const s = getComputedStyle(e); return s.outlineStyle + s.boxShadow }"
                )
                assert focused.evaluate(style) != "nonenone", name
                return
        raise AssertionError(f"the keyboard does not get to {role} {name}")

    tab_to("textbox", "E-mail address")
    page.keyboard.type(person.email)
    tab_to("textbox", "Password")
    page.keyboard.type(person.password)
    page.keyboard.press("Enter")
    expect(window.row(other)).to_be_visible()
    tab_to("link", other.display_name)
    page.keyboard.press("Enter")
    expect(window.message("Answer me")).to_be_visible()
    composer = window.composer(other)
    if not composer.and_(page.locator(":focus")).count():
        tab_to("textbox", f"Message to {other.display_name}")
    page.keyboard.type("Here it is")
    page.keyboard.press("Enter")
    until_sent(window, "Here it is")
    expect(composer).to_be_focused()
    tab_to("button", f"Options for {other.display_name}", key="Shift+Tab")
    page.keyboard.press("Enter")
    tab_to("button", "Mute")
    page.keyboard.press("Enter")
    expect(window.row(other).get_by_role("img", name="Muted")).to_be_visible()
    page.keyboard.press("Escape")
    tab_to("button", "Account", key="Shift+Tab")
    page.keyboard.press("Enter")
    tab_to("button", "Sign out")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert person.messages(uuid) == ["Answer me", "Here it is"]


def test_a_menu_closes_and_gives_the_focus_back(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    window = open_window(somebody("Eli Menus"))
    account = window.button("Account")
    account.focus()
    window.page.keyboard.press("Enter")
    expect(window.button("Sign out")).to_be_visible()
    window.page.keyboard.press("Escape")
    expect(window.button("Sign out")).to_be_hidden()
    expect(account).to_be_focused()


def test_a_screen_reader_hears_new_messages_of_the_other_and_nothing_else(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    person, other = somebody("Flo Hears"), somebody("Gil Speaks")
    other.write(person, "From before")
    window = open_window(person)
    window.open(other)
    expect(window.message("From before")).to_be_visible()
    heard = window.page.get_by_role("log")
    assert "From before" not in heard.inner_text()
    window.send(other, "Of my own")
    until_sent(window, "Of my own")
    other.write(person, "Listen to this")
    expect(heard).to_contain_text("Listen to this")
    expect(heard).not_to_contain_text("Of my own")


def test_a_screen_reader_hears_the_same_words_twice_and_each_of_several(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    person, other = somebody("Fox Hears"), somebody("Gus Repeats")
    other.write(person, "From before")
    window = open_window(person)
    window.open(other)
    expect(window.message("From before")).to_be_visible()
    # What is said is what is put into the log.
    window.page.get_by_role("log").evaluate(
        """log => { window.said = []; new MutationObserver((records) => {
          for (const { addedNodes, target, type } of records)
            if (type === "characterData") said.push(target.data);
            else said.push(...[...addedNodes].map((node) => node.textContent).filter(Boolean));
        }).observe(log, { childList: true, characterData: true, subtree: true }); }"""
    )
    for count in (1, 2):
        other.write(person, "Yes")
        window.page.wait_for_function(
            "count => said.filter((one) => one.includes('Yes')).length === count", arg=count
        )
    # Several that come at once.
    window.context.route("**/api/**", lambda route: route.abort())
    window.expect_errors("net::ERR_")
    for number in range(3):
        other.write(person, f"Number {number}")
    window.answer("**/api/**")
    window.page.wait_for_function(
        "() => [0, 1, 2].every((n) => said.some((one) => one.includes(`Number ${n}`)))"
    )


def test_a_phone_shows_one_thing_at_a_time(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    person, other = somebody("Hue Phone"), somebody("Ian Phone")
    other.write(person, "On a small screen")
    window = open_window(viewport=PHONE, has_touch=True, is_mobile=True)
    window.sign_in(person)
    groups = window.page.get_by_role("navigation", name="Message groups")
    expect(groups).to_be_visible()
    window.open(other)
    expect(window.message("On a small screen")).to_be_in_viewport()
    expect(groups).to_be_hidden()
    expect(window.composer(other)).to_be_in_viewport()
    window.send(other, "From a small screen")
    until_sent(window, "From a small screen")
    window.page.get_by_role("link", name="Back to messages").click()
    expect(groups).to_be_visible()
    expect(window.composer(other)).to_be_hidden()
    # What one taps is large enough for a finger.
    small = window.page.evaluate(
        """[...document.querySelectorAll("a[href], button")].filter((e) => e.checkVisibility())
          .map((e) => ({ name: e.ariaLabel ?? e.textContent, box: e.getBoundingClientRect() }))
          .filter(({ box }) => box.height > 1 && (box.height < 24 || box.width < 24))
          .map(({ name }) => name)"""
    )
    assert small == []


@pytest.mark.parametrize("size", [WIDE, PHONE, {"width": 320, "height": 568}], ids=str)
def test_nothing_sticks_out_sideways(
    open_window: Callable[..., Window], somebody: Callable[[str], Person], size: dict[str, int]
) -> None:
    person, other = somebody("Jan Narrow"), somebody("Kai " + "Longname" * 5)
    other.write(person, "w" * 300)
    window = open_window(viewport=size)
    page = window.page
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) <= 0
    window.sign_in(person)
    expect(window.row(other)).to_be_visible()
    assert page.evaluate(overflow) <= 0
    window.open(other)
    expect(page.locator("li[data-message-uuid]")).to_be_visible()
    assert page.evaluate(overflow) <= 0
