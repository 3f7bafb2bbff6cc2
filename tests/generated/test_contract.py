"""schemathesis against the running application: thousands of requests, and what they lead to.

It takes its requests from the contract: valid ones, ones that break a rule of it each, stories of
requests that follow the links of answers, and the same without a token or with a wrong one.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import logs
from tests.local.conftest import ROOT, RunningCloud

HERE = Path(__file__).parent
CASES = 5000


def test_nothing_is_answered_that_is_not_in_the_contract(
    cloud: RunningCloud, tell: Callable[[str], None], tmp_path: Path
) -> None:
    sent = tmp_path / "sent.har"
    url = cloud.stack["ApiUrl"]
    seed = os.environ.get("SEED", "1")
    done = subprocess.run(
        [
            ROOT / ".build" / "contract" / "bin" / "schemathesis",
            *("--config-file", "schemathesis.toml", "run", f"{url}/openapi.json", "--url", url),
            *("--header", f"Authorization: Bearer {cloud.token('grahams')}"),
            *("--seed", seed, "--max-examples", "700", "--workers", "2", "--no-shrink"),
            *("--report-har-path", sent),
        ],
        cwd=HERE,
        env={**os.environ, "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        check=False,
    )
    for entry in json.loads(sent.read_text())["log"]["entries"]:
        logs.note_body(entry["request"].get("postData", {}).get("text"))
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
    found = re.search(r"(\d+) generated", done.stdout)
    assert found, done.stdout
    links = re.search(r"API Links: +(.*)", done.stdout)
    tell(f"{found[1]} generated requests (SEED={seed}); links: {links and links[1]}")
    assert int(found[1]) >= CASES
    assert links
