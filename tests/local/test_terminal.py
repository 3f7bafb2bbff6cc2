"""What the terminal shows: what matters, in lines that nobody else can write."""

import shutil
from collections.abc import Callable

import pytest

from local.settings import TEMPLATE
from tests.local.conftest import LocalCloud, RunningCloud
from tests.local.test_application import Person
from tests.waiting import eventually

METRIC = "CloudWatchMetrics"


def lines(cloud: LocalCloud) -> list[str]:
    return cloud.log.read_text().splitlines()


def test_a_path_cannot_forge_a_line(cloud: RunningCloud) -> None:
    cloud.client.get("/api/x%0Alocal:%20forged%1B%5B2J%0D%C2%9B")
    shown = eventually(lambda: next((s for s in lines(cloud.process) if "forged" in s), None))
    assert shown.startswith("api | GET /api/x\\nlocal: forged\\x1b[2J\\r\\x9b 404")


def test_metrics_are_shown_to_nobody_who_does_not_ask(cloud: RunningCloud) -> None:
    grahams, reef = (Person(cloud, name, cloud.token(name)) for name in ("grahams", "reef"))
    sent = grahams.post("/api/messages", handle=reef.handle, message="counted")
    assert sent.status_code == 200
    # The stream's function, which gives metrics, has moved the group.
    eventually(lambda: reef.groups()[0]["message"] == "counted" or None)
    assert not any(METRIC in line for line in lines(cloud.process))


@pytest.mark.proof
def test_metrics_are_shown_to_those_who_ask(start_cloud: Callable[..., LocalCloud]) -> None:
    """The seed goes through the stream."""
    asked = start_cloud(LOCAL_METRICS="1")
    asked.wait_until_ready()
    asked.wait_until_it_says(METRIC)
    asked.stop()


def test_a_new_template_needs_a_restart_and_the_terminal_says_so(
    cloud: RunningCloud,
) -> None:
    """As an editor saves: another file with the same name, which here says the same."""
    copy = TEMPLATE.with_suffix(".copy")
    shutil.copy2(TEMPLATE, copy)
    copy.replace(TEMPLATE)
    eventually(lambda: any("template.yaml was changed" in s for s in lines(cloud.process)) or None)
