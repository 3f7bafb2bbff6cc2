"""The Python client as its users get it: built, installed where nothing else is, typed, and used.

A part of `make smoke`. The wheel is built from the sdist, so that both are whole; the program is
the one in the client's README.
"""

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from bench.local_cloud import started
from local.settings import ROOT

__all__ = ["ClientError", "check"]

_CLIENT = ROOT / "clients" / "python"
_UV = ROOT / ".build" / "uv" / "bin" / "uv"
_HINTS = """
import os
from cruddur_client import Client
with Client(os.environ["API"], os.environ["TOKEN"]) as client:
    assert next(client.hints()).type == "connected"
"""


class ClientError(Exception):
    """The client is not what its users need; the text says why."""


def check() -> None:
    """Raise ClientError unless its README's program runs with the package alone."""
    found = re.search(r"```python\n(.*?)```", (_CLIENT / "README.md").read_text(), re.DOTALL)
    if not found:
        raise ClientError("The client's README has no program.")
    with tempfile.TemporaryDirectory(prefix="client") as name:
        folder = Path(name)
        wheel = _wheel(folder)
        python = folder / "environment" / "bin" / "python"
        _run(folder, _UV, "venv", "--quiet", "--python", sys.executable, folder / "environment")
        # Its own requirements, in the versions that this project has.
        versions = folder / "versions.txt"
        pins = re.findall(r"^([\w.-]+==\S+)", (ROOT / "run.lock").read_text(), re.MULTILINE)
        versions.write_text("\n".join(pins))
        installing = ("pip", "install", "--quiet", "--python", python, "--constraint", versions)
        _run(folder, _UV, *installing, f"{wheel}[live]")
        program = folder / "program.py"
        program.write_text(found[1])
        typing = ("--strict", "--config-file=", "--python-executable", python)
        _run(folder, sys.executable, "-m", "mypy", *typing, program)
        with started(folder) as cloud:
            whose = {"TOKEN": cloud.token("grahams"), "API": cloud.url, "NO_PROXY": "*"}
            program.write_text(found[1].replace("http://127.0.0.1:3000", cloud.url))
            said = _run(folder, python, program, **whose)
            if "Hello!" not in said:
                raise ClientError(f"The program of the client's README says:\n{said}")
            _run(folder, python, "-c", _HINTS, **whose)
    print(f"client: {wheel.name} installs, is typed and speaks to the local cloud")


def _wheel(folder: Path) -> Path:
    """Build the sdist, and the wheel from what is in it."""
    build = (sys.executable, "-m", "hatchling", "build", "--directory", folder)
    _run(_CLIENT, *build, "--target", "sdist")
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    _run(folder / sdist.name.removesuffix(".tar.gz"), *build, "--target", "wheel")
    (wheel,) = folder.glob("*.whl")
    return wheel


def _run(folder: Path, *command: str | Path, **variables: str) -> str:
    """Run a command that sees nothing of this checkout; return what it says."""
    hidden = {"PYTHONPATH", "MYPYPATH", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment | variables,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise ClientError(f"{' '.join(map(str, command))} failed:\n{done.stdout}")
    return done.stdout
