"""One execution environment of a Lambda function: `worker.py FD`, started by sam_offline.functions.

FD is a socket. When the handler is imported, this process says {"payload": null}. If it cannot be
imported, it says {"error": …} and ends. To each {"event", "request_id", "deadline"} it answers
{"payload": …} or {"error": …}. What the handler prints is its log. When the socket closes, this
process ends at once, even during a call. It has the packages of Lambda's runtime and of the
function's layers only, so that it imports nothing but the standard library.
"""

import importlib
import json
import os
import queue
import socket
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any


def _described(error: BaseException, **overrides: str) -> bytes:
    """Log an error with its stack trace, and return the answer, both as Lambda does."""
    description = {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_list(traceback.extract_tb(error.__traceback__)[1:]),
        **overrides,
    }
    title = f"[ERROR] {description['errorType']}: {description['errorMessage']}"
    sys.stdout.flush()
    for line in (title, *description["stackTrace"]):
        sys.stderr.write(line.rstrip("\n") + "\n")
    return json.dumps({"error": description}).encode()


def _context(request_id: str, deadline: float) -> SimpleNamespace:
    name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    return SimpleNamespace(
        aws_request_id=request_id,
        function_name=name,
        function_version=os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
        invoked_function_arn=sys.argv[2],
        memory_limit_in_mb=os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
        log_group_name=os.environ["AWS_LAMBDA_LOG_GROUP_NAME"],
        log_stream_name=os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
        identity=None,
        client_context=None,
        get_remaining_time_in_millis=lambda: max(0, int((deadline - time.time()) * 1000)),
    )


def _answer(handler: Any, call: dict[str, Any]) -> bytes:
    try:
        payload = handler(call["event"], _context(call["request_id"], call["deadline"]))
    except Exception as error:  # noqa: BLE001 - whatever it is, Lambda reports it
        return _described(error)
    try:
        return json.dumps({"payload": payload}, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        return _described(error, errorType="Runtime.MarshalError", errorMessage=message)


def _load(location: str) -> Any:
    module, _, function = location.rpartition(".")
    return getattr(importlib.import_module(module.replace("/", ".")), function)


def _wait_for_terminal(port: int) -> None:
    """Run pdb in the terminal that connects to this port, in place of `breakpoint()`."""
    import pdb  # noqa: PLC0415 - few calls need it

    print(f"breakpoint: connect a terminal to 127.0.0.1:{port}")
    with socket.create_server(("127.0.0.1", port)) as server:
        terminal = server.accept()[0].makefile("rw")
    pdb.Pdb(stdin=terminal, stdout=terminal).set_trace(sys._getframe(2))


def main() -> None:
    """Serve calls until the socket closes."""
    connection = Connection(int(sys.argv[1]))
    if port := os.environ.get("SAM_OFFLINE_DEBUG_PORT"):
        sys.breakpointhook = lambda *_: _wait_for_terminal(int(port))
    location = os.environ["_HANDLER"]
    try:
        handler = _load(location)
    except BaseException as error:  # noqa: BLE001 - a handler file may also call sys.exit
        message = f"Unable to import module '{location.rpartition('.')[0]}': {error}"
        known = {"errorType": "Runtime.ImportModuleError", "errorMessage": message}
        described = _described(error, **(known if isinstance(error, ImportError) else {}))
        connection.send_bytes(described)
        return

    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def receive() -> None:
        try:
            while True:
                calls.put(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)

    connection.send_bytes(b'{"payload": null}')
    threading.Thread(target=receive, daemon=True).start()
    while True:
        answer = _answer(handler, json.loads(calls.get()))
        sys.stdout.flush()
        connection.send_bytes(answer)


if __name__ == "__main__":
    main()
