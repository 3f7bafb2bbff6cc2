"""What comes with the pages: their headers, and the rule of CloudFront for routes."""

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Browser, expect

from commands.web.deploy import site_files
from commands.web.site import Site, is_page
from tests.browser.people import Person
from tests.browser.windows import Window
from tests.fakes.template import read_stack
from tests.local.conftest import RunningCloud


@pytest.fixture(scope="module")
def site(cloud: RunningCloud) -> Site:
    return Site.from_outputs(cloud.stack, sign_in_url=cloud.stack["EndpointUrl"])


def get(cloud: RunningCloud, path: str) -> httpx.Response:
    """A file; the client of the other tests holds what it gets against the API's contract."""
    # httpx would make `..` and what is encoded nicer than somebody who means harm.
    url = httpx.URL(cloud.stack["ApiUrl"]).copy_with(raw_path=path.encode())
    return httpx.get(url, trust_env=False, timeout=None)


def test_every_file_comes_with_the_headers(cloud: RunningCloud, site: Site) -> None:
    for path in ("/", "/messages/new/a.b", *(f"/{name}" for name, _ in site_files(site))):
        answer = get(cloud, path)
        assert answer.status_code == 200, path
        for name, value in site.headers().items():
            assert answer.headers[name] == value, path


def test_what_is_no_file_and_no_page_is_not_found(cloud: RunningCloud) -> None:
    for path in ("/elements/no-such.js", "/../pyproject.toml", "/%2e%2e/pyproject.toml", "/.git/x"):
        assert get(cloud, path).status_code == 404, path


def test_code_that_gets_into_a_page_does_not_run(open_window: Callable[..., Window]) -> None:
    """The policy is in force: without it, each of these would run."""
    window = open_window()
    window.expect_errors("Content Security Policy", "forbids", "Trusted")
    window.page.goto("/")
    ran = window.page.evaluate(
        """async () => {
          window.ran = [];
          const script = document.createElement("script");
          try { script.textContent = "ran.push('inline')"; document.head.append(script); } catch {}
          try { document.body.innerHTML = "<img src=x onerror=\\"ran.push('markup')\\">"; } catch {}
          try { setTimeout("ran.push('text')"); } catch {}
          await fetch("https://example.com/").then(() => ran.push("fetch"), () => {});
          await new Promise((resolve) => setTimeout(resolve, 100));
          return window.ran;
        }"""
    )
    assert ran == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/messages",
        "/messages/new",
        "/messages/new/a.b.js",
        "/store.js",
        "/elements/x.js",
        "/x",
    ],
)
def test_cloudfront_takes_the_same_paths_for_pages(browser: Browser, path: str) -> None:
    _, function = read_stack(parameters={"WebClient": "true"}).the_one("AWS::CloudFront::Function")
    page = browser.new_page()
    code = f"(event) => {{ {function['FunctionCode']}; return handler(event).uri; }}"
    uri = page.evaluate(code, {"request": {"uri": path}})
    page.close()
    assert uri == ("/index.html" if is_page(path) else path)


def test_the_first_page_does_not_move_under_ones_hand(
    open_window: Callable[..., Window], somebody: Callable[[str], Person]
) -> None:
    person, other = somebody("Lou Still"), somebody("Max Still")
    for number in range(12):
        uuid = other.write(person, f"Line {number}")["message_group_uuid"]
    person.read(uuid)
    window = open_window(person)
    window.page.add_init_script(
        """window.shifts = [];
        new PerformanceObserver((list) => shifts.push(...list.getEntries().map((e) => e.value)))
          .observe({ type: "layout-shift", buffered: true });"""
    )
    window.page.goto(f"/messages/{uuid}")
    expect(window.message("Line 11")).to_be_in_viewport()
    expect(window.row(other)).to_be_visible()
    # What Google calls good.
    assert sum(window.page.evaluate("window.shifts")) < 0.1
