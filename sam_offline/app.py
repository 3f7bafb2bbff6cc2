"""Runs the application of a template, from its start to its end.

`with Offline("template.yaml") as app:` starts all of it. A program that has to do something in
between, such as filling a database, calls `create` and then `open`.
"""

import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from sam_offline.access import AccessPolicy
from sam_offline.authorizer import JwtAuthorizer, fetch_keys
from sam_offline.aws_endpoint import AwsEndpoint, Triggers
from sam_offline.console import say
from sam_offline.containers import HOST, listen_at
from sam_offline.errors import OfflineError
from sam_offline.everywhere import named_as_asked
from sam_offline.functions import Functions, Runtime
from sam_offline.http_api import HttpApi
from sam_offline.ministack import CREDENTIALS, Ministack, client
from sam_offline.processes import bind
from sam_offline.server import Handler, HttpServer
from sam_offline.stack import Stack, bring_up
from sam_offline.state import StateFolder
from sam_offline.streams import StreamReader
from sam_offline.tables import make_table
from sam_offline.template import translate
from sam_offline.web_socket_api import WebSocketApi

__all__ = ["Offline"]

_DRAIN_SECONDS = 3.0
_ENGINE_SECONDS = 75.0
# The gateway's own limit for an integration.
_API_SECONDS = 30.0
# The beginning of a queue's address, which has the port of the engine that made the queue.
_ENGINE_URL = re.compile(r"http://localhost:\d+/(?=\d{12}/)")


class Offline:
    """A template's application: `url` of its API, `aws_url` for boto3, `outputs`.

    Parameters
    ----------
    parameters
        Values of the template's parameters, before their defaults.
    state
        A folder that was acquired. Without one, a temporary folder is used.
    engine
        An engine that the caller has started and will stop. It can start while this module is
        imported, which takes as long.
    api, host, port
        Whether and where the HTTP API is served; a port of 0 takes any free one. Without the API,
        containers may use the address of AWS, with any credentials.
    aws_host, aws_port, bridge
        Where boto3 finds DynamoDB, its streams, Cognito and SQS. `bridge` is a second address for
        it, which containers can reach.
    tools
        A folder with `ministack`, the engine's Python environment. It may have `runtime`, the
        functions' environment, and `layers`, the packages of each layer.
    variables
        Environment variables of every function; they replace the template's.
    concurrency
        How many calls of one function run at a time.
    metrics
        Whether lines of metrics in the functions' logs are shown.
    debug_port
        Where `breakpoint()` in a function waits for a terminal.
    """

    def __init__(
        self,
        template: str | Path = "template.yaml",
        *,
        parameters: Mapping[str, str] | None = None,
        state: StateFolder | None = None,
        engine: Ministack | None = None,
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
        self.region = region
        tools = tools or self._template.parent / ".build"
        self._parts = ExitStack()
        self.state = state or self._folder_of_its_own()
        taken = self._parts.enter_context
        self._api_listener = taken(bind(host, port, "PORT")) if api else None
        self._aws_listener = taken(bind(aws_host, aws_port, "AWS_PORT"))
        self.url = _url(self._api_listener) if self._api_listener else ""
        self.aws_url = _url(self._aws_listener)
        self.engine = engine or Ministack(tools, state=self.state, region=region)
        if engine is None:
            self._parts.callback(self.engine.stop)
        python = tools / "runtime" / "bin" / "python"
        self._runtime = Runtime(
            python=python if python.exists() else Path(sys.executable),
            packages=tools / "layers",
            region=region,
            # Directly: functions need nothing of what `AwsEndpoint` adds.
            variables={"AWS_ENDPOINT_URL": self.engine.url, **(variables or {})},
            concurrency=concurrency,
            metrics=metrics,
            debug_port=debug_port,
        )
        self._readers: list[StreamReader] = []
        # Set by `create`.
        self.stack: Stack
        self._functions: Functions

    def __enter__(self) -> Self:
        try:
            self.create()
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create(self) -> None:
        """Make what the template describes; afterwards boto3 and `invoke` work."""
        template = translate(
            self._template, parameters=self._parameters, region=self.region, api_url=self.url
        )
        self.engine.wait()
        say("local: the engine is up")
        self.stack = bring_up(template, self.engine.client("cloudformation"))
        for table in self.stack.tables().values():
            make_table(self.engine.client("dynamodb"), table)
        self._functions = Functions(self.stack.functions(), self._runtime, template=template.path)
        self._parts.callback(self._functions.stop)
        triggers = Triggers(self.stack, self._functions, self.engine.client("cognito-idp"))
        sign_for = None if self._api_listener else self.region
        endpoint = AwsEndpoint(self.engine.url, triggers, sign_for=sign_for)
        self._parts.callback(endpoint.close)
        listeners = [self._aws_listener, *listen_at(self._bridge, self._aws_listener)]
        policy = AccessPolicy(page_port=_port(self._api_listener) if self._api_listener else None)
        self._serve(endpoint.answer, *listeners, access=policy, limit=_ENGINE_SECONDS)
        say("local: what the template describes is ready")

    def open(self, *, otherwise: Handler | None = None) -> None:
        """Deliver the streams and serve the APIs; `otherwise` answers requests without a route."""
        self._readers = [
            StreamReader(
                replace(mapping, stream_arn=self._present_stream(mapping.stream_arn)),
                invoke=self._functions.invoke,
                streams=self.engine.client("dynamodbstreams"),
                sqs=self.engine.client("sqs"),
            )
            for mapping in self.stack.stream_mappings()
        ]
        self._parts.callback(self._stop_streams)
        for reader in self._readers:
            reader.start()
        if not self._api_listener:
            return
        settings = self.stack.web_socket()
        sockets = WebSocketApi(settings, invoke=self._functions.invoke) if settings else None
        cors = self.stack.cors()
        api = HttpApi(
            routes=self.stack.routes(),
            authorizers={
                name: JwtAuthorizer(settings, fetch_keys(self.engine.url, settings.issuer))
                for name, settings in self.stack.authorizers().items()
            },
            cors=cors,
            invoke=self._functions.invoke,
            otherwise=sockets.before(otherwise) if sockets else otherwise,
        )
        self._serve(
            named_as_asked(api.answer, self.url, self.aws_url),
            self._api_listener,
            access=AccessPolicy(
                origins=cors.get("allowOrigins", ()), page_port=_port(self._api_listener)
            ),
            limit=None if self._runtime.debug_port else _API_SECONDS,
            log=lambda line: say(f"api | {line}"),
            sockets=sockets.serve if sockets else None,
        )

    def close(self) -> None:
        """Stop everything in order, the API first."""
        self._parts.close()

    @property
    def outputs(self) -> dict[str, str]:
        """The template's outputs; addresses of queues begin with `aws_url`."""
        own = f"{self.aws_url}/"
        return {name: _ENGINE_URL.sub(own, text) for name, text in self.stack.outputs().items()}

    def client(self, service: Any) -> Any:
        """Return a boto3 client; its calls to Cognito fire the user pool's triggers."""
        return client(service, self.aws_url, self.region)

    def invoke(self, function: str, event: Any = None) -> Any:
        """Call a function by its logical id and return its answer; OfflineError if it failed."""
        if function not in self.stack.functions():
            raise OfflineError(f"The template has no function {function}.")
        result = self._functions.invoke(function, event)
        if result.failed:
            kind, text = (result.payload.get(key) for key in ("errorType", "errorMessage"))
            raise OfflineError(f"{function} failed: {kind}: {text}")
        return result.payload

    def drain(self, seconds: float = 60.0) -> None:
        """Wait until the streams are delivered; OfflineError if that takes too long."""
        deadline = time.monotonic() + seconds
        if not all(r.drain(max(0.1, deadline - time.monotonic())) for r in self._readers):
            raise OfflineError(f"The streams were not delivered within {seconds:g} seconds.")

    def check(self) -> None:
        """Raise OfflineError if the application cannot go on."""
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
        """Write sam-env.json for `sam local --env-vars`, with all variables of each function.

        `sam` resolves less of the template than this program does. Values in `variables` replace
        the template's. Only the user can read the file, since it may have a password.
        """
        here = {"AWS_ENDPOINT_URL": f"http://{HOST}:{_port(self._aws_listener)}", **variables}
        environments = {
            name: {key: here.get(key, value) for key, value in function.environment.items()}
            for name, function in self.stack.functions().items()
        }
        self.state.publish("sam-env.json", environments, mode=0o600)

    def _present_stream(self, stream_arn: str) -> str:
        """Return the present stream of a table, which may have been made again since the stack."""
        name = stream_arn.split("/")[1]
        table = self.engine.client("dynamodb").describe_table(TableName=name)["Table"]
        return str(table["LatestStreamArn"])

    def _serve(self, handler: Handler, *listeners: socket.socket, **settings: Any) -> None:
        server = HttpServer(handler, *listeners, **settings)
        self._parts.callback(server.stop)
        server.start()

    def _stop_streams(self) -> None:
        try:
            self.drain(_DRAIN_SECONDS)
        except OfflineError:
            say("local: stopped before every record of the stream was delivered")
        for reader in self._readers:
            reader.stop()

    def _folder_of_its_own(self) -> StateFolder:
        folder = tempfile.TemporaryDirectory(prefix="sam-offline-")
        state = StateFolder(Path(self._parts.enter_context(folder)))
        state.acquire()
        self._parts.callback(state.release)
        return state


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
