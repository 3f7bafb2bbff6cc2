"""Pictures of the web client for docs/: `make screenshots` takes them, no test compares them.

They show the people of the seed, and what these have just written to each other.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from seed.examples import seed_message_groups
from tests.browser.people import Person, of_the_seed
from tests.browser.windows import PHONE, WIDE, Window
from tests.local.conftest import RunningCloud

PICTURES = Path(__file__).parents[2] / "docs" / "screenshots"
LONG = seed_message_groups()[0].uuid
PAGES = ("list", "message-group", "new-message", "sign-in")
KINDS: dict[str, dict[str, Any]] = {
    "light": {"viewport": WIDE, "color_scheme": "light"},
    "dark": {"viewport": WIDE, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light", "is_mobile": True, "has_touch": True},
}
WRITTEN = [
    ("lagoon", "grahams", "The tide tables for December are out"),
    ("grahams", "lagoon", "Already? Send me the low ones, please"),
    ("lagoon", "grahams", "The 4th, half past six. Bring a lamp 🔦"),
    ("harbor", "grahams", "Is the blue boat yours?"),
    ("grahams", "reef", "The photo of the cuttlefish came out better than I thought"),
    ("reef", "grahams", "Show me! And where did you see it?"),
    ("grahams", "reef", "Behind the second buoy: https://example.com/cuttlefish"),
    ("reef", "grahams", "Then I know where I will be on Saturday 🤿"),
]


@pytest.fixture(scope="session")
def grahams(cloud: RunningCloud) -> Person:
    """Whose client is shown; with something to read and something that was read."""
    handles = {name for line in WRITTEN for name in line[:2]}
    people = {handle: of_the_seed(cloud, handle.capitalize()) for handle in sorted(handles)}
    for sender, receiver, text in WRITTEN:
        people[sender].write(people[receiver], text)
    for handle in ("grahams", "reef"):
        people[handle].read(LONG)
    return people["grahams"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("page", PAGES)
def test_take(
    open_window: Callable[..., Window],
    cloud: RunningCloud,
    grahams: Person,
    page: str,
    kind: str,
) -> None:
    window = open_window(**KINDS[kind], reduced_motion="reduce")
    if page == "sign-in":
        window.page.goto("/")
        expect(window.page.get_by_role("heading", name="Sign in")).to_be_visible()
    else:
        window.sign_in(grahams)
        expect(window.page.get_by_role("link", name=re.compile("^Bayko"))).to_be_visible()
    if page == "message-group":
        window.open(of_the_seed(cloud, "Reef"))
        expect(window.message(WRITTEN[-1][2])).to_be_in_viewport()
    elif page == "new-message":
        window.page.get_by_role("link", name="New message").click()
        expect(window.page.get_by_role("textbox", name="Handle")).to_be_visible()
    window.page.mouse.move(0, 0)
    PICTURES.mkdir(exist_ok=True)
    window.page.screenshot(path=PICTURES / f"{page}-{kind}.png", caret="hide")
