"""Runs the application on this machine: HTTP API, functions, sign-in, table, stream, Postgres.

Set by environment variables:

  HOST               address of the API (127.0.0.1)
  AWS_HOST           address of the AWS endpoint, which takes the keys test, test (127.0.0.1)
  BRIDGE_HOST        with --no-api: where containers come in, if not at the address of Docker's
                     bridge docker0; 127.0.0.1 for nowhere else
  PORT               port of the API (3000); 0 takes any free one, here and below
  AWS_PORT           port of the AWS endpoint: DynamoDB, its streams, Cognito, SQS (4566)
  POSTGRES_PORT      port of PostgreSQL, on 127.0.0.1 and where containers come in (5433)
  LOCAL_STATE        folder for everything that is written (.local)
  KEEP=1             keep what was written; without it every start begins afresh
  LOCAL_CONCURRENCY  how many calls of one function run at a time (4)
  LOCAL_METRICS=1    show the functions' metrics, too
  DEBUG_PORT         where breakpoint() in a function waits for a terminal
  AWS_REGION         the region in ARNs and names (us-east-1)
  DATABASE_URL       a PostgreSQL server of yours, which is never emptied
  AWS_ENDPOINT_URL_DYNAMODB  another address of DynamoDB for the functions, such as a proxy's

Ctrl-C stops it. Addresses and names of the running stack are in LOCAL_STATE/stack.json.
"""

import signal

if __name__ == "__main__":
    # Until `main` there is nothing to stop in order: Ctrl-C just ends it, without a traceback.
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
    """Run until someone stops it; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--no-api", action="store_true", help="without the HTTP API, for `sam local`"
    )
    arguments = parser.parse_args()
    # The functions' workers keep their bytecode there, too, whatever the shell says about it.
    sys.pycache_prefix, sys.dont_write_bytecode = str(BYTECODE), False

    def start(parts: ExitStack) -> Callable[[], None]:
        settings = Settings(os.environ)
        isolate_from_aws(settings.region)
        return run(settings, parts, with_api=not arguments.no_api)

    return run_until_stopped(start)


if __name__ == "__main__":
    sys.exit(main())
