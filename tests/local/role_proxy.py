"""Between the functions and AWS: IAM, as far as the functions' roles go."""

import multiprocessing
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from multiprocessing.connection import Connection

from tests.fakes.calls import Call, denied, seen_by_iam
from tests.fakes.iam import Iam
from tests.fakes.template import DATABASE, read_stack
from tests.local.fault_proxy import Proxy

__all__ = ["RoleProcess", "RoleProxy"]


class RoleProxy(Proxy):
    """Denies a function what its role or the boundary in template.yaml does not allow.

    The session token of a call says which function makes it. `made` are the calls that were let
    through, and `denied` those that were not, by function.
    """

    def __init__(self) -> None:
        stack = read_stack(parameters=DATABASE)
        self.iam = Iam(stack)
        self.functions = set(stack.functions())
        self.made: dict[str, set[Call]] = defaultdict(set)
        self.denied: dict[str, set[Call]] = defaultdict(set)
        super().__init__()

    def _answer(self, request: BaseHTTPRequestHandler, operation: str, body: bytes) -> None:
        function = request.headers.get("x-amz-security-token", "").rpartition(":")[2]
        calls = set(seen_by_iam(request.command, request.path, request.headers, body))
        refused = denied(self.iam, function, calls) if function in self.functions else calls
        if refused:
            self.denied[function] |= refused
            kind = "AccessDeniedException"
            self._send_error(request, 403, {"__type": kind, "message": f"{function} may not"})
        else:
            self.made[function] |= calls
            super()._answer(request, operation, body)


class RoleProcess:
    """A RoleProxy in a process of its own, for as long as the tests go on.

    In this one the unit tests have no sockets, and the application goes on meanwhile.
    """

    def __init__(self) -> None:
        self._connection, theirs = multiprocessing.Pipe()
        spawning = multiprocessing.get_context("spawn")
        self._process = spawning.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self.url: str = self._connection.recv()

    def seen(self) -> tuple[Mapping[str, set[Call]], Mapping[str, set[Call]]]:
        """The calls that were let through until now, and those that were not, by function."""
        self._connection.send(None)
        made, denied = self._connection.recv()
        return made, denied

    def stop(self) -> None:
        self._connection.close()
        self._process.join()


def _serve(connection: Connection) -> None:
    proxy = RoleProxy()
    connection.send(proxy.url)
    with suppress(EOFError):  # whoever asks has gone
        while True:
            connection.recv()
            connection.send((dict(proxy.made), dict(proxy.denied)))
    proxy.stop()
