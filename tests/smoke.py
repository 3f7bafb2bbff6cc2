"""`make smoke`: what is built is what runs.

Builds the functions and layers for both architectures, looks whether each has binaries of its
own architecture only, and imports every handler with nothing but its built layers and what the
Lambda runtime brings. Prints each layer's size; Lambda takes 250 MB in all. Then the client's turn
comes: see `tests.client_package`.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from local.settings import ROOT
from sam_offline.ministack import CREDENTIALS
from sam_offline.stack import Function
from tests import client_package
from tests.fakes.template import read_stack

_BUILDS = ROOT / ".aws-sam" / "smoke"
_RUNTIME = ROOT / ".build" / "runtime" / "bin" / "python"
# Lambda's name of an architecture, and ELF's number of it (e_machine).
_MACHINES = {"x86_64": 62, "arm64": 183}
_HERE = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
_LIMIT_MB = 250


class SmokeError(Exception):
    """What was built is not what runs; the text says why."""


def main() -> int:
    """Exit status 0 when everything fits together, 1 with a sentence else."""
    try:
        for architecture in _MACHINES:
            _smoke(architecture)
        client_package.check()
    except (SmokeError, client_package.ClientError) as error:
        print(f"smoke: {error}", file=sys.stderr)
        return 1
    return 0


def _smoke(architecture: str) -> None:
    folder = _BUILDS / architecture
    _build(architecture, folder)
    # An address, since without one the functions' environments refer to a database to be made.
    parameters = {"Architecture": architecture, "DatabaseUrl": "postgresql://somewhere/cruddur"}
    functions = read_stack(folder / "template.yaml", parameters=parameters).functions()
    layers = {layer for function in functions.values() for layer in function.layers}
    for layer in sorted(layers):
        _check_binaries(layer, architecture)
        print(f"{architecture}: {layer.name} {_megabytes(layer):.1f} MB")
    if sum(map(_megabytes, layers)) > _LIMIT_MB:
        raise SmokeError(f"the layers have more than {_LIMIT_MB} MB.")
    if platform.system() != "Linux" or _HERE.get(platform.machine().lower()) != architecture:
        print(f"{architecture}: built; this machine cannot import it")
        return
    for function in functions.values():
        _import(function)
    print(f"{architecture}: {len(functions)} handlers import with their layers and boto3 alone")


def _build(architecture: str, folder: Path) -> None:
    options = ["--build-dir", str(folder), "--parameter-overrides", f"Architecture={architecture}"]
    done = subprocess.run(
        [str(ROOT / "bin" / "sam"), "build", *options],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SmokeError(f"sam build failed for {architecture}:\n{done.stdout}{done.stderr}")


def _check_binaries(layer: Path, architecture: str) -> None:
    for path in _files(layer):
        with path.open("rb") as file:
            head = file.read(20)
        if head.startswith(b"\x7fELF"):
            machine = int.from_bytes(head[18:20], "little")
            if machine != _MACHINES[architecture]:
                raise SmokeError(f"{path} is not of {architecture}.")


def _import(function: Function) -> None:
    module, _, name = function.handler.partition(".")
    path = [function.code, *(layer / "python" for layer in reversed(function.layers))]
    done = subprocess.run(
        [str(_RUNTIME), "-P", "-c", f"import {module}; assert callable({module}.{name})"],
        env={
            **function.environment,
            **CREDENTIALS,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        cwd=function.code,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SmokeError(f"{function.name} cannot be imported:\n{done.stderr}")


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in _files(folder)) / 1e6


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(main())
