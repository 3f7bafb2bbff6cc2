"""A browser window as a person uses it, watched for what no page may do.

Everything is found as a person finds it, by what it is and is called; so what is not accessible
cannot be tested either. Waits have the limit of what hangs, not of what is slow.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Route,
    expect,
    sync_playwright,
)

from tests import logs
from tests.browser.people import Person
from tests.local.conftest import RunningCloud

# Milliseconds that a busy machine does not reach.
PATIENCE = 120_000
expect.set_options(timeout=PATIENCE)

# Where bin/setup leads to the machine's browser.
CHROMIUM = Path(__file__).parents[2] / ".build" / "chromium"
WIDE = {"width": 1200, "height": 800}
PHONE = {"width": 390, "height": 844}

# A violation of the policy is an event; as an error of the console it is seen with all others.
_REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`${event.effectiveDirective} forbids ${event.blockedURI} ${event.sample}`));
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Return the machine's Chromium; whatever a page asks for, it finds no other machine."""
    arguments = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # which needs a user that is not root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=arguments,
            env={**os.environ, "FONTCONFIG_FILE": str(Path(__file__).with_name("fonts.conf"))},
        )
        yield browser
        browser.close()


class Window:
    """A window with a profile of its own; `page` is its first tab.

    `close` fails for errors in the console, for violations of the policy, and for every request
    that went elsewhere than to the pages' own origin and to Cognito's.
    """

    def __init__(self, browser: Browser, cloud: RunningCloud, **options: Any) -> None:
        self.context = browser.new_context(
            **{"base_url": cloud.stack["ApiUrl"], "viewport": WIDE, **options}
        )
        self.context.set_default_timeout(PATIENCE)
        self.context.add_init_script(_REPORT_VIOLATIONS)
        addresses = (cloud.stack["ApiUrl"], cloud.stack["EndpointUrl"])
        self._local = {urlsplit(address).netloc for address in addresses}
        self._expected: list[str] = []
        self._problems: list[str] = []
        self.requests: list[Request] = []
        self.context.on("console", self._read)
        self.context.on(
            "weberror", lambda error: self._problems.append(error.error.stack or str(error.error))
        )
        self.context.on("request", self._watch)
        self.page = self.tab()

    def tab(self) -> Page:
        """Open another tab."""
        page = self.context.new_page()
        page.on("websocket", lambda socket: self._reach(socket.url))
        return page

    def expect_errors(self, *patterns: str) -> None:
        """Let these errors of the console pass, such as of a request that the test lets fail."""
        self._expected += patterns

    def close(self) -> None:
        """End the window; fail with what it should not have done."""
        self.context.close()
        unexpected = [
            problem
            for problem in self._problems
            if not any(re.search(pattern, problem) for pattern in self._expected)
        ]
        assert not unexpected, "\n".join(unexpected)

    def sign_in(self, person: Person) -> None:
        """Sign in at the page that is shown, or at the first one."""
        if self.page.url == "about:blank":
            self.page.goto("/")
        self.page.get_by_label("E-mail address").fill(person.email)
        self.page.get_by_label("Password").fill(person.password)
        self.button("Sign in").click()
        expect(self.page.get_by_role("link", name="New message")).to_be_visible()

    def open(self, person: Person) -> None:
        """Open the message group with somebody, from the list."""
        self.row(person).click()
        expect(self.scroller(person)).to_be_visible()

    def button(self, name: str) -> Locator:
        """Return the button of this name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def row(self, person: Person) -> Locator:
        """Return the link of a message group in the list."""
        groups = self.page.get_by_role("navigation", name="Message groups")
        return groups.get_by_role("link").filter(has_text=person.display_name)

    def composer(self, person: Person) -> Locator:
        """Return the field for a message to somebody."""
        return self.page.get_by_role("textbox", name=f"Message to {person.display_name}")

    def scroller(self, person: Person) -> Locator:
        """Return the region that shows the messages with somebody."""
        return self.page.get_by_role("region", name=f"Messages with {person.display_name}")

    def send(self, person: Person, text: str) -> None:
        """Write a message and press Enter."""
        self.composer(person).fill(text)
        self.composer(person).press("Enter")

    def message(self, text: str) -> Locator:
        """Return the message with this text, wherever it stands."""
        shown = self.page.locator(".message-text").get_by_text(text, exact=True)
        return self.page.locator("li[data-message-uuid]").filter(has=shown)

    def expect_texts(self, texts: list[str]) -> None:
        """Fail unless these are the messages that are shown, from the top."""
        shown = self.page.locator("li[data-message-uuid] .message-text")
        expect(shown).to_have_count(len(texts))
        assert shown.all_inner_texts() == texts

    def refuse(self, pattern: str, method: str, error: str = "connectionrefused") -> None:
        """Let requests fail before they are sent, until `answer` is called."""

        def fail(route: Route) -> None:
            if method in {route.request.method, "*"}:
                route.abort(error)
            else:
                route.fallback()

        self.expect_errors("net::ERR_")
        self.context.route(pattern, fail)

    def answer(self, pattern: str) -> None:
        """Let requests pass again."""
        self.context.unroute(pattern)

    def requests_to(self, path: str, method: str) -> list[Request]:
        """Return the requests so far of this method whose path begins so."""
        return [
            request
            for request in self.requests
            if urlsplit(request.url).path.startswith(path) and request.method == method
        ]

    def check_accessibility(self, what: str) -> None:
        """Fail for what axe finds in the page as it is."""
        result = Axe().run(self.page)
        assert result.violations_count == 0, f"{what}\n{result.generate_report()}"

    def _read(self, message: ConsoleMessage) -> None:
        # Not warnings: one says that what was preloaded was not used soon, as on a busy machine.
        if message.type == "error":
            where = message.location.get("url", "")
            self._problems.append(f"{message.text} ({where})")

    def _watch(self, request: Request) -> None:
        self.requests.append(request)
        logs.note_body(request.post_data_buffer)
        self._reach(request.url)

    def _reach(self, url: str) -> None:
        if urlsplit(url).netloc not in self._local:
            self._problems.append(f"it reached for {url}")


def until_sent(window: Window, text: str) -> None:
    """Return when a message that was written is with the API."""
    expect(window.message(text)).to_have_attribute("data-state", re.compile("sent|seen"))
