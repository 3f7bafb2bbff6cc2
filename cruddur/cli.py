"""The `cruddur` command: every operator command, as ``cruddur <group> <name>``.

The scripts in bin/ are the same commands by another name.
"""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until a command begins Ctrl-C just ends this process, without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import typer

from cruddur import rds
from cruddur.cognito import token, users
from cruddur.command import command
from cruddur.db import schema, sessions, sign_ins, whole
from cruddur.ddb import patterns, scan, seed, tables
from cruddur.reconcile.command import reconcile


def _group(text: str) -> typer.Typer:
    return typer.Typer(
        help=text, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
    )


app = _group("Commands for the operators of Cruddur Messages: local, or with `prod` on AWS.")
_ddb = _group("The DynamoDB table.")
_patterns = _group("The queries behind the lists.")
_db = _group("The directory in PostgreSQL.")
_rds = _group("The way to a public development database.")
_cognito = _group("Sign-ins.")
app.add_typer(_ddb, name="ddb")
_ddb.add_typer(_patterns, name="patterns")
app.add_typer(_db, name="db")
app.add_typer(_rds, name="rds")
app.add_typer(_cognito, name="cognito")

command(_ddb, "schema-load", changes=True, needs_stack=False)(tables.schema_load)
command(_ddb, "list-tables", needs_stack=False)(tables.list_tables)
command(_ddb, "drop", words="TABLE", least=1, most=1, changes=True, needs_stack=False)(tables.drop)
command(_ddb, "seed", changes=True)(seed.seed)
command(_ddb, "scan")(scan.scan)
command(_ddb, "reconcile", words="[MESSAGE_GROUP_UUID]", most=1, changes=True)(reconcile)
command(_patterns, "get-conversation", words="[GROUP_UUID | HANDLE [HANDLE]]", most=2)(
    patterns.get_conversation
)
command(_patterns, "list-conversations", words="[HANDLE]", most=1)(patterns.list_conversations)

command(_db, "create", changes=True, needs_stack=False)(whole.create)
command(_db, "drop", changes=True, needs_stack=False)(whole.drop)
command(_db, "setup", changes=True, needs_stack=False)(whole.setup)
command(_db, "schema-load", changes=True)(schema.schema_load)
command(_db, "migrate", changes=True)(schema.migrate)
command(_db, "seed", changes=True)(schema.seed)
command(_db, "connect", changes=True)(sessions.connect)
command(_db, "sessions")(sessions.sessions)
command(_db, "kill-all", changes=True)(sessions.kill_all)
command(_db, "update_cognito_user_ids", changes=True)(sign_ins.update_cognito_user_ids)
command(_db, "set-cognito-id", words="HANDLE ID", least=2, most=2, changes=True)(
    sign_ins.set_cognito_id
)

command(_rds, "update-sg-rule", changes=True)(rds.update_sg_rule)

command(_cognito, "list-users")(users.list_users)
command(_cognito, "create-user", words="HANDLE", least=1, most=1, changes=True)(users.create_user)
command(_cognito, "token", words="HANDLE | EMAIL", least=1, most=1)(token.token)


def main() -> None:
    """Run the command that the command line names."""
    app(prog_name="cruddur")


if __name__ == "__main__":
    main()
