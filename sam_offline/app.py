"""The application of a template, from its start to its end.

`with Offline("template.yaml") as app:` starts all of it. A program that has to do something in
between, such as filling a database, calls `begin`, `create` and `open` one after the other.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sam_offline.console import say
from sam_offline.containers import HOST, listen_at
from sam_offline.errors import OfflineError
from sam_offline.ministack import CREDENTIALS, Ministack
from sam_offline.processes import bind
from sam_offline.state import StateFolder

if TYPE_CHECKING:
    from sam_offline.cloud import Cloud
    from sam_offline.server import Handler
    from sam_offline.stack import Stack

__all__ = ["Offline"]


class Offline:
    """A template's application: `url` of its API, `aws_url` for boto3, `outputs`.

    Parameters
    ----------
    parameters
        Values of the template's parameters, before their defaults.
    state
        A folder that was acquired; without one, everything is in a folder that ends with this.
    api, host, port
        Whether and where the HTTP API is served; a port of 0 takes any free one. Without it,
        containers may come in, with any credentials.
    aws_host, aws_port, bridge
        Where boto3 finds DynamoDB, its streams, Cognito and SQS; `bridge` is another address
        for that, the one by which containers come in.
    tools
        A folder with `ministack`, the engine's Python environment, and where they are needed
        `runtime`, the functions' environment, and `layers`, the packages of each layer.
    variables
        Environment variables of every function, before the template's.
    concurrency, metrics, debug_port
        How many calls of one function run at a time; whether lines of metrics are shown; where
        `breakpoint()` in a function waits for a terminal.
    """

    def __init__(
        self,
        template: str | Path = "template.yaml",
        *,
        parameters: Mapping[str, str] | None = None,
        state: StateFolder | None = None,
        api: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
        aws_host: str = "127.0.0.1",
        aws_port: int = 0,
        bridge: str | None = None,
        region: str = "us-east-1",
        tools: Path | None = None,
        variables: Mapping[str, str] | None = None,
        concurrency: int = 4,
        metrics: bool = False,
        debug_port: int | None = None,
    ) -> None:
        self._template = Path(template).resolve()
        self._parameters = parameters
        self._bridge = bridge
        self._tools = tools or self._template.parent / ".build"
        self._variables = variables or {}
        self._settings: dict[str, Any] = {
            "concurrency": concurrency,
            "metrics": metrics,
            "debug_port": debug_port,
        }
        self._cloud: Cloud | None = None
        self.region = region
        self._parts = ExitStack()
        self.state = state or self._folder_of_its_own()
        self._api_listener = self._take(host, port, "PORT") if api else None
        self._aws_listener = self._take(aws_host, aws_port, "AWS_PORT")
        self.url = _url(self._api_listener) if self._api_listener else ""
        self.aws_url = _url(self._aws_listener)

    def __enter__(self) -> Self:
        try:
            self.begin()
            self.create()
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def begin(self) -> None:
        """Start the engine, and load what is needed while it starts."""
        python = self._tools / "ministack" / "bin" / "python"
        self.engine = Ministack(python=python, state=self.state, region=self.region)
        self._parts.callback(self.engine.stop)
        import sam_offline.cloud  # noqa: F401, PLC0415

    def create(self) -> None:
        """Make what the template describes; afterwards boto3 and `invoke` work."""
        from sam_offline.cloud import Cloud  # noqa: PLC0415
        from sam_offline.functions import Runtime  # noqa: PLC0415
        from sam_offline.template import translate  # noqa: PLC0415

        template = translate(
            self._template, parameters=self._parameters, region=self.region, api_url=self.url
        )
        python = self._tools / "runtime" / "bin" / "python"
        runtime = Runtime(
            python=python if python.exists() else Path(sys.executable),
            packages=self._tools / "layers",
            region=self.region,
            # Past our own address: one hop less.
            variables={"AWS_ENDPOINT_URL": self.engine.url, **self._variables},
            **self._settings,
        )
        self.engine.wait()
        say("local: the engine is up")
        self._cloud = Cloud(template, runtime, engine_url=self.engine.url, parts=self._parts)
        self._cloud.serve_aws(
            self._aws_listener,
            *listen_at(self._bridge, self._aws_listener),
            page_port=self._api_listener.getsockname()[1] if self._api_listener else None,
            for_containers=self._api_listener is None,
        )
        say("local: what the template describes is ready")

    def open(self, *, otherwise: "Handler | None" = None) -> None:
        """Deliver the streams, and serve the API; `otherwise` answers what it has no route for."""
        self._created.read_streams()
        if self._api_listener:
            self._created.serve_api(self._api_listener, otherwise)

    def close(self) -> None:
        """Stop everything in order, the API first."""
        self._parts.close()

    @property
    def stack(self) -> "Stack":
        """What the template came to."""
        return self._created.stack

    @property
    def outputs(self) -> dict[str, str]:
        """The template's outputs."""
        return self.stack.outputs()

    def client(self, service: Any) -> Any:
        """Return a boto3 client, whose calls of Cognito fire the pool's triggers."""
        from sam_offline.cloud import client  # noqa: PLC0415

        return client(service, self.aws_url, self.region)

    def invoke(self, function: str, event: Any = None) -> Any:
        """Call a function by its logical id; what it returned, OfflineError if it failed."""
        if function not in self.stack.functions():
            raise OfflineError(f"The template has no function {function}.")
        result = self._created.functions.invoke(function, event)
        if result.failed:
            kind, text = (result.payload.get(key) for key in ("errorType", "errorMessage"))
            raise OfflineError(f"{function} failed: {kind}: {text}")
        return result.payload

    def drain(self, seconds: float = 60.0) -> None:
        """Return when every record that is in a stream was delivered; OfflineError if not so."""
        if not self._created.drain(seconds):
            raise OfflineError(f"The streams were not delivered within {seconds:g} seconds.")

    def check(self) -> None:
        """Raise OfflineError when this cannot go on."""
        if not self.state.is_there:
            raise OfflineError(f"{self.state.path} was removed while it was in use: start again.")
        self.engine.check()

    def publish(self, **more: Any) -> None:
        """Write stack.json: where everything is, for other programs."""
        self.state.publish(
            "stack.json",
            {
                **self.outputs,
                "EndpointUrl": self.aws_url,
                "Region": self.region,
                "AccessKeyId": CREDENTIALS["AWS_ACCESS_KEY_ID"],
                "SecretAccessKey": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
                "Pid": os.getpid(),
                **more,
                "ready": True,
            },
        )

    def publish_environments(self, **variables: str) -> None:
        """Write sam-env.json for `sam local --env-vars`: whole environments, `variables` in them.

        `sam` resolves less of the template than this program does. For nobody else's eyes: there
        may be a password in it.
        """
        port = self._aws_listener.getsockname()[1]
        here = {"AWS_ENDPOINT_URL": f"http://{HOST}:{port}", **variables}
        environments = {
            name: {key: here.get(key, value) for key, value in function.environment.items()}
            for name, function in self.stack.functions().items()
        }
        self.state.publish("sam-env.json", environments, mode=0o600)

    @property
    def _created(self) -> "Cloud":
        if self._cloud is None:
            raise OfflineError("The application has not been created yet.")
        return self._cloud

    def _take(self, host: str, port: int, variable: str) -> socket.socket:
        return self._parts.enter_context(bind(host, port, variable))

    def _folder_of_its_own(self) -> StateFolder:
        folder = tempfile.TemporaryDirectory(prefix="sam-offline-")
        state = StateFolder(Path(self._parts.enter_context(folder)))
        state.acquire()
        self._parts.callback(state.release)
        return state


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
