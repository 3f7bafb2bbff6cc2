"""`bin/setup` in a folder of its own, with a uv that makes environments and needs no network."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.conftest import ROOT

# Each lock is one package. As for uv, a package that has metadata is installed; the file `pause`
# names the lock at whose package it stops between the metadata and the code.
UV = f"""#!/bin/sh
set -eu
for last; do :; done
case "$1 ${{2-}}" in
    "pip sync")
        folder=${{5%/bin/python}} package=$(basename "$last")
        if [ ! -d "$folder/$package.dist-info" ]; then
            mkdir "$folder/$package.dist-info"
            if [ "$(cat pause)" = "$last" ]; then echo paused; read -r _; fi
            touch "$folder/$package.py"
        fi ;;
    "pip install") mkdir -p "$8" ;;
    *) exec "{ROOT}/.build/uv/bin/uv" "$@" ;;
esac
"""
OF_PROJECT = [
    "bin/setup",
    "bin/python",
    "run.lock",
    "dev.lock",
    "local/runtime.lock",
    "local/ministack.lock",
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder that `bin/setup` can set up."""
    for name in [*OF_PROJECT, "layers/messaging/requirements.txt"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    uv = tmp_path / ".build" / "uv" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    uv.write_text(UV)
    uv.chmod(0o755)
    (tmp_path / "pause").touch()
    return tmp_path


def set_up(project: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    # The first Python on the PATH is that of an environment, as in a shell that has activated one.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "UV_OFFLINE": "1"} | variables
    return subprocess.Popen(
        [project / "bin" / "setup", *arguments],
        env={name: value for name, value in environment.items() if value},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def completed(project: Path, **variables: str) -> None:
    with set_up(project, **variables) as process:
        said, _ = process.communicate()
    assert process.returncode == 0, said


@pytest.mark.parametrize("levels", [[], ["dev"]], ids=["the first", "one for more"])
def test_a_set_up_that_was_interrupted_is_completed_by_the_next(
    project: Path, levels: list[str]
) -> None:
    if levels:
        completed(project)
    (project / "pause").write_text("dev.lock" if levels else "run.lock")
    with set_up(project, *levels) as interrupted:
        assert interrupted.stdout
        assert "paused\n" in iter(interrupted.stdout.readline, "")
        os.killpg(interrupted.pid, signal.SIGINT)
    assert interrupted.returncode == -signal.SIGINT
    refused = subprocess.run([project / "bin" / "python"], check=False, capture_output=True)
    assert (refused.returncode, refused.stderr.count(b"\n")) == (1, 1)
    (project / "pause").write_text("")
    completed(project)
    installed = {path.stem for path in (project / ".venv").glob("*.dist-info")}
    assert installed
    assert installed == {path.stem for path in (project / ".venv").glob("*.py")}


def test_an_environment_has_the_python_that_was_found_though_it_is_that_of_another(
    project: Path,
) -> None:
    completed(project)
    asked = "import sys; print(sys.base_prefix)"
    made = subprocess.check_output([project / ".venv" / "bin" / "python", "-c", asked], text=True)
    assert made.strip() == sys.base_prefix


def test_a_set_up_needs_no_home(project: Path) -> None:
    nowhere = {"HOME": "/dev/null", "XDG_CACHE_HOME": "", "UV_CACHE_DIR": ""}
    completed(project, **nowhere)


def test_a_folder_that_cannot_be_written_to_is_one_sentence(project: Path) -> None:
    shutil.rmtree(project / ".build")
    (project / ".build").touch()
    with set_up(project) as process:
        said, _ = process.communicate()
    assert process.returncode == 1
    assert said.startswith("setup: everything is installed into this folder")
    assert said.count("\n") == 1
