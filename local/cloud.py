"""Puts the parts together, in order, behind engines that are up.

Loaded while the engines start: most of its time goes into imports.
"""

import dataclasses
import os
import shlex
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg2
from botocore.exceptions import BotoCoreError, ClientError

from administration.operations import perform_at
from local.authorizer import JwtAuthorizer, fetch_keys
from local.aws_endpoint import AwsEndpoint, Triggers
from local.console import say
from local.containers import HOST, Containers
from local.doors import Door
from local.errors import LocalError
from local.functions import Functions
from local.http_api import SERVICE_UNAVAILABLE, TIMEOUT_SECONDS, TOO_LARGE, HttpApi
from local.repair import repair_lists, repair_users
from local.resources import Clients, create_resources
from local.server import Answer, HttpServer
from local.settings import CREDENTIALS, ROOT, Settings
from local.state import StateFolder
from local.streams import StreamReader
from local.template import Function, Stack, read_stack
from seed.writing import SeedError, SeedReport, write_examples

__all__ = ["DEVELOPMENT", "Cloud", "Engines"]

_DRAIN_SECONDS = 3.0
_ENGINE_SECONDS = 75.0
_TOO_LATE = Answer.json(504, '{"message":"The AWS engine does not answer"}')
# A conversation of the seed, for the commands that can be pasted.
_MESSAGE_GROUP_UUID = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"
# The template's parameters for a stage that only its developer reaches; a stage on AWS that is
# meant for development has the last two as well (samconfig.toml).
DEVELOPMENT = {
    "DatabaseAuth": "url",
    "AllowedOrigins": "http://localhost:3000,http://127.0.0.1:3000",
    "PasswordSignIn": "true",
}


@dataclass(frozen=True, kw_only=True)
class Engines:
    """Where the engines are, whoever runs them."""

    aws_url: str
    dynamodb_url: str
    streams_url: str
    database_url: str
    database_url_for_containers: str


class Cloud:
    """Everything but the engines. Closing `parts` stops it in order, the API first."""

    def __init__(
        self, settings: Settings, engines: Engines, state: StateFolder, parts: ExitStack
    ) -> None:
        self._settings = settings
        self._engines = engines
        self._state = state
        self._parts = parts

    def start(
        self,
        *,
        aws_listener: socket.socket,
        api_listener: socket.socket | None,
        containers: Containers | None = None,
    ) -> None:
        """Create, fill and serve the stack; stack.json says when it is ready."""
        region, engines = self._settings.region, self._engines
        clients = self._clients(engines.aws_url)
        parameters = DEVELOPMENT | {"DatabaseUrl": engines.database_url}
        stack = read_stack(parameters=parameters, region=region)
        stack = create_resources(stack, clients)
        say("local: the table, the user pool and its client are ready")

        endpoint_url = _url(aws_listener)
        functions = Functions(
            _reaching(
                stack.functions(),
                **self._database_user(),
                # Past our own address where one engine has all services: one hop less.
                AWS_ENDPOINT_URL=engines.aws_url
                if engines.dynamodb_url == engines.aws_url
                else endpoint_url,
            ),
            settings=self._settings,
            state=self._state,
        )
        self._parts.callback(functions.stop)
        listeners = [aws_listener]
        if containers and (bridge := containers.listen(aws_listener)):
            listeners.append(bridge)
        page_port = api_listener.getsockname()[1] if api_listener else None
        self._serve_aws(
            stack,
            functions,
            clients,
            listeners,
            door=Door(page_port=page_port),
            let_containers_in=bool(containers),
        )
        report = self._fill(stack, endpoint_url)
        self._read_streams(stack, functions, clients)
        api_url = _url(api_listener) if api_listener else ""
        stack = stack.with_created(stack.api_name(), Ref="local", ApiEndpoint=api_url)
        if api_listener:
            self._serve_api(stack, functions, api_listener)
        if containers:
            self._write_sam_environment(stack, aws_listener)
        self._publish(stack, endpoint_url)
        self._announce(report, api_url, endpoint_url)

    def _clients(self, aws_url: str) -> Clients:
        return Clients.of(
            aws_url=aws_url,
            dynamodb_url=self._engines.dynamodb_url,
            streams_url=self._engines.streams_url,
            region=self._settings.region,
        )

    def _serve_aws(
        self,
        stack: Stack,
        functions: Functions,
        clients: Clients,
        listeners: list[socket.socket],
        *,
        door: Door,
        let_containers_in: bool,
    ) -> None:
        triggers = Triggers(
            stack.triggers(),
            functions,
            cognito=clients.cognito,
            pool_id=_id_of(stack, "AWS::Cognito::UserPool"),
            client_id=_id_of(stack, "AWS::Cognito::UserPoolClient"),
            region=self._settings.region,
        )
        engines = {
            "": self._engines.aws_url,
            "DynamoDB_20120810": self._engines.dynamodb_url,
            "DynamoDBStreams_20120810": self._engines.streams_url,
        }
        region = self._settings.region if let_containers_in else None
        endpoint = AwsEndpoint(engines, triggers, sign_for=region)
        self._parts.callback(endpoint.close)
        self._serve(
            HttpServer(
                endpoint.answer,
                *listeners,
                door=door,
                limit=_ENGINE_SECONDS,
                too_late=_TOO_LATE,
                too_large=TOO_LARGE,
            )
        )

    def _serve_api(self, stack: Stack, functions: Functions, listener: socket.socket) -> None:
        cors = stack.cors()
        port = listener.getsockname()[1]
        api = HttpApi(
            routes=stack.routes(),
            authorizers={
                name: JwtAuthorizer(settings, fetch_keys(self._engines.aws_url, settings.issuer))
                for name, settings in stack.authorizers().items()
            },
            cors=cors,
            invoke=functions.invoke,
        )
        self._serve(
            HttpServer(
                api.answer,
                listener,
                door=Door(origins=cors.origins if cors else (), page_port=port),
                limit=TIMEOUT_SECONDS,
                too_late=SERVICE_UNAVAILABLE,
                too_large=TOO_LARGE,
                log=lambda line: say(f"api | {line}"),
            )
        )

    def _serve(self, server: HttpServer) -> None:
        self._parts.callback(server.stop)
        server.start()

    def _fill(self, stack: Stack, endpoint_url: str) -> SeedReport:
        database_url = self._engines.database_url
        # The sign-ins go the way of every client, so that the triggers see them.
        clients = self._clients(endpoint_url)
        try:
            perform_at(database_url, {"action": "migrate"})
            say("local: the schema is loaded")
            table_name = _id_of(stack, "AWS::DynamoDB::Table")
            pool_id = _id_of(stack, "AWS::Cognito::UserPool")
            if self._settings.keeps_all:
                repair_users(clients.cognito, pool_id, database_url)
                repair_lists(clients.dynamodb, table_name)
            report = write_examples(
                dynamodb=clients.dynamodb,
                cognito=clients.cognito,
                table_name=table_name,
                user_pool_id=pool_id,
                database_url=database_url,
                now=datetime.now(UTC),
            )
        except (psycopg2.Error, BotoCoreError, ClientError, SeedError) as error:
            raise LocalError(f"Schema or seed cannot be loaded: {str(error).strip()}") from error
        say("local: users, sign-ins and conversations are seeded")
        return report

    def _read_streams(self, stack: Stack, functions: Functions, clients: Clients) -> None:
        readers = [
            StreamReader(mapping, functions=functions, streams=clients.streams, sqs=clients.sqs)
            for mapping in stack.stream_mappings()
        ]

        def stop() -> None:
            deadline = time.monotonic() + _DRAIN_SECONDS
            drained = [reader.stop(max(0.1, deadline - time.monotonic())) for reader in readers]
            if self._settings.keep and not all(drained):
                say("local: stopped before every record of the stream was delivered")

        self._parts.callback(stop)
        for reader in readers:
            reader.start()

    def _publish(self, stack: Stack, endpoint_url: str) -> None:
        self._state.write_stack(
            {
                **stack.outputs(),
                "EndpointUrl": endpoint_url,
                "DatabaseUrl": self._engines.database_url,
                "Region": self._settings.region,
                "AccessKeyId": CREDENTIALS["AWS_ACCESS_KEY_ID"],
                "SecretAccessKey": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
                "Pid": os.getpid(),
                "ready": True,
            }
        )

    def _write_sam_environment(self, stack: Stack, aws_listener: socket.socket) -> None:
        functions = _reaching(
            stack.functions(),
            AWS_ENDPOINT_URL=f"http://{HOST}:{aws_listener.getsockname()[1]}",
            DATABASE_URL=self._engines.database_url_for_containers,
            **self._database_user(),
        )
        # The whole environments: `sam` resolves less of the template than this program does.
        self._state.write_sam_environment(
            {name: dict(function.environment) for name, function in functions.items()}
        )

    def _database_user(self) -> dict[str, str]:
        """A PostgreSQL of the developer's own gets no new users: its URL says who signs in."""
        return {"DATABASE_USER": ""} if self._settings.database_url else {}

    def _announce(self, report: SeedReport, api_url: str, endpoint_url: str) -> None:
        where = f"at {api_url}" if api_url else "without the API"
        say(f"local: ready {where}; press Ctrl-C to stop")
        say(f"  AWS         {endpoint_url} (access key: test, secret key: test)")
        say(f"  PostgreSQL  {self._engines.database_url}")
        say(f"  sign-ins    {', '.join(report.handles)} (password: {report.password})")
        if not api_url:
            say("  to run the API in containers: bin/sam build && bin/sam local start-api")
            return
        default = ROOT / ".local"
        state = (
            ""
            if self._state.path == default
            else f"LOCAL_STATE={shlex.quote(str(self._state.path))} "
        )
        token = f"{state}{shlex.quote(str(ROOT / 'bin' / 'cognito' / 'token'))} grahams"
        bearer = f'-H "Authorization: Bearer $({token})"'
        body = f'{{"message_group_uuid":"{_MESSAGE_GROUP_UUID}","message":"Hello from a terminal"}}'
        json = f"-H 'Content-Type: application/json' -d '{body}'"
        say("  try it: list the message groups, read one, send a message")
        say(f"    curl -s {api_url}/api/message_groups {bearer}")
        say(f"    curl -s {api_url}/api/messages/{_MESSAGE_GROUP_UUID} {bearer}")
        say(f"    curl -s {api_url}/api/messages {bearer} {json}")


def _reaching(functions: Mapping[str, Function], **settings: str) -> dict[str, Function]:
    """The functions with `settings` filled in where the template declares them."""
    return {
        name: dataclasses.replace(
            function,
            environment={
                key: settings.get(key, value) for key, value in function.environment.items()
            },
        )
        for name, function in functions.items()
    }


def _id_of(stack: Stack, kind: str) -> str:
    """What !Ref gives for the only resource of a type."""
    name, _ = stack.the_one(kind)
    return str(stack.resolve({"Ref": name}))


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
