"""Between the functions and the engine: IAM, as far as the functions' roles go."""

import json
from collections import defaultdict
from http.server import BaseHTTPRequestHandler

from tests.fakes.calls import Call, denied, seen_by_iam
from tests.fakes.iam import Iam
from tests.fakes.template import DATABASE, read_stack
from tests.local.fault_proxy import ERROR, Proxy

__all__ = ["RoleProxy"]


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
        calls = set(seen_by_iam(operation, json.loads(body)))
        refused = denied(self.iam, function, calls) if function in self.functions else calls
        if refused:
            self.denied[function] |= refused
            kind = f"{ERROR}AccessDeniedException"
            self._send_error(request, 400, {"__type": kind, "message": f"{function} may not"})
        else:
            self.made[function] |= calls
            super()._answer(request, operation, body)
