"""The local cloud does what `make conformance` asks of every deployment."""

import os
import re
import subprocess

from tests.local.conftest import ROOT, RunningCloud


def test_the_local_cloud_conforms(cloud: RunningCloud) -> None:
    tokens = {"TOKEN": cloud.token("bayko"), "OTHER_TOKEN": cloud.token("harbor")}
    done = subprocess.run(
        [ROOT / "bin" / "python", "-m", "pytest", "--quiet", "tests/conformance"],
        cwd=ROOT,
        env={**os.environ, "API": cloud.stack["ApiUrl"], "NO_PROXY": "*", **tokens},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    source = (ROOT / "tests" / "conformance" / "test_conformance.py").read_text()
    sentences = re.findall(r'^def test_.*\n    """(.*)"""', source, re.MULTILINE)
    assert len(sentences) > 10
    for sentence in sentences:
        assert f"  yes  {sentence}" in done.stdout
