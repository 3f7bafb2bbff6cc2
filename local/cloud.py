"""What `make run` adds to sam_offline: PostgreSQL, the seed, the web client, and what it prints."""

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
from seed.examples import PASSWORD, seed_message_groups, seed_users

if TYPE_CHECKING:
    from sam_offline import Offline

__all__ = ["DEVELOPMENT", "run"]

# The template's parameters for a stage that only its developer reaches. A development stage on AWS
# has the last two as well (samconfig.toml).
DEVELOPMENT = {
    "DatabaseAuth": "url",
    "AllowedOrigins": "http://localhost:3000,http://127.0.0.1:3000",
    "PasswordSignIn": "true",
}


def run(settings: Settings, parts: ExitStack, *, with_api: bool) -> Callable[[], None]:
    """Start everything, and return the check that it can go on.

    The engines start while this process imports modules, which takes as long.
    """
    began = time.monotonic()
    state = StateFolder(settings.state)
    state.acquire()
    parts.callback(state.release)
    end_leftover(state)
    postgres_port = free_port(settings.postgres_port, "POSTGRES_PORT")
    _empty(state, settings)
    engine = Ministack(ROOT / ".build", state=state, region=settings.region)
    parts.callback(engine.stop)
    bridge = None if with_api else settings.bridge
    postgres = None
    if not settings.database_url:
        postgres = Postgres(state=state, port=postgres_port, bridge=bridge)
        parts.callback(postgres.stop)
    database_url = postgres.url if postgres else settings.database_url
    variables = {"DATABASE_URL": database_url}
    if not postgres:
        # A database of the developer's gets no further users, so functions sign in as its URL says.
        variables["DATABASE_USER"] = ""
    if settings.functions_proxy:
        variables["HTTP_PROXY"] = settings.functions_proxy
    from local.stores import fill  # noqa: PLC0415
    from local.web_client import web_client  # noqa: PLC0415
    from sam_offline.app import Offline  # noqa: PLC0415

    app = Offline(
        TEMPLATE,
        # The template refuses a URL with a user; `variables` replaces it.
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
    fill(app, database_url, repairs=settings.keep and postgres is not None)
    app.open(otherwise=web_client(app).answer)
    if not with_api:
        url = postgres.url_for_containers if postgres else database_url
        app.publish_environments(**variables | {"DATABASE_URL": url})
    # bin/ddb/schema-load makes the table as it is described here.
    (table,) = app.stack.tables().values()
    app.publish(DatabaseUrl=database_url, Table=json.dumps(table))
    _announce(app, database_url, state)
    say(f"  started in {time.monotonic() - began:.1f} s")

    def check() -> None:
        app.check()
        if postgres:
            postgres.check()

    return check


def _empty(state: StateFolder, settings: Settings) -> None:
    """Remove what was written before, unless KEEP=1."""
    if settings.keep:
        say("local: starting with what was written before (KEEP=1)")
    else:
        say("local: starting with empty stores (KEEP=1 keeps what was written)")
        state.start_afresh()


def _announce(app: "Offline", database_url: str, state: StateFolder) -> None:
    where = f"at {app.url}" if app.url else "without the API"
    handles = [user.user.handle for user in seed_users() if user.signs_in]
    say(f"local: ready {where}; press Ctrl-C to stop")
    if app.url:
        say(f"  web client  {app.url} in a browser")
    say(f"  AWS         {app.aws_url} (access key: test, secret key: test)")
    say(f"  PostgreSQL  {database_url}")
    say(f"  sign-ins    {', '.join(handles)} (password: {PASSWORD})")
    if not app.url:
        say("  to run the API in containers: bin/sam build && bin/sam local start-api")
        return
    group = seed_message_groups()[0]
    elsewhere = state.path != ROOT / ".local"
    folder = f"LOCAL_STATE={shlex.quote(str(state.path))} " if elsewhere else ""
    command = f"{folder}{shlex.quote(str(ROOT / 'bin'))}"
    bearer = f'-H "Authorization: Bearer $({command}/cognito/token {group.members[0]})"'
    body = f'{{"message_group_uuid":"{group.uuid}","message":"Hello from a terminal"}}'
    content = f"-H 'Content-Type: application/json' -d '{body}'"
    say(f"  the API     {app.url}/openapi.html")
    say(f"  listen      {command}/live {group.members[0]}")
    say("  try it: list the message groups, read one, send a message")
    say(f"    curl -s {app.url}/api/message_groups {bearer}")
    say(f"    curl -s {app.url}/api/messages/{group.uuid} {bearer}")
    say(f"    curl -s {app.url}/api/messages {bearer} {content}")
