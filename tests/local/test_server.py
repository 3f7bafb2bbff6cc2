"""The local HTTP server, and clients that do not behave."""

import logging
import socket
import threading
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from sam_offline.access import AccessPolicy
from sam_offline.server import HttpServer

HANDSHAKE = {
    "Host": "localhost",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


class Server(HttpServer):
    """Answers with the length of the body, and refuses WebSockets.

    With the body "wait" it sets `waits`, and waits until `goes_on` is set.
    """

    def __init__(self) -> None:
        self.waits, self.goes_on = threading.Event(), threading.Event()
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = listener.getsockname()
        access = AccessPolicy(page_port=self.address[1])
        super().__init__(self._length, listener, access=access, limit=None, sockets=self._refuse)

    def told(self, request: str) -> str:
        """All that a client is told until the server has closed the connection."""
        with socket.create_connection(self.address) as client:
            client.sendall(request.encode())
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()

    def _length(self, _request: Request, body: bytes) -> Response:
        if body == b"wait":
            self.waits.set()
            self.goes_on.wait()
        return Response(str(len(body)))

    @staticmethod
    async def _refuse(socket: WebSocket) -> None:
        await socket.send_denial_response(Response(status_code=401))


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.stop()


def request(line: str, headers: dict[str, str], body: str = "") -> str:
    lines = [f"{line} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", body])


def test_who_leaves_in_the_middle_of_a_body_leaves_no_trace(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Host": "localhost", "Content-Length": "100", "Connection": "close"}
    with socket.create_connection(server.address) as client:
        client.sendall(request("POST /", headers, "half").encode())
    assert server.told(request("POST /", headers, "x" * 100)).endswith("100")
    server.stop()  # it waits for what is under way
    assert [record for record in caplog.records if record.levelno > logging.WARNING] == []


def test_a_stop_that_cuts_off_a_request_leaves_no_traceback(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Host": "localhost", "Content-Length": "4"}
    with socket.create_connection(server.address) as client:
        client.sendall(request("POST /", headers, "wait").encode())
        server.waits.wait()
        server.stop()
    server.goes_on.set()
    assert [record for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize(
    ("target", "further"),
    [
        (f"/live?ticket={'a' * 9000}", {}),
        ("/live", {"Cookie": "a" * 9000}),
        ("/live", {f"X-{number}": "a" for number in range(200)}),
        ("/live", {"Content-Length": "5"}),
    ],
)
def test_a_handshake_that_cannot_be_read_is_refused(
    server: Server, target: str, further: dict[str, str]
) -> None:
    told = server.told(request(f"GET {target}", HANDSHAKE | further))
    assert told.startswith("HTTP/1.1 400 ")
    assert server.told(request("GET /live", HANDSHAKE)).startswith("HTTP/1.1 401 ")
