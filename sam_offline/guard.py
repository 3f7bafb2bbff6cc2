"""Runs a program that must not outlive the local cloud: `guard.py SIGNAL COMMAND…`.

The local cloud holds the other end of this process's standard input. When that closes, even by
kill -9, the program and its children get SIGNAL and, much later, SIGKILL. This process ends with
the program. It uses the standard library only, to start fast and stay small.
"""

import os
import signal
import subprocess
import sys
import threading
import time

_PATIENCE_SECONDS = 600.0


def main(stop_signal: str, *command: str) -> int:
    """Run the program, and return its exit status."""
    # Only its closed input ends this process. With SIG_IGN the program would ignore them as well.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)

    def end_with_input() -> None:
        while os.read(0, 1024):
            pass
        os.killpg(program.pid, int(stop_signal))
        time.sleep(_PATIENCE_SECONDS)
        os.killpg(program.pid, signal.SIGKILL)

    threading.Thread(target=end_with_input, daemon=True).start()
    return program.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
