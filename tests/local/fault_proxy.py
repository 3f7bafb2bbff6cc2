"""Between clients and AWS, so that they meet on the wire what can happen there.

`FaultProxy` is a DynamoDB that throttles, conflicts, is slow and loses answers; `HoldingProxy`
lets one call wait until it is told.
"""

import http.client
import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tests.waiting import eventually

# Longer than the functions wait for an answer.
SLOW_SECONDS = 2.5

# Every so many-th call goes wrong. Few are E's, which moves a group once a batch and looks for its
# rows once in an environment.
PERIODS = {
    "PutItem": 2,
    "UpdateItem": 4,
    "GetItem": 4,
    "BatchGetItem": 5,
    "TransactWriteItems": 6,
    "Query": 3,
}

ERROR = "com.amazonaws.dynamodb.v20120810#"


class Proxy:
    """An HTTP proxy, for who names it as such; for others it passes calls on to `engine_url`."""

    def __init__(self, engine_url: str = "") -> None:
        self._engine = urlsplit(engine_url).netloc
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                target = self.headers.get("x-amz-target", "")
                proxy._answer(self, target.rpartition(".")[2], body)

            def do_DELETE(self) -> None:
                self.do_POST()

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A caller that has gone is part of the game."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler, operation: str, body: bytes) -> None:
        self._send(request, *self._forward(request, body))

    def _forward(
        self, request: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        asked = urlsplit(request.path)
        connection = http.client.HTTPConnection(asked.netloc or self._engine)
        try:
            path = urlunsplit(asked._replace(scheme="", netloc=""))
            connection.request(request.command, path, body, dict(request.headers))
            answer = connection.getresponse()
            kept = {"content-type", "x-amzn-requestid", "x-amz-crc32", "x-amzn-errortype"}
            headers = {n: v for n, v in answer.getheaders() if n.lower() in kept}
            return answer.status, headers, answer.read()
        finally:
            connection.close()

    def _send(
        self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes
    ) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _send_error(
        self, request: BaseHTTPRequestHandler, status: int, error: dict[str, Any]
    ) -> None:
        body = json.dumps({"message": "injected"} | error).encode()
        self._send(request, status, {"content-type": "application/x-amz-json-1.0"}, body)


class HoldingProxy(Proxy):
    """Answers the call `number` of an operation when it is released."""

    def __init__(self, engine_url: str, operation: str, *, number: int) -> None:
        self._operation = operation
        self._left = threading.Semaphore(number - 1)
        self._held = threading.Event()
        self._released = threading.Event()
        super().__init__(engine_url)

    def wait_until_held(self, caller: subprocess.Popen[str]) -> None:
        """Wait until the call of this process is held; fail if the process ends before."""

        def held() -> bool | None:
            assert self._held.is_set() or caller.poll() is None, caller.communicate()
            return self._held.is_set() or None

        eventually(held)

    def release(self) -> None:
        self._released.set()

    def _answer(self, request: BaseHTTPRequestHandler, operation: str, body: bytes) -> None:
        if operation == self._operation and not self._left.acquire(blocking=False):
            self._held.set()
            self._released.wait()
        super()._answer(request, operation, body)


class FaultProxy(Proxy):
    """While it is `faulty` every so many-th call goes wrong."""

    def __init__(self) -> None:
        self.faulty = False
        self.happened: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._counting = threading.Lock()
        super().__init__()

    def _answer(self, request: BaseHTTPRequestHandler, operation: str, body: bytes) -> None:
        fault = self._fault(operation)
        if fault:
            self.happened[f"{operation} {fault.__name__.strip('_')}"] += 1
            fault(request, body)
        else:
            super()._answer(request, operation, body)

    def _fault(self, operation: str) -> Callable[[BaseHTTPRequestHandler, bytes], None] | None:
        """Return what goes wrong with this call: each kind of fault in its turn."""
        if not self.faulty or operation not in PERIODS:
            return None
        with self._counting:
            self._calls[operation] += 1
            turn, rest = divmod(self._calls[operation], PERIODS[operation])
        if rest:
            return None
        faults = [self._throttled, self._refused, self._answer_lost, self._slow, self._broken]
        if operation in {"PutItem", "UpdateItem", "TransactWriteItems"}:
            faults.append(self._conflict)
        return faults[turn % len(faults)]

    def _throttled(self, request: BaseHTTPRequestHandler, _: bytes) -> None:
        self._send_error(request, 400, {"__type": f"{ERROR}ProvisionedThroughputExceededException"})

    def _broken(self, request: BaseHTTPRequestHandler, _: bytes) -> None:
        self._send_error(request, 500, {"__type": f"{ERROR}InternalServerError"})

    def _conflict(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        items = json.loads(body).get("TransactItems")
        if items is None:
            self._send_error(request, 400, {"__type": f"{ERROR}TransactionConflictException"})
            return
        reasons = [{"Code": "TransactionConflict"}, *({"Code": "None"} for _ in items[1:])]
        error = {"__type": f"{ERROR}TransactionCanceledException", "CancellationReasons": reasons}
        self._send_error(request, 400, error)

    def _refused(self, request: BaseHTTPRequestHandler, _: bytes) -> None:
        request.close_connection = True

    def _answer_lost(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        self._forward(request, body)
        request.close_connection = True

    def _slow(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        answer = self._forward(request, body)
        time.sleep(SLOW_SECONDS)
        self._send(request, *answer)
