"""What `make audit` makes of pip-audit's answers."""

import json
from typing import Any

import pytest

from tests.audit import FOLDERS, asked, licences, said_of, vulnerable

FINE = {"name": "httpx", "version": "0.28.1", "vulns": []}
SKIPPED = {"name": "botocore", "skip_reason": "Dependency not found on PyPI"}
BAD = {
    "name": "pyyaml",
    "version": "3.1",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["5.1"], "aliases": [], "description": ""}],
}


@pytest.mark.parametrize("output", ["", "no network", json.dumps({"dependencies": [SKIPPED]})])
def test_who_cannot_be_asked_has_not_been(output: str) -> None:
    assert asked(output) is None


@pytest.mark.parametrize(
    ("packages", "known"), [([FINE], 0), ([FINE, SKIPPED], 0), ([FINE, BAD, SKIPPED], 1)]
)
def test_a_known_vulnerability_is_found(packages: list[dict[str, Any]], known: int) -> None:
    found = asked(json.dumps({"dependencies": packages}))
    assert found
    assert len(vulnerable(found)) == known
    lines = "\n".join(said_of(found))
    assert ("pyyaml 3.1: PYSEC-1, mended in 5.1" in lines) == bool(known)
    assert ("botocore could not be looked up" in lines) == (SKIPPED in packages)


def test_every_package_that_is_deployed_says_its_licence() -> None:
    layers = tuple(folder for folder in FOLDERS if folder.parent.name == "layers")
    found = licences(layers)
    assert "psycopg2-binary" in set().union(*found.values())
    assert "unknown" not in found
