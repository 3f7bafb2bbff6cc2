"""Runs the functions of the stack, each in worker processes of its own.

A worker sees what the function would see in the cloud: the runtime's packages, its folder, its
layers, and only the environment that the template and Lambda give it.
"""

import json
import math
import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import watchfiles

from sam_offline.console import say
from sam_offline.ministack import CREDENTIALS
from sam_offline.stack import Function

__all__ = ["Functions", "Result", "Runtime"]

_WORKER = Path(__file__).with_name("worker.py")
# Lambda gives the import of a handler ten seconds before a call's own time starts.
_INIT_SECONDS = 10.0
# With a debugger, which waits for a person, a call may take a day.
_DEBUGGED_SECONDS = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """How functions run; `Offline` explains the other settings.

    Attributes
    ----------
    python
        An interpreter with the packages of the Lambda runtime, and no others.
    packages
        A folder with the installed requirements of layers and functions, in folders of their names.
        What `sam build` made needs none.
    """

    python: Path
    packages: Path
    region: str
    variables: Mapping[str, str] = field(default_factory=dict)
    concurrency: int = 4
    metrics: bool = False
    debug_port: int | None = None

    def environment(self, function: Function) -> dict[str, str]:
        """Return the whole environment of the function's workers."""
        # A later layer covers an earlier one; `sam build` puts packages into `python`.
        folders = [function.code, *reversed(function.layers)]
        path = [
            place
            for folder in folders
            for place in (folder, folder / "python", self.packages / folder.name)
        ]
        debugging = {"SAM_OFFLINE_DEBUG_PORT": str(self.debug_port)} if self.debug_port else {}
        return {
            **function.environment,
            **self.variables,
            **CREDENTIALS,
            # In Lambda the credentials of a role have one, too. It tells a proxy who makes a call.
            "AWS_SESSION_TOKEN": function.arn,
            **debugging,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "LAMBDA_TASK_ROOT": str(function.code),
            "_HANDLER": function.handler,
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            # Lambda sets none. It keeps the settings in the developer's home from the function.
            "HOME": os.devnull,
        }


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a call.

    `payload` is what the function returned. With `failed` it is Lambda's description of the error,
    {"errorMessage", "errorType", …}.
    """

    payload: Any
    failed: bool = False
    request_id: str = ""


def _failure(kind: str, text: str) -> Result:
    return Result(payload={"errorType": kind, "errorMessage": text}, failed=True)


class _Worker:
    """One process that serves one call at a time. If it does not answer, it is ended."""

    def __init__(self, function: Function, runtime: Runtime, generation: int) -> None:
        self.generation = generation
        self._name = function.name
        self._metrics = runtime.metrics
        self._connection, theirs = multiprocessing.Pipe()
        kept = ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
        # -P: a function cannot import what lies beside worker.py.
        python = [str(runtime.python), "-P", "-u", *kept]
        self._process = subprocess.Popen(
            [*python, str(_WORKER), str(theirs.fileno()), function.arn],
            env=runtime.environment(function),
            cwd=function.code,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        theirs.close()
        threading.Thread(target=self._relay_logs, daemon=True).start()

    def initialise(self) -> Result:
        """Wait for the import of the handler; return a failed result if that failed."""
        return self._received(_INIT_SECONDS, "Init timed out", "Runtime exited during its start")

    def call(self, event: Any, request_id: str, seconds: float) -> Result:
        """Run the handler."""
        call = {"event": event, "request_id": request_id, "deadline": time.time() + seconds}
        with suppress(OSError):  # the worker has ended, which `_received` reports
            self._connection.send_bytes(json.dumps(call).encode())
        prefix = f"RequestId: {request_id} Error:"
        exited = f"{prefix} Runtime exited without providing a reason"
        return self._received(seconds, f"{prefix} Task timed out", exited)

    def _received(self, seconds: float, late: str, exited: str) -> Result:
        try:
            if self._connection.poll(seconds):
                answer = json.loads(self._connection.recv_bytes())
                failed = "error" in answer
                return Result(payload=answer["error" if failed else "payload"], failed=failed)
            failure = _failure("Sandbox.Timedout", f"{late} after {seconds:.2f} seconds")
        except (EOFError, OSError):
            failure = _failure("Runtime.ExitError", exited)
        self.end()
        say(f"{self._name} | {failure.payload['errorMessage']}")
        return failure

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        if self._process.returncode is None:  # otherwise its number may be reused by now
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._connection.close()

    def _relay_logs(self) -> None:
        if not self._process.stdout:
            return
        with self._process.stdout as lines:
            for line in lines:
                # CloudWatch would take metrics out of the log: one line of 450 letters each call.
                if self._metrics or not (line.startswith(b"{") and b'"CloudWatchMetrics"' in line):
                    say(f"{self._name} | {line.decode(errors='replace').rstrip()}")


class _Pool:
    """The workers of one function, started when they are needed."""

    def __init__(self, function: Function, runtime: Runtime) -> None:
        self._function = function
        self._runtime = runtime
        # Last in, first out: a worker that runs is used before another one is started.
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(runtime.concurrency):
            self._free.put(None)
        self._lock = threading.Lock()
        self._workers: set[_Worker] = set()
        self._generation = 0
        self._closed = False

    def invoke(self, event: Any, request_id: str, seconds: float) -> Result:
        worker = self._free.get()
        try:
            if worker is None or worker.generation != self._generation or not worker.alive:
                worker = self._renewed(worker)
                if worker is None:
                    return _failure("Runtime.ExitError", "The local cloud is stopping")
                started = worker.initialise()
                if started.failed:
                    return started
            return worker.call(event, request_id, seconds)
        finally:
            self._free.put(worker)

    def renew(self) -> None:
        """Let the next calls start new workers, which import the present source."""
        self._generation += 1

    def close(self) -> None:
        with self._lock:
            self._closed = True
        for worker in self._workers:
            worker.end()

    def _renewed(self, former: _Worker | None) -> _Worker | None:
        if former:
            former.end()
        with self._lock:
            if self._closed:
                return None
            worker = _Worker(self._function, self._runtime, self._generation)
            self._workers = {*self._workers, worker} - {former}
        return worker


class Functions:
    """Calls functions by their logical id; thread-safe.

    When the source of a function or of its layers changes, its workers are renewed. A change of
    `template` is only reported.
    """

    def __init__(
        self, functions: Mapping[str, Function], runtime: Runtime, *, template: Path
    ) -> None:
        self._functions = functions
        self._debugged = runtime.debug_port is not None
        self._pools = {name: _Pool(function, runtime) for name, function in functions.items()}
        self._template = template.resolve()
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def invoke(self, name: str, event: Any, *, limit: float = math.inf) -> Result:
        """Call a function and wait, at most for its timeout or `limit` seconds.

        A failure of the function is a failed result, never an exception.
        """
        seconds = min(float(self._functions[name].timeout), limit)
        request_id = str(uuid.uuid4())
        result = self._pools[name].invoke(
            event, request_id, _DEBUGGED_SECONDS if self._debugged else seconds
        )
        return replace(result, request_id=request_id)

    def stop(self) -> None:
        """End all workers; calls under way fail."""
        self._stopping.set()
        for pool in self._pools.values():
            pool.close()
        self._watcher.join(timeout=2)

    def _watch(self) -> None:
        sources = {name: (f.code, *f.layers) for name, f in self._functions.items()}
        folders = {folder for group in sources.values() for folder in group if folder.is_dir()}
        for changes in watchfiles.watch(
            *folders,
            self._template,
            stop_event=self._stopping,
            raise_interrupt=False,
            step=20,
            debounce=200,
        ):
            changed = [Path(path) for _, path in changes]
            if self._template in changed:
                say(
                    f"local: {self._template.name} was changed: stop (Ctrl-C) and start again "
                    "to use it"
                )
            stale = [name for name, group in sources.items() if _any_is_in(group, changed)]
            for name in stale:
                self._pools[name].renew()
            if stale:
                say(f"local: source changed, reloading {', '.join(stale)}")


def _any_is_in(folders: Iterable[Path], paths: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for path in paths for folder in folders)
