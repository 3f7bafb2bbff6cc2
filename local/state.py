"""The state folder: who runs in it, which processes it started, what it wrote.

lock              held by the running local cloud (its process id is in it)
processes.jsonl   every process that was started: {"name", "pid", "created"}
stack.json        outputs and addresses of the running stack, absent when none runs
sam-env.json      the functions' environments for `sam local`, absent when it cannot run beside
pg_hba.conf       who may connect to PostgreSQL from where
data/             what the engines store; removed at a fresh start
*.log             the engines' own logs of this run
"""

import fcntl
import json
import shutil
import threading
from pathlib import Path
from typing import IO, Any

import psutil

from local.errors import LocalError
from local.patience import wait_while_they_work

__all__ = ["StateFolder"]


class StateFolder:
    """One local cloud at a time works in a state folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path / "data"
        self.stack_file = path / "stack.json"
        self.sam_file = path / "sam-env.json"
        self._processes = path / "processes.jsonl"
        self._lock: IO[str] | None = None
        self._taken: dict[Path, int] = {}
        self._writing = threading.Lock()

    def acquire(self) -> None:
        """Take the folder, clear what a killed run left; LocalError when another run has it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / "lock").open("a+")
        except OSError as error:
            raise LocalError(f"{self.path} cannot be used: {error.strerror}.") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise LocalError(
                f"A local cloud is already running in {self.path} (process {holder}); "
                "stop it, or set LOCAL_STATE and the ports for a second one."
            ) from None
        lock.truncate(0)
        lock.write(str(psutil.Process().pid))
        lock.flush()
        self._lock = lock
        self._make_data_folder()
        self._end_leftovers()
        self._forget()

    @property
    def is_there(self) -> bool:
        """Whether nobody has removed the folder, or its data, since it was taken."""
        try:
            return all(path.stat().st_ino == number for path, number in self._taken.items())
        except OSError:
            return False

    def release(self) -> None:
        """Give the folder back; no process of the run is alive any more."""
        self._forget()
        if self._lock:
            self._lock.close()

    def _forget(self) -> None:
        for file in (self.stack_file, self.sam_file, self._processes):
            file.unlink(missing_ok=True)

    def start_afresh(self) -> None:
        """Remove what the engines stored."""
        shutil.rmtree(self.data)
        self._make_data_folder()

    def _make_data_folder(self) -> None:
        """For nobody else's eyes: it has people's passwords and the keys that sign for them."""
        self.data.mkdir(exist_ok=True)
        self.data.chmod(0o700)
        self._taken = {path: path.stat().st_ino for path in (self.path / "lock", self.data)}

    def record(self, name: str, pid: int) -> None:
        """Remember a started process. The creation time tells it from a later one of its pid."""
        try:
            created = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            return
        line = json.dumps({"name": name, "pid": pid, "created": created})
        with self._writing, self._processes.open("a") as file:
            file.write(line + "\n")

    def write_stack(self, stack: dict[str, Any]) -> None:
        """Publish stack.json in one step, so that no reader sees half of it."""
        _write(self.stack_file, stack)

    def write_sam_environment(self, environment: dict[str, Any]) -> None:
        """Publish sam-env.json, for nobody else's eyes: it has the database's password."""
        _write(self.sam_file, environment, mode=0o600)

    def _end_leftovers(self) -> None:
        if not self._processes.exists():
            return
        guards: list[psutil.Process] = []
        others: list[psutil.Process] = []
        for line in self._processes.read_text().splitlines():
            try:
                entry = json.loads(line)
                process = psutil.Process(entry["pid"])
                alive = process.create_time() == entry["created"]
            except (ValueError, psutil.NoSuchProcess):  # half a line is of a run that was killed
                continue
            if alive:
                (guards if entry["name"].endswith("guard") else others).append(process)
        # The guards are ending their engines right now; whoever has none is ended here.
        wait_while_they_work(guards, "what a killed run left")
        for stop in (psutil.Process.terminate, psutil.Process.kill):
            for process in [*guards, *others]:
                if process.is_running():
                    stop(process)
            _, alive_still = psutil.wait_procs([*guards, *others], timeout=3)
            if not alive_still:
                break


def _write(file: Path, content: dict[str, Any], *, mode: int = 0o644) -> None:
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode)
    draft.write_text(json.dumps(content, indent=2) + "\n")
    draft.replace(file)
