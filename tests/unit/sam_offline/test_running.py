"""A program that runs until someone stops it."""

import subprocess
import sys

from local.settings import ROOT

# A finaliser lets no exception out, and the start that comes after it has no end.
STOPPED_IN_A_FINALISER = """
import signal, sys, threading
from sam_offline.running import run_until_stopped

class Finalised:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)

def start(parts):
    parts.callback(print, "stopped")
    Finalised()
    print("starting", flush=True)
    threading.Event().wait()

sys.exit(run_until_stopped(start))
"""


def test_a_stop_that_python_drops_comes_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_IN_A_FINALISER],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 128 + 15
    assert done.stdout.split() == ["starting", "local:", "stopping", "stopped"]
    assert done.stderr == ""
