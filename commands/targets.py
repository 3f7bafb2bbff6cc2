"""Where a command works: the running local cloud, or a deployed stack on AWS.

A command never takes one for the other. Locally, endpoint and keys come from the local cloud's
stack.json, whatever the shell exports. On AWS, endpoints that the shell configures are ignored, and
the names of table and pool come from the stack's outputs.
"""

import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from commands.errors import CommandError
from commands.terminal import note

ROOT = Path(__file__).resolve().parent.parent
# As the last word of a command it means --aws; older notes and scripts have it.
PROD = "prod"
STACK_NAME = "cruddur-messages"

_PATIENT = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"total_max_attempts": 8, "mode": "standard"},
    max_pool_connections=16,
)
_CONNECT_SECONDS = 2.0
# On this machine an engine that does not answer hangs, so that more attempts are of no use.
_LOCAL = _PATIENT.merge(Config(proxies={}, retries={"total_max_attempts": 2, "mode": "standard"}))
# After this time a command says what it waits for.
_SILENT_SECONDS = 3.0


type Watch = Callable[[str, Any], None]


class NoStackError(CommandError):
    """The account has no stack of that name in this region."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a command works.

    Attributes
    ----------
    name
        What messages call it, such as "the local cloud".
    outputs
        The stack's outputs; empty if there is only an account.
    watch
        Called with the name and the answer of every call to AWS.
    """

    name: str
    on_aws: bool
    outputs: Mapping[str, str]
    session: boto3.Session
    config: Config
    endpoint_url: str | None = None
    watch: Watch | None = None

    def client(self, service: str, config: Config | None = None) -> Any:
        """Return a client of an AWS service; settings in `config` replace the usual ones."""
        # The types of boto3 want a literal.
        make: Any = self.session.client
        merged = self.config.merge(config) if config else self.config
        client = make(service, endpoint_url=self.endpoint_url, config=merged)
        _report_waiting(client, self.name)
        if watch := self.watch:
            client.meta.events.register(
                "after-call", lambda model, parsed, **_: watch(model.name, parsed)
            )
        return client

    def output(self, name: str) -> str:
        """Return one of the stack's outputs.

        Raises
        ------
        CommandError
            The stack has no such output.
        """
        if value := self.outputs.get(name):
            return value
        raise CommandError(f"{self.name} has no output {name}: bring it up to this version first.")


def _report_waiting(client: Any, name: str) -> None:
    """Say on stderr, once, that a call of `client` takes long."""
    timer = "cruddur.timer"
    said = threading.Event()

    def say() -> None:
        if not said.is_set():
            said.set()
            note(f"Waiting for {name} to answer ...")

    def begin(context: dict[str, Any], **_: Any) -> None:
        if not said.is_set():
            context[timer] = threading.Timer(_SILENT_SECONDS, say)
            context[timer].daemon = True
            context[timer].start()

    def end(context: dict[str, Any], **_: Any) -> None:
        if started := context.pop(timer, None):
            started.cancel()

    client.meta.events.register("before-call", begin)
    client.meta.events.register("after-call", end)
    client.meta.events.register("after-call-error", end)


def target(*, on_aws: bool, stack_name: str = STACK_NAME) -> Target:
    """Return where a command works.

    Raises
    ------
    CommandError
        Nothing runs there.
    """
    return _deployed(stack_name) if on_aws else _local()


def stack_or_account(stack_name: str) -> Target:
    """Return the stack, or only the account if there is no such stack.

    Some commands work before the stack is made and after it was deleted.

    Raises
    ------
    CommandError
        The account cannot be reached.
    """
    try:
        return target(on_aws=True, stack_name=stack_name)
    except NoStackError:
        session, config, account = _account()
    return Target(
        name=f"no stack {stack_name} in account {account}, region {session.region_name}",
        on_aws=True,
        outputs={},
        session=session,
        config=config,
    )


def _local() -> Target:
    state = ROOT / (os.environ.get("LOCAL_STATE") or ".local")
    try:
        stack: dict[str, Any] = json.loads((state / "stack.json").read_text())
        url = stack["EndpointUrl"]
        _connect(url)
    except (OSError, ValueError, KeyError):
        raise CommandError("The local cloud is not running: start it with `make run`.") from None
    return Target(
        name="the local cloud",
        on_aws=False,
        outputs={name: value for name, value in stack.items() if isinstance(value, str)},
        session=_session(stack),
        config=_LOCAL,  # which ignores the shell's proxy, too
        endpoint_url=url,
    )


def _connect(url: str) -> None:
    """Raise OSError if nothing listens at `url`: a killed local cloud leaves its stack.json."""
    parts = urlsplit(url)
    socket.create_connection((parts.hostname, parts.port), timeout=_CONNECT_SECONDS).close()


def _session(stack: Mapping[str, Any]) -> boto3.Session:
    """Return a session with the local keys, which ignores the user's profiles and files."""
    unset, nowhere = (None, None, None, None), (None, None, os.devnull, None)
    settings: Any = {"profile": unset, "config_file": nowhere, "credentials_file": nowhere}
    return boto3.Session(
        botocore_session=botocore.session.Session(session_vars=settings),
        aws_access_key_id=stack.get("AccessKeyId", "test"),
        aws_secret_access_key=stack.get("SecretAccessKey", "test"),
        region_name=stack["Region"],
    )


def _account() -> tuple[boto3.Session, Config, str]:
    """Return a session, its configuration, and the number of its account."""
    session = boto3.Session()
    if not session.region_name:
        raise CommandError("No AWS region is set: set AWS_REGION, or one in your profile.")
    settings: Any = {"ignore_configured_endpoint_urls": True}  # the types of boto3 do not have it
    config = _PATIENT.merge(Config(**settings))
    make: Any = session.client
    return session, config, make("sts", config=config).get_caller_identity()["Account"]


def _deployed(stack_name: str) -> Target:
    session, config, account = _account()
    make: Any = session.client
    try:
        answer = make("cloudformation", config=config).describe_stacks(StackName=stack_name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise NoStackError(
            f"There is no stack {stack_name} in account {account}, region {session.region_name}: "
            "set AWS_REGION or AWS_PROFILE, or name it with --stack."
        ) from error
    outputs = answer["Stacks"][0].get("Outputs", [])
    return Target(
        name=f"stack {stack_name} in account {account}, region {session.region_name}",
        on_aws=True,
        outputs={output["OutputKey"]: output["OutputValue"] for output in outputs},
        session=session,
        config=config,
    )
