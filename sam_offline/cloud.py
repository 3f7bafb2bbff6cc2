"""What plays AWS around the engine: CloudFormation's result, Lambda, the pool's triggers, the API.

Loaded while the engine starts: most of a start's time goes into imports.
"""

import socket
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import boto3
from botocore.config import Config

from sam_offline.authorizer import JwtAuthorizer, fetch_keys
from sam_offline.aws_endpoint import AwsEndpoint, Triggers
from sam_offline.console import say
from sam_offline.doors import Door
from sam_offline.functions import Functions, Runtime
from sam_offline.http_api import SERVICE_UNAVAILABLE, TIMEOUT_SECONDS, TOO_LARGE, HttpApi
from sam_offline.ministack import CREDENTIALS
from sam_offline.server import Answer, Handler, HttpServer
from sam_offline.stack import Stack, bring_up, make_table
from sam_offline.streams import StreamReader
from sam_offline.template import Template

__all__ = ["Cloud", "client"]

_DRAIN_SECONDS = 3.0
_ENGINE_SECONDS = 75.0
_TOO_LATE = Answer.json(504, '{"message":"The AWS engine does not answer"}')


def client(service: Any, url: str, region: str) -> Any:
    """Return a boto3 client of what is at `url`, which signs with the local keys."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(
            connect_timeout=2, read_timeout=15, retries={"total_max_attempts": 2}, proxies={}
        ),
    )


class Cloud:
    """A template's stack in an engine that is up; `parts` is given what has to be stopped."""

    def __init__(
        self, template: Template, runtime: Runtime, *, engine_url: str, parts: ExitStack
    ) -> None:
        self._engine_url = engine_url
        self._region = template.region
        self._parts = parts
        self._runtime = runtime
        self._readers: list[StreamReader] = []
        self.stack: Stack = bring_up(template, self._of_engine("cloudformation"))
        for table in self.stack.tables().values():
            make_table(self._of_engine("dynamodb"), table)
        self.functions = Functions(self.stack.functions(), runtime, template=template.path)
        parts.callback(self.functions.stop)

    def serve_aws(
        self, *listeners: socket.socket, page_port: int | None, for_containers: bool
    ) -> None:
        """Pass calls on to the engine, and fire the triggers of the pool.

        `for_containers` takes any credentials. Pages from `page_port` may call Cognito.
        """
        triggers = Triggers(
            self.stack.triggers(),
            self.functions,
            cognito=self._of_engine("cognito-idp"),
            pool_id=self.stack.id_of("Cognito::UserPool"),
            client_id=self.stack.id_of("Cognito::UserPoolClient"),
            region=self._region,
        )
        endpoint = AwsEndpoint(
            self._engine_url, triggers, sign_for=self._region if for_containers else None
        )
        self._parts.callback(endpoint.close)
        door = Door(page_port=page_port)
        self._serve(
            endpoint.answer, *listeners, door=door, limit=_ENGINE_SECONDS, too_late=_TOO_LATE
        )

    def read_streams(self) -> None:
        """Deliver the streams to their functions from now on."""
        self._readers = [
            StreamReader(
                replace(mapping, stream_arn=self._present_stream(mapping.stream_arn)),
                functions=self.functions,
                streams=self._of_engine("dynamodbstreams"),
                sqs=self._of_engine("sqs"),
            )
            for mapping in self.stack.stream_mappings()
        ]
        self._parts.callback(self._stop_streams)
        for reader in self._readers:
            reader.start()

    def drain(self, seconds: float) -> bool:
        """Deliver what is in the streams now; whether all of it was."""
        deadline = time.monotonic() + seconds
        return all(reader.drain(max(0.1, deadline - time.monotonic())) for reader in self._readers)

    def serve_api(self, listener: socket.socket, otherwise: Handler | None) -> None:
        """Serve the HTTP API, and `otherwise` what it has no route for."""
        cors = self.stack.cors()
        api = HttpApi(
            routes=self.stack.routes(),
            authorizers={
                name: JwtAuthorizer(settings, fetch_keys(self._engine_url, settings.issuer))
                for name, settings in self.stack.authorizers().items()
            },
            cors=cors,
            invoke=self.functions.invoke,
            otherwise=otherwise,
        )
        page_port = listener.getsockname()[1]
        self._serve(
            api.answer,
            listener,
            door=Door(origins=cors.origins if cors else (), page_port=page_port),
            limit=None if self._runtime.debug_port else TIMEOUT_SECONDS,
            too_late=SERVICE_UNAVAILABLE,
            log=lambda line: say(f"api | {line}"),
        )

    def _of_engine(self, service: Any) -> Any:
        return client(service, self._engine_url, self._region)

    def _present_stream(self, stream_arn: str) -> str:
        """The stream of a table that may have been made anew since the stack was."""
        name = stream_arn.split("/")[1]
        table = self._of_engine("dynamodb").describe_table(TableName=name)["Table"]
        return str(table["LatestStreamArn"])

    def _serve(self, handler: Handler, *listeners: socket.socket, **settings: Any) -> None:
        server = HttpServer(handler, *listeners, too_large=TOO_LARGE, **settings)
        self._parts.callback(server.stop)
        server.start()

    def _stop_streams(self) -> None:
        drained = self.drain(_DRAIN_SECONDS)
        for reader in self._readers:
            reader.stop()
        if not drained:
            say("local: stopped before every record of the stream was delivered")
