"""The `cruddur` command: every operator command, as ``cruddur <group> <name>``.

The scripts in bin/ are the same commands by another name. A command's module is imported when the
command is run or described: to complete its name, a Tab imports none of them.
"""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until a command begins Ctrl-C just ends this process, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


class _Group(TyperGroup):
    """A group whose commands are made when they are asked for."""

    # Each command by its name: the path of its function, and the arguments of `command` for it.
    functions: ClassVar[Mapping[str, tuple[str, dict[str, Any]]]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        return [
            *self.functions,
            *(n for n in super().list_commands(ctx) if n not in self.functions),
        ]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in self.functions and ctx.resilient_parsing and cmd_name not in self.commands:
            return TyperCommand(cmd_name)  # a Tab that completes names needs no more
        return self._made(cmd_name) or super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        self._made(args[0])
        return super().resolve_command(ctx, args)

    def _made(self, name: str) -> Any:
        if name in self.functions and name not in self.commands:
            from commands.command import command  # noqa: PLC0415  # half a second

            path, settings = self.functions[name]
            module, _, function = path.partition(":")
            made = command(getattr(import_module(module), function), name, **settings)
            self.commands[name] = made
        return self.commands.get(name)


def _group(
    text: str, functions: Mapping[str, tuple[str, dict[str, Any]]] | None = None
) -> typer.Typer:
    group = type("Group", (_Group,), {"functions": functions or {}})
    return typer.Typer(
        cls=group,
        help=text,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def _at(function: str, **settings: Any) -> tuple[str, dict[str, Any]]:
    """Return the path of a command's function, and the arguments of `command` for it."""
    return f"commands.{function}", settings


app = _group(
    "Operate Cruddur Messages: the running local cloud or, with --aws, a stack on AWS.",
    {"live": _at("live:live", words="HANDLE | EMAIL", least=1, most=1)},
)
_ddb = _group(
    "The DynamoDB table.",
    {
        "schema-load": _at("ddb.tables:schema_load", changes=True, needs_stack=False),
        "list-tables": _at("ddb.tables:list_tables", needs_stack=False),
        "drop": _at(
            "ddb.tables:drop", words="TABLE", least=1, most=1, changes=True, needs_stack=False
        ),
        "seed": _at("ddb.seed:seed", changes=True),
        "scan": _at("ddb.scan:scan"),
        "reconcile": _at(
            "reconcile.command:reconcile", words="[MESSAGE_GROUP_UUID]", most=1, changes=True
        ),
    },
)
_patterns = _group(
    "Conversations, read as the API reads them.",
    {
        "get-conversation": _at(
            "ddb.patterns:get_conversation", words="[GROUP_UUID | HANDLE [HANDLE]]", most=2
        ),
        "list-conversations": _at("ddb.patterns:list_conversations", words="[HANDLE]", most=1),
    },
)
_db = _group(
    "The directory of users, in PostgreSQL.",
    {
        "create": _at("db.lifecycle:create", changes=True, needs_stack=False),
        "drop": _at("db.lifecycle:drop", changes=True, needs_stack=False),
        "setup": _at("db.lifecycle:setup", changes=True, needs_stack=False),
        "schema-load": _at("db.schema:schema_load", changes=True),
        "migrate": _at("db.schema:migrate", changes=True),
        "seed": _at("db.seed:seed", changes=True),
        "connect": _at("db.sessions:connect", changes=True),
        "sessions": _at("db.sessions:sessions"),
        "kill-all": _at("db.sessions:kill_all", changes=True),
        "update_cognito_user_ids": _at("db.sign_ins:update_cognito_user_ids", changes=True),
        "set-cognito-id": _at(
            "db.sign_ins:set_cognito_id", words="HANDLE ID", least=2, most=2, changes=True
        ),
    },
)
_rds = _group(
    "Access to a public development database.",
    {
        "update-sg-rule": _at("rds:update_sg_rule", changes=True),
    },
)
_cognito = _group(
    "The sign-ins of the Cognito user pool.",
    {
        "list-users": _at("cognito.users:list_users"),
        "create-user": _at(
            "cognito.users:create_user", words="HANDLE", least=1, most=1, changes=True
        ),
        "token": _at("cognito.token:token", words="HANDLE | EMAIL", least=1, most=1),
    },
)
_web = _group(
    "The web client.",
    {
        "deploy": _at("web.deploy:deploy", changes=True),
        "config": _at("web.deploy:config"),
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
