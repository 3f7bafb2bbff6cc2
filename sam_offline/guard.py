"""Runs engine commands that must not outlive us: `guard.py SIGNAL COMMAND… [--then COMMAND…]`.

The local cloud holds the other end of this process's standard input. When that closes, for
whatever reason (kill -9 included), the running command gets SIGNAL, some seconds later
SIGKILL, and this process ends. The commands run one after the other, the next only when the
one before succeeded. Only the standard library: it starts fast and stays small.
"""

import itertools
import os
import signal
import subprocess
import sys
import threading

_PATIENCE_SECONDS = 600.0


class _Guard:
    def __init__(self, stop_signal: int) -> None:
        self._stop_signal = stop_signal
        self._lock = threading.Lock()
        self._stopping = False
        self._child: subprocess.Popen[bytes] | None = None

    def run(self, command: list[str]) -> int:
        with self._lock:
            if self._stopping:
                return 0
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        return self._child.wait()

    def stop_at_end_of_input(self) -> None:
        while os.read(0, 1024):
            pass
        with self._lock:
            self._stopping = True
            child = self._child
        if child is None:
            return
        child.send_signal(self._stop_signal)
        try:
            child.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()


def main(arguments: list[str]) -> int:
    """Run the commands; the exit status is that of the last one that ran."""
    # Whoever wants this process to end closes its input. No SIG_IGN: commands would inherit it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    guard = _Guard(int(arguments[0]))
    threading.Thread(target=guard.stop_at_end_of_input, daemon=True).start()
    status = 0
    for then, words in itertools.groupby(arguments[1:], lambda word: word == "--then"):
        if not then and status == 0:
            status = guard.run(list(words))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
