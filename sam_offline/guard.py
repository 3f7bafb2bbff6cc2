"""Runs a program that must not outlive us: `guard.py SIGNAL COMMAND…`.

The local cloud holds the other end of this process's standard input. When that closes, for
whatever reason (kill -9 included), the program and what it runs get SIGNAL, and much later
SIGKILL; this process ends with it. Only the standard library: it starts fast and stays small.
"""

import os
import signal
import subprocess
import sys
import threading
import time

_PATIENCE_SECONDS = 600.0


def main(stop_signal: str, *command: str) -> int:
    """Run the program; its exit status."""
    # Whoever wants this process to end closes its input. No SIG_IGN: the program would inherit it.
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
