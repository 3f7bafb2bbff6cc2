"""What `make audit` makes of pip-audit's answers."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import audit
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


@pytest.fixture
def pip_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of pip-audit, a program whose answers a test makes."""
    program = tmp_path / "pip-audit"
    monkeypatch.setattr(audit, "_PIP_AUDIT", program)
    monkeypatch.setattr(audit, "FOLDERS", ())
    return program


def answers(program: Path, output: str, *, status: int, reads: bool = True) -> None:
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        f"if '--dry-run' in sys.argv: sys.exit({0 if reads else 'no lock'!r})\n"
        f"print({output!r})\n"
        f"sys.exit({status})\n"
    )
    program.chmod(0o755)


def test_a_known_vulnerability_fails_the_audit(
    pip_audit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(pip_audit, json.dumps({"dependencies": [FINE, BAD]}), status=1)
    assert audit.main() == 1
    assert "run.lock: pyyaml 3.1: PYSEC-1, mended in 5.1" in capsys.readouterr().out


def test_who_knows_of_none_passes(pip_audit: Path) -> None:
    answers(pip_audit, json.dumps({"dependencies": [FINE]}), status=0)
    assert audit.main() == 0


def test_without_a_network_the_audit_passes_and_says_that_nobody_was_asked(
    pip_audit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(pip_audit, "", status=1)
    assert audit.main() == 0
    assert capsys.readouterr().out.count("none were looked for") == len(audit.LOCKS)


def test_a_lock_that_cannot_be_read_fails_the_audit(
    pip_audit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(pip_audit, "", status=1, reads=False)
    assert audit.main() == 1
    assert "requirements.txt cannot be read:\nno lock" in capsys.readouterr().err
