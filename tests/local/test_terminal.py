"""What the terminal shows: what matters, in lines that nobody else can write."""

import shutil
from collections.abc import Callable

from local.settings import TEMPLATE
from tests.local.conftest import LocalCloud, RunningCloud
from tests.local.test_application import LONG, Person
from tests.waiting import eventually


def lines(cloud: LocalCloud) -> list[str]:
    return cloud.log.read_text().splitlines()


def test_a_path_cannot_forge_a_line(cloud: RunningCloud) -> None:
    cloud.client.get("/x%0Alocal:%20forged%1B%5B2J%0D%C2%9B")
    shown = eventually(lambda: next((s for s in lines(cloud.process) if "forged" in s), None))
    assert shown.startswith("api | GET /x\\nlocal: forged\\x1b[2J\\r\\x9b 404")


def test_metrics_are_shown_to_those_who_ask(
    cloud: RunningCloud, start_cloud: Callable[..., LocalCloud]
) -> None:
    """The seed goes through the stream, and its function gives metrics."""

    def text_of_a_metric(process: LocalCloud) -> str | None:
        return next((line for line in lines(process) if "CloudWatchMetrics" in line), None)

    person = Person(cloud, "grahams", cloud.token("grahams"))
    sent = person.post("/api/messages", message_group_uuid=LONG.uuid, message="counted")
    assert sent.status_code == 200
    asked = start_cloud(LOCAL_METRICS="1")
    asked.wait_until_ready()
    eventually(lambda: text_of_a_metric(asked))
    asked.stop()
    assert text_of_a_metric(cloud.process) is None


def test_a_new_template_needs_a_restart_and_the_terminal_says_so(
    cloud: RunningCloud,
) -> None:
    """As an editor saves: another file with the same name, which here says the same."""
    copy = TEMPLATE.with_suffix(".copy")
    shutil.copy2(TEMPLATE, copy)
    copy.replace(TEMPLATE)
    eventually(lambda: any("template.yaml was changed" in s for s in lines(cloud.process)) or None)
