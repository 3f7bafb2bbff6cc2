"""What is this project's own in its local cloud: PostgreSQL, the seed, and what a start prints."""

import json
import shlex
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from local.postgres import Postgres, end_leftover
from local.settings import ROOT, TEMPLATE, Settings
from sam_offline.console import say
from sam_offline.ministack import Ministack
from sam_offline.processes import free_port
from sam_offline.state import StateFolder

if TYPE_CHECKING:
    from sam_offline import Offline
    from seed.writing import SeedReport

__all__ = ["DEVELOPMENT", "run"]

# A conversation of the seed, for the commands that can be pasted.
_MESSAGE_GROUP_UUID = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"
# The template's parameters for a stage that only its developer reaches; a stage on AWS that is
# meant for development has the last two as well (samconfig.toml).
DEVELOPMENT = {
    "DatabaseAuth": "url",
    "AllowedOrigins": "http://localhost:3000,http://127.0.0.1:3000",
    "PasswordSignIn": "true",
}


def run(settings: Settings, parts: ExitStack, *, with_api: bool) -> Callable[[], None]:
    """Start everything; return the check that it can go on.

    What takes longest are imports and the engines: these run at the same time.
    """
    began = time.monotonic()
    state = StateFolder(settings.state)
    state.acquire()
    parts.callback(state.release)
    end_leftover(state)
    port = free_port(settings.postgres_port, "POSTGRES_PORT")
    if settings.keep:
        say("local: starting with what was written before (KEEP=1)")
    else:
        say("local: starting with empty stores (KEEP=1 keeps what was written)")
        state.start_afresh()
    engine = Ministack(ROOT / ".build", state=state, region=settings.region)
    parts.callback(engine.stop)
    bridge = None if with_api else settings.bridge
    postgres = None
    # The template takes no user in its parameter; the owner is one, for what is not signed in.
    variables = {"DATABASE_URL": settings.database_url}
    if settings.database_url:  # the developer's own gets no new users: its URL says who signs in
        variables["DATABASE_USER"] = ""
    else:
        postgres = Postgres(state=state, port=port, bridge=bridge)
        parts.callback(postgres.stop)
        variables["DATABASE_URL"] = postgres.url
    if settings.dynamodb_url:
        variables["AWS_ENDPOINT_URL_DYNAMODB"] = settings.dynamodb_url
    database_url = variables["DATABASE_URL"]
    # These take as long as the engines, which start meanwhile.
    from local.stores import fill  # noqa: PLC0415
    from local.web_client import web_client  # noqa: PLC0415
    from sam_offline.app import Offline  # noqa: PLC0415

    app = Offline(
        TEMPLATE,
        parameters=DEVELOPMENT | {"DatabaseUrl": "postgresql://127.0.0.1/cruddur"},
        state=state,
        engine=engine,
        api=with_api,
        bridge=bridge,
        variables=variables,
        **settings.of_application,
    )
    parts.callback(app.close)
    if postgres:
        postgres.wait()
    app.create()
    report = fill(app, database_url, repairs=settings.keep and postgres is not None)
    app.open(otherwise=web_client(app, report).answer)
    if not with_api:
        url = postgres.url_for_containers if postgres else database_url
        app.publish_environments(**variables | {"DATABASE_URL": url})
    # For bin/ddb/schema-load.
    (table,) = app.stack.tables().values()
    app.publish(DatabaseUrl=database_url, Table=json.dumps(table))
    _announce(app, report, database_url, state)
    say(f"  started in {time.monotonic() - began:.1f} s")

    def check() -> None:
        app.check()
        if postgres:
            postgres.check()

    return check


def _announce(app: "Offline", report: "SeedReport", database_url: str, state: StateFolder) -> None:
    where = f"at {app.url}" if app.url else "without the API"
    say(f"local: ready {where}; press Ctrl-C to stop")
    if app.url:
        say(f"  web client  {app.url} in a browser")
    say(f"  AWS         {app.aws_url} (access key: test, secret key: test)")
    say(f"  PostgreSQL  {database_url}")
    say(f"  sign-ins    {', '.join(report.handles)} (password: {report.password})")
    if not app.url:
        say("  to run the API in containers: bin/sam build && bin/sam local start-api")
        return
    elsewhere = state.path != ROOT / ".local"
    folder = f"LOCAL_STATE={shlex.quote(str(state.path))} " if elsewhere else ""
    token = f"{folder}{shlex.quote(str(ROOT / 'bin' / 'cognito' / 'token'))} grahams"
    bearer = f'-H "Authorization: Bearer $({token})"'
    body = f'{{"message_group_uuid":"{_MESSAGE_GROUP_UUID}","message":"Hello from a terminal"}}'
    content = f"-H 'Content-Type: application/json' -d '{body}'"
    say(f"  the API     {app.url}/openapi.html")
    listen = f"{folder}{shlex.quote(str(ROOT / 'bin' / 'live'))} grahams"
    say(f"  listen      {listen}")
    say("  try it: list the message groups, read one, send a message")
    say(f"    curl -s {app.url}/api/message_groups {bearer}")
    say(f"    curl -s {app.url}/api/messages/{_MESSAGE_GROUP_UUID} {bearer}")
    say(f"    curl -s {app.url}/api/messages {bearer} {content}")
