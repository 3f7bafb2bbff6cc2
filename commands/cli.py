"""The `cruddur` command: every operator command, as ``cruddur <group> <name>``.

Each command is also a script in bin/. A command's module is imported when the command is run or
described, so that the completion of names by Tab, which imports none of them, is fast.
"""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until a command begins, Ctrl-C ends this process at once, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True)
class _Command:
    """A command that is not made yet: its "module:function", and arguments of `command`."""

    function: str
    changes: bool = False
    needs_stack: bool = True

    def make(self, name: str) -> Any:
        from commands.command import command  # noqa: PLC0415  # half a second

        module, _, function = self.function.partition(":")
        found = getattr(import_module(f"commands.{module}"), function)
        return command(found, name, changes=self.changes, needs_stack=self.needs_stack)


class _Group(TyperGroup):
    """A group whose commands are made when they are asked for."""

    lazy: ClassVar[Mapping[str, _Command]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        return list(dict.fromkeys([*self.lazy, *super().list_commands(ctx)]))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in self.lazy and ctx.resilient_parsing and cmd_name not in self.commands:
            return TyperCommand(cmd_name)  # enough to complete names
        self._make(cmd_name)
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        self._make(args[0])
        return super().resolve_command(ctx, args)

    def _make(self, name: str) -> None:
        if name in self.lazy and name not in self.commands:
            self.commands[name] = self.lazy[name].make(name)


def _group(text: str, commands: Mapping[str, _Command]) -> typer.Typer:
    return typer.Typer(
        cls=type("Group", (_Group,), {"lazy": commands}),
        help=text,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


app = _group(
    "Operate Cruddur Messages: the running local cloud or, with --aws, a stack on AWS.",
    {"live": _Command("live:live")},
)
_ddb = _group(
    "The DynamoDB table.",
    {
        "schema-load": _Command("ddb.tables:schema_load", changes=True, needs_stack=False),
        "list-tables": _Command("ddb.tables:list_tables", needs_stack=False),
        "drop": _Command("ddb.tables:drop", changes=True, needs_stack=False),
        "seed": _Command("ddb.seed:seed", changes=True),
        "scan": _Command("ddb.scan:scan"),
        "reconcile": _Command("reconcile.command:reconcile", changes=True),
    },
)
_patterns = _group(
    "Conversations, read as the API reads them.",
    {
        "get-conversation": _Command("ddb.patterns:get_conversation"),
        "list-conversations": _Command("ddb.patterns:list_conversations"),
    },
)
_db = _group(
    "The directory of users, in PostgreSQL.",
    {
        "create": _Command("db.lifecycle:create", changes=True, needs_stack=False),
        "drop": _Command("db.lifecycle:drop", changes=True, needs_stack=False),
        "setup": _Command("db.lifecycle:setup", changes=True, needs_stack=False),
        "schema-load": _Command("db.schema:schema_load", changes=True),
        "migrate": _Command("db.schema:migrate", changes=True),
        "seed": _Command("db.seed:seed", changes=True),
        "connect": _Command("db.sessions:connect", changes=True),
        "sessions": _Command("db.sessions:sessions"),
        "kill-all": _Command("db.sessions:kill_all", changes=True),
        "update_cognito_user_ids": _Command("db.sign_ins:update_cognito_user_ids", changes=True),
        "set-cognito-id": _Command("db.sign_ins:set_cognito_id", changes=True),
    },
)
_rds = _group(
    "Access to a public development database.",
    {"update-sg-rule": _Command("rds:update_sg_rule", changes=True)},
)
_cognito = _group(
    "The sign-ins of the Cognito user pool.",
    {
        "list-users": _Command("cognito.users:list_users"),
        "create-user": _Command("cognito.users:create_user", changes=True),
        "token": _Command("cognito.token:token"),
    },
)
_web = _group(
    "The web client.",
    {
        "deploy": _Command("web.deploy:deploy", changes=True),
        "config": _Command("web.deploy:config"),
    },
)
app.add_typer(_ddb, name="ddb")
_ddb.add_typer(_patterns, name="patterns")
app.add_typer(_db, name="db")
app.add_typer(_rds, name="rds")
app.add_typer(_cognito, name="cognito")
app.add_typer(_web, name="web")


def main() -> None:
    """Run the command that the command line names."""
    app(prog_name="cruddur")


if __name__ == "__main__":
    main()
