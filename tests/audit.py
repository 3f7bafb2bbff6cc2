"""`make audit`: what is known against the packages that are pinned, and their licences.

Vulnerabilities are asked for with pip-audit. Where there is no network, or an index that does not
know of any, it says so and that is all: what cannot be asked is no fault of a change. A lock that
pip-audit cannot read is one.
"""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from local.settings import ROOT

# What is deployed, then what `make run` imports.
LOCKS = (*sorted(ROOT.glob("layers/*/requirements.txt")), ROOT / "run.lock")
FOLDERS = (*sorted(ROOT.glob(".build/layers/*")), *ROOT.glob(".venv/lib/python*/site-packages"))
_PIP_AUDIT = ROOT / ".build" / "audit" / "bin" / "pip-audit"


class AuditError(Exception):
    """Nothing could be looked for, though not for want of somebody to ask; the text says why."""


def main() -> int:
    """Exit status 1 when a vulnerability is known, or a lock cannot be read."""
    for licence, names in sorted(licences(FOLDERS).items()):
        print(f"audit: {licence}: {', '.join(sorted(names))}")
    try:
        return 1 if sum(map(_known, LOCKS)) else 0
    except AuditError as error:
        print(f"audit: {error}", file=sys.stderr)
        return 1


def _known(lock: Path) -> int:
    """Print what is known of the packages in a lock; how many of them are vulnerable."""
    name = lock.relative_to(ROOT)
    read = _pip_audit(lock, "--dry-run")
    if read.returncode:
        raise AuditError(f"{name} cannot be read:\n{read.stderr}")
    report = asked(_pip_audit(lock).stdout)
    if report is None:
        print(f"audit: {name}: nobody here can be asked for vulnerabilities; none were looked for")
        return 0
    for line in said_of(report):
        print(f"audit: {name}: {line}")
    return len(vulnerable(report))


def _pip_audit(lock: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # a program of ours
        [
            *(_PIP_AUDIT, "--disable-pip", "--require-hashes", "--requirement", lock),
            *("--format", "json", "--progress-spinner", "off", "--timeout", "10", *options),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def asked(output: str) -> list[dict[str, Any]] | None:
    """The packages in the output of pip-audit; None if it could look none of them up."""
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except ValueError:
        return None
    return packages if any("vulns" in package for package in packages) else None


def vulnerable(packages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The packages with known vulnerabilities."""
    return [package for package in packages if package.get("vulns")]


def said_of(packages: list[dict[str, Any]]) -> Iterator[str]:
    """What is to be known of these packages, in lines."""
    found = [package for package in packages if "vulns" in package]
    yield f"{len(found)} packages looked up, {len(vulnerable(packages))} with vulnerabilities"
    for package in vulnerable(packages):
        for each in package["vulns"]:
            fixed = ", ".join(each["fix_versions"]) or "nowhere"
            yield f"{package['name']} {package['version']}: {each['id']}, mended in {fixed}"
    for package in packages:
        if "skip_reason" in package:
            yield f"{package['name']} could not be looked up"


def licences(folders: tuple[Path, ...]) -> dict[str, set[str]]:
    """The packages in these folders by what their metadata say of their licence."""
    found: dict[str, set[str]] = defaultdict(set)
    for distribution in distributions(path=[str(folder) for folder in folders]):
        found[licence_of(distribution)].add(distribution.name)
    return found


def licence_of(distribution: Distribution) -> str:
    """A licence in one line: an SPDX expression, a classifier, or the first words of a text."""
    metadata = distribution.metadata
    classifiers = [
        name.rpartition(" :: ")[2]
        for name in metadata.get_all("Classifier") or []
        if name.startswith("License :: ") and not name.endswith("OSI Approved")
    ]
    expression = metadata.get("License-Expression")
    text = (metadata.get("License") or "unknown").strip().splitlines()[0]
    return str(expression or " or ".join(classifiers) or text)


if __name__ == "__main__":
    sys.exit(main())
