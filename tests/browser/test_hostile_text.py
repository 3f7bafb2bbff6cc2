"""Texts and names that would like to be more than text."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.people import Person
from tests.browser.windows import PHONE, WIDE, Window, until_sent

# A character that turns the direction of what follows, and one that hides.
TURN, HIDE = "\u202e", "\u200b"
HOSTILE = {
    "a script": "<script>document.title = 'taken over'</script>",
    "an image": "<img src=x onerror=\"document.title = 'taken over'\">",
    "a template": "${document.title='taken over'} {{constructor.constructor('x')()}}",
    "a javascript link": "javascript:document.title='taken_over' data:text/html,<script>",
    "turned around": f"{TURN}txt.exe {TURN}moc.elpmaxe",
    "stacked marks": "Z" + "\u0351\u036b\u0343\u036a\u0302" * 60,
    "one long word": "w" * 1024,
    "emoji": "👩‍👩‍👧‍👦" * 146,
    "a thousand emoji": "🐚" * 1024,
    "right to left": "مرحبا بالعالم 123 שלום",
    "many lines": "\n".join("line" for _ in range(200)),
    "spaces": f"a{HIDE}b   c\t\td",
}


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_text_is_shown_as_it_is_and_nothing_more(
    open_window: Callable[..., Window], somebody: Callable[[str], Person], size: dict[str, int]
) -> None:
    """Neither as markup, nor beyond its bubble, nor out of the direction of the page."""
    writer, reader = somebody("Ada Hostile"), somebody("Bob Calm")
    for text in HOSTILE.values():
        uuid = writer.write(reader, text)["message_group_uuid"]
    reader.read(uuid)
    window = open_window(reader, viewport=size)
    window.open(writer)
    shown = window.page.locator("li[data-message-uuid] .message-text")
    expect(shown).to_have_count(len(HOSTILE))
    texts = [element.text_content() for element in shown.all()]
    assert texts == list(HOSTILE.values())
    expect(window.page).not_to_have_title("taken over")
    # A link is made of addresses of pages alone.
    links = window.scroller(writer).get_by_role("link").all()
    assert [link.get_attribute("href") for link in links] == []
    width = window.page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert width[0] <= width[1]
    scroller = window.scroller(writer)
    assert scroller.evaluate("e => e.scrollWidth <= e.clientWidth")


def test_an_address_becomes_a_link_that_tells_the_other_side_nothing(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    writer, reader = somebody("Cid Links"), somebody("Dee Clicks")
    text = 'See https://example.com/a?b=c#d, or (http://example.org/"x"). Not ftp://example.net'
    uuid = writer.write(reader, text)["message_group_uuid"]
    reader.read(uuid)
    window = open_window(reader)
    window.open(writer)
    expect(window.page.locator("li[data-message-uuid] .message-text")).to_have_text(text)
    links = window.scroller(writer).get_by_role("link")
    expect(links.first).to_have_attribute("href", "https://example.com/a?b=c#d")
    for link in links.all():
        assert str(link.get_attribute("href")).startswith(
            ("https://example.com/", "http://example")
        )
        assert "noopener" in str(link.get_attribute("rel"))
        assert "noreferrer" in str(link.get_attribute("rel"))
        assert link.get_attribute("target") == "_blank"


def test_a_name_is_shown_as_it_is_too(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    name = "Eve <b>bold</b> ${name}"
    writer, reader = somebody(name), somebody("Fay Calm")
    writer.write(reader, "Guess who I am")
    window = open_window(reader)
    expect(window.row(writer)).to_be_visible()
    window.open(writer)
    expect(window.message("Guess who I am")).to_be_visible()
    assert window.page.locator("b").get_by_text("bold", exact=True).count() == 0


def test_hostile_text_can_be_written(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    writer, reader = somebody("Gus Writes"), somebody("Hal Reads")
    uuid = writer.write(reader, "Hello")["message_group_uuid"]
    window = open_window(writer)
    window.open(reader)
    for text in (HOSTILE["a script"], HOSTILE["right to left"]):
        window.send(reader, text)
        until_sent(window, text)
    assert reader.messages(uuid)[1:] == [HOSTILE["a script"], HOSTILE["right to left"]]
