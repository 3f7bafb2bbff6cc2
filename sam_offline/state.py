"""The state folder: who runs in it, and what was written.

lock         held by the running local cloud and by its engines until the last of them has ended
stack.json   outputs and addresses of the running stack, absent when none runs
data/        what the engines store; removed at a fresh start
*.log        the engines' own logs of this run
"""

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import IO, Any

import psutil

from sam_offline.console import say
from sam_offline.errors import OfflineError

__all__ = ["StateFolder"]


class StateFolder:
    """One local cloud at a time works in a state folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path / "data"
        self._lock: IO[str] | None = None
        self._published: list[Path] = []

    def acquire(self) -> None:
        """Take the folder as soon as a killed run's engines have ended.

        Raise OfflineError when another run has it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / "lock").open("a+")
        except OSError as error:
            raise OfflineError(f"{self.path} cannot be used: {error.strerror}.") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = int(lock.read() or 0)
            if psutil.pid_exists(holder):
                raise OfflineError(
                    f"A local cloud is already running in {self.path} (process {holder}); "
                    "stop it, or take another folder and other ports for a second one."
                ) from None
            say("local: waiting for the engines of a killed run, which save what was written")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock
        self._make_data_folder()
        (self.path / "stack.json").unlink(missing_ok=True)

    @property
    def held(self) -> list[int]:
        """The file descriptors that an engine inherits, so that the folder is its as well."""
        return [self._lock.fileno()] if self._lock else []

    @property
    def is_there(self) -> bool:
        """Whether nobody has removed the folder, or its data, since it was taken."""
        return self.data.exists() and all(os.fstat(number).st_nlink for number in self.held)

    def start_afresh(self) -> None:
        """Remove what the engines stored."""
        shutil.rmtree(self.data)
        self._make_data_folder()

    def publish(self, name: str, content: dict[str, Any], *, mode: int = 0o644) -> None:
        """Write a file in one step, so that no reader sees half of it; it goes with the run."""
        file = self.path / name
        draft = file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode)
        draft.write_text(json.dumps(content, indent=2) + "\n")
        draft.replace(file)
        self._published.append(file)

    def release(self) -> None:
        """Give the folder back; no process of the run is alive any more."""
        for file in self._published:
            file.unlink(missing_ok=True)
        if self._lock:
            self._lock.close()

    def _make_data_folder(self) -> None:
        """For nobody else's eyes: it has people's passwords and the keys that sign for them."""
        self.data.mkdir(exist_ok=True)
        self.data.chmod(0o700)
