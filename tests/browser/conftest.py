"""The web client in Chromium, with the running application behind it.

Only with `make browser`, which sets up what it needs and sets BROWSER. Everybody in these tests is
new, so that none of them sees what another did; only the long conversation is that of the seed.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

collect_ignore_glob = [] if os.environ.get("BROWSER") else ["test_*.py"]

if os.environ.get("BROWSER"):
    sys.path.append(str(Path(__file__).parents[2] / ".build" / "browser"))

    from typing import Any

    from playwright.sync_api import Browser

    from tests.browser.people import Person, sign_up
    from tests.browser.windows import Window, chromium
    from tests.local.conftest import RunningCloud, cloud, start_cloud

    __all__ = ["cloud", "start_cloud"]

    @pytest.fixture(scope="session")
    def browser() -> Iterator[Browser]:
        """One browser for all tests; every window has a profile of its own."""
        with chromium() as browser:
            yield browser

    @pytest.fixture
    def somebody(cloud: RunningCloud) -> Callable[[str], Person]:
        """Signs somebody new up."""
        return lambda display_name: sign_up(cloud, display_name)

    @pytest.fixture
    def open_window(browser: Browser, cloud: RunningCloud) -> Iterator[Callable[..., Window]]:
        """Opens a window, with somebody signed in where one is given; it is watched to the end."""
        windows = []

        def open_(person: Person | None = None, **options: Any) -> Window:
            window = Window(browser, cloud, **options)
            windows.append(window)
            if person:
                window.sign_in(person)
            return window

        yield open_
        for window in windows:
            window.close()
