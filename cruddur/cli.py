"""The `cruddur` command: every operator command, as ``cruddur <group> <name>``.

The scripts in bin/ are the same commands by another name.
"""

import typer

from cruddur.reconcile.command import reconcile
from cruddur.token import token


def _group(text: str) -> typer.Typer:
    return typer.Typer(
        help=text, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
    )


app = _group("Commands for the operators of Cruddur Messages: local, or with `prod` on AWS.")
ddb = _group("The DynamoDB table.")
cognito = _group("Sign-ins.")
app.add_typer(ddb, name="ddb")
app.add_typer(cognito, name="cognito")

ddb.command("reconcile")(reconcile)
cognito.command("token")(token)


def main() -> None:
    """Run the command that the command line names."""
    app(prog_name="cruddur")


if __name__ == "__main__":
    main()
