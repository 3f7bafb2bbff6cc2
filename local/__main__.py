"""Runs the application on this machine: HTTP API, functions, sign-in, table, stream, Postgres.

Variables of the environment set its ports, addresses and folder: docs/local.md lists them. Ctrl-C
stops it. Addresses and names of the running stack are in .local/stack.json.
"""

import signal

if __name__ == "__main__":
    # Until `main` runs there is nothing to stop, so that Ctrl-C may end the process at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack

from local.cloud import run
from local.settings import BYTECODE, Settings
from sam_offline.running import isolate_from_aws, run_until_stopped


def main() -> int:
    """Run until someone stops it; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--no-api", action="store_true", help="without the API, for `sam local`")
    arguments = parser.parse_args()
    # The functions' workers keep their bytecode there, too, whatever the shell has set.
    sys.pycache_prefix, sys.dont_write_bytecode = str(BYTECODE), False

    def start(parts: ExitStack) -> Callable[[], None]:
        settings = Settings(os.environ)
        isolate_from_aws(settings.region)
        return run(settings, parts, with_api=not arguments.no_api)

    return run_until_stopped(start)


if __name__ == "__main__":
    sys.exit(main())
