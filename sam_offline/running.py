"""A program that runs until someone stops it, and then stops everything in order."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import FrameType

from sam_offline.console import say
from sam_offline.errors import OfflineError, StopRequested
from sam_offline.ministack import CREDENTIALS

__all__ = ["isolate_from_aws", "run_until_stopped"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN_SECONDS = 1.0
_stopping = threading.Event()


def run_until_stopped(start: Callable[[ExitStack], Callable[[], None] | None]) -> int:
    """Run what `start` starts; return the exit status.

    `start` enters what has to be stopped into the stack. It returns a check, which raises
    OfflineError when the program cannot go on, or None when everything is done.

    The status is 0 after a stop or when everything is done, and 1 with a sentence when the program
    could not run. A stop before the program is ready gives the status that shells use for the
    signal, such as 130 for Ctrl-C.
    """
    sys.unraisablehook = _unraisable
    for number in _SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _stop)
    parts = ExitStack()
    status = 0
    try:
        terminals = [number for number in (0, 1, 2) if os.isatty(number)]
        check = start(parts)
        # From here on a stop is the ordinary end.
        with suppress(StopRequested):
            # A closing terminal sends SIGHUP to its first process only, which may be make.
            while check and not _stopping.wait(0.5) and all(map(os.isatty, terminals)):
                check()
    except StopRequested as stop:
        status = 128 + stop.args[0]  # as a shell reports a program that a signal ended
    except OfflineError as error:
        say(f"local: {' '.join(str(error).split())}", error=True)
        status = 1
    finally:
        _ignore_signals()
        if status != 1:
            say("local: stopping")
        parts.close()
    return status


def isolate_from_aws(region: str) -> None:
    """Make this process unable to reach a real account or to go through a proxy.

    It removes the caller's profile, keys and endpoints from the environment, so that every boto3
    client that is made later signs with the local keys.
    """
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(
        CREDENTIALS,
        AWS_DEFAULT_REGION=region,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
    )


def _ignore_signals() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _stop(number: int, _frame: FrameType | None) -> None:
    _ignore_signals()  # a second one must not interrupt the orderly stop
    _stopping.set()

    # The exception ends a start at once. But Python drops an exception in a finaliser, and the
    # start could then wait for ever. So it is raised again every second.
    def stop_again(_number: int, _frame: FrameType | None) -> None:
        raise StopRequested(number)

    signal.signal(signal.SIGALRM, stop_again)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS, _AGAIN_SECONDS)
    raise StopRequested(number)


def _unraisable(happened: "sys.UnraisableHookArgs") -> None:
    if not isinstance(happened.exc_value, StopRequested):
        sys.__unraisablehook__(happened)
