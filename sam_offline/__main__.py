"""Runs a SAM template on this machine: see the README beside this file."""

import signal

if __name__ == "__main__":
    # Until `main` runs there is nothing to stop, so that Ctrl-C may end the process at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sam_offline.console import say
from sam_offline.errors import OfflineError
from sam_offline.ministack import Ministack
from sam_offline.running import isolate_from_aws, run_until_stopped
from sam_offline.state import StateFolder

if TYPE_CHECKING:
    from sam_offline.app import Offline


def main() -> int:
    """Read the arguments and run; return the exit status."""
    arguments = _arguments()
    return run_until_stopped(lambda parts: arguments.run(arguments, parts))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sam_offline", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    add("-t", "--template", type=Path, default="template.yaml", help="template.yaml")
    add("--parameter-overrides", nargs="+", action="extend", default=[], metavar="NAME=VALUE")
    add("--state", type=Path, default=".sam-offline", help="folder of data and logs")
    add("--keep", action="store_true", help="keep what was written before")
    add("--tools", type=Path, help="where the engine is installed (.build beside the template)")
    add("--region", default="us-east-1")
    add("--debug-port", type=int, metavar="N", help="breakpoint() waits for a terminal there")
    commands = parser.add_subparsers(required=True)
    start = commands.add_parser("start", parents=[common], help="run until Ctrl-C")
    start.set_defaults(run=_start)
    start.add_argument("--no-api", action="store_true", help="without the HTTP API")
    start.add_argument("--host", default="127.0.0.1", help="address of the API")
    ports = {"--port": ("PORT", "3000", "the API"), "--aws-port": ("AWS_PORT", "4566", "AWS")}
    for option, (variable, default, what) in ports.items():
        number = os.environ.get(variable) or default
        text = f"port of {what}: {variable} in the environment, {default} without it; 0 for any"
        start.add_argument(option, type=int, default=number, help=text)
    invoke = commands.add_parser(
        "invoke", parents=[common], help="call a function, print the answer"
    )
    invoke.set_defaults(run=_invoke, no_api=True, host="127.0.0.1", port=0, aws_port=0)
    invoke.add_argument("function", help="its logical id")
    invoke.add_argument("-e", "--event", type=Path, help="a file of JSON; none for {}")
    return parser.parse_args()


def _start(arguments: argparse.Namespace, parts: ExitStack) -> Callable[[], None]:
    app = _created(arguments, parts)
    app.open()
    app.publish()
    say(f"local: ready{f' at {app.url}' if app.url else ''}; press Ctrl-C to stop")
    say(f"  AWS  {app.aws_url} (access key: test, secret key: test)")
    for name, value in app.outputs.items():
        say(f"  {name}  {value}")
    return app.check


def _invoke(arguments: argparse.Namespace, parts: ExitStack) -> None:
    try:
        event = json.loads(arguments.event.read_text()) if arguments.event else {}
    except (OSError, ValueError) as error:
        raise OfflineError(f"{arguments.event} is no event: {error}") from error
    with os.fdopen(os.dup(1), "w") as answer:
        os.dup2(2, 1)  # `say` writes to standard error now: standard output is for the answer
        result = _created(arguments, parts).invoke(arguments.function, event)
        print(json.dumps(result), file=answer)


def _created(arguments: argparse.Namespace, parts: ExitStack) -> "Offline":
    isolate_from_aws(arguments.region)
    arguments.tools = arguments.tools or arguments.template.resolve().parent / ".build"
    state = StateFolder(arguments.state.resolve())
    state.acquire()
    parts.callback(state.release)
    if not arguments.keep:
        state.start_afresh()
    engine = Ministack(arguments.tools, state=state, region=arguments.region)
    parts.callback(engine.stop)
    from sam_offline.app import Offline  # noqa: PLC0415 - takes as long as the engine

    same = ("host", "port", "aws_port", "tools", "region", "debug_port")
    app = Offline(
        arguments.template,
        parameters=dict(word.partition("=")[::2] for word in arguments.parameter_overrides),
        state=state,
        engine=engine,
        api=not arguments.no_api,
        **{name: getattr(arguments, name) for name in same},
    )
    parts.callback(app.close)
    app.create()
    return app


if __name__ == "__main__":
    sys.exit(main())
