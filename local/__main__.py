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
  AWS_REGION         the region in ARNs and names (us-east-1)

Other engines, which are never emptied:

  DATABASE_URL                       a PostgreSQL server of yours
  AWS_ENDPOINT_URL_DYNAMODB          DynamoDB and its streams, such as DynamoDB Local:
                                     http://127.0.0.1:8000
  AWS_ENDPOINT_URL_DYNAMODB_STREAMS  the streams, if elsewhere
  AWS_ENDPOINT_URL                   all of AWS; it must serve the user pools' keys, too

Ctrl-C stops it. Addresses and names of the running stack are in LOCAL_STATE/stack.json.
"""

import signal

if __name__ == "__main__":
    # Until `main` there is nothing to stop in order: Ctrl-C just ends it, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FrameType

from local.console import say
from local.containers import Containers, bridge_address
from local.errors import LocalError, StopRequested
from local.ministack import Ministack
from local.postgres import Postgres
from local.processes import Engine, bind, free_port
from local.settings import BYTECODE, Settings, isolate_from_aws
from local.state import StateFolder

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


_stopping = threading.Event()


def _stop(number: int, _frame: FrameType | None) -> None:
    for one in _SIGNALS:  # once is enough: from here on it stops in order
        signal.signal(one, signal.SIG_IGN)
    # The exception ends a start at once, unless it comes up in a place that Python lets no
    # exception out of, such as a finaliser; the event is seen in any case.
    _stopping.set()
    raise StopRequested(number)


def _unraisable(happened: "sys.UnraisableHookArgs") -> None:
    if not isinstance(happened.exc_value, StopRequested):
        sys.__unraisablehook__(happened)


def _run(settings: Settings, parts: ExitStack, *, with_api: bool) -> None:
    """Start everything, then watch the engines until someone stops this process."""
    terminals = [number for number in (0, 1, 2) if os.isatty(number)]
    began = time.monotonic()
    state = StateFolder(settings.state)
    state.acquire()
    parts.callback(state.release)
    api_listener = bind(settings.host, settings.port, "PORT") if with_api else None
    aws_listener = bind(settings.aws_host, settings.aws_port, "AWS_PORT")
    postgres_port = free_port(settings.postgres_port, "POSTGRES_PORT")
    if settings.keep:
        say("local: starting with what was written before (KEEP=1)")
    else:
        say("local: starting with empty stores (KEEP=1 keeps what was written)")
        state.start_afresh()

    running: list[Engine] = []
    aws_url, database_url = settings.aws_url, settings.database_url
    database_url_for_containers = database_url
    containers = None if with_api else Containers(address=_container_address(settings))
    waits: list[Callable[[], None]] = []
    if aws_url is None:
        ministack = Ministack(state=state, region=settings.region)
        parts.callback(ministack.stop)
        running.append(ministack)
        waits.append(ministack.wait)
        aws_url = ministack.url
    if database_url is None:
        postgres = Postgres(state=state, port=postgres_port, containers=containers)
        parts.callback(postgres.stop)
        running.append(postgres)
        waits.append(postgres.wait)
        database_url = postgres.url
        database_url_for_containers = postgres.url_for_containers

    # What follows is most of the start's time, a third of it with bytecode at hand. The workers
    # keep theirs in the same ignored folder, whatever the environment says about writing it.
    sys.pycache_prefix, sys.dont_write_bytecode = str(BYTECODE), False
    from local.cloud import Cloud, Engines  # noqa: PLC0415 - takes as long as the engines do

    for wait in waits:
        wait()
    say("local: the engines are up")
    engines = Engines(
        aws_url=aws_url,
        dynamodb_url=settings.dynamodb_url or aws_url,
        streams_url=settings.streams_url or aws_url,
        database_url=database_url,
        database_url_for_containers=database_url_for_containers or database_url,
    )
    cloud = Cloud(settings, engines, state, parts)
    cloud.start(aws_listener=aws_listener, api_listener=api_listener, containers=containers)
    say(f"  started in {time.monotonic() - began:.1f} s")
    # From here on a stop is how it ends, not what kept it from starting.
    with suppress(StopRequested):
        _watch(state, running, terminals)


def _watch(state: StateFolder, running: list[Engine], terminals: list[int]) -> None:
    while not _stopping.wait(0.5):
        if not state.is_there:
            raise LocalError(f"{state.path} was removed while it was in use: start again.")
        # A closing terminal sends SIGHUP to the first process in it only, which may be make.
        if not all(map(os.isatty, terminals)):
            return
        for engine in running:
            if not engine.running:
                raise LocalError(f"{engine.name} ended unexpectedly (see {engine.log}).")


def _container_address(settings: Settings) -> str | None:
    address = settings.bridge_host or bridge_address()
    return None if address == "127.0.0.1" else address


def main() -> int:
    """Exit status 0 when it ran until someone stopped it, 1 with a sentence when it could not run.

    Who stops it before it is ready gets the status that a shell knows for that, 130 for Ctrl-C.
    """
    parser = argparse.ArgumentParser(
        prog="python -m local",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--no-api", action="store_true", help="without the HTTP API, for `sam local`"
    )
    arguments = parser.parse_args()
    sys.unraisablehook = _unraisable
    for number in _SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _stop)
    parts = ExitStack()
    status = 0
    try:
        settings = Settings.from_environment(os.environ)
        isolate_from_aws(settings.region)
        _run(settings, parts, with_api=not arguments.no_api)
    except StopRequested as stop:
        status = stop.status
    except LocalError as error:
        say(f"local: {' '.join(str(error).split())}", error=True)
        status = 1
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if status != 1:
            say("local: stopping")
        parts.close()
    return status


if __name__ == "__main__":
    sys.exit(main())
