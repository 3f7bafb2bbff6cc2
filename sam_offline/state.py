"""The state folder of a local cloud.

lock         held by the running local cloud and its engines until the last of them has ended
stack.json   outputs and addresses of the running stack; absent when none runs
data/        what the engines store; removed at a start without --keep
*.log        the engines' logs of this run
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
    """A folder in which one local cloud at a time can run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path / "data"
        self._lock: IO[str] | None = None
        self._published: list[Path] = []

    def acquire(self) -> None:
        """Take the folder. After a killed run, wait until its engines have ended.

        Raise OfflineError if another run has it.
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
        """The file descriptors that an engine inherits, so that it holds the lock, too."""
        return [self._lock.fileno()] if self._lock else []

    @property
    def is_there(self) -> bool:
        """Whether the folder and its data still exist."""
        return self.data.exists() and all(os.fstat(number).st_nlink for number in self.held)

    def start_afresh(self) -> None:
        """Remove what the engines stored."""
        shutil.rmtree(self.data)
        self._make_data_folder()

    def publish(self, name: str, content: dict[str, Any], *, mode: int = 0o644) -> None:
        """Write a file at once, so that no reader sees half of it; `release` removes it."""
        file = self.path / name
        draft = file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode)
        draft.write_text(json.dumps(content, indent=2) + "\n")
        draft.replace(file)
        self._published.append(file)

    def release(self) -> None:
        """Give the folder back after every process of the run has ended."""
        for file in self._published:
            file.unlink(missing_ok=True)
        if self._lock:
            self._lock.close()

    def _make_data_folder(self) -> None:
        # It holds passwords and the keys that sign tokens, so that only its user may read it.
        self.data.mkdir(exist_ok=True)
        self.data.chmod(0o700)
