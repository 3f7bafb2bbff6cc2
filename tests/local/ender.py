"""Ends what outlives the tests, however they end: its standard input is the tests' life line.

A process id a line comes in; when the input ends, which kill -9 cannot prevent, those that live
are asked to end. psutil knows a process from a later one of the same id.
"""

import sys
from contextlib import suppress

import psutil

if __name__ == "__main__":
    outliving = []
    for line in sys.stdin:
        with suppress(psutil.NoSuchProcess):
            outliving.append(psutil.Process(int(line)))
    for process in outliving:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
