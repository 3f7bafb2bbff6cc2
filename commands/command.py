"""What the commands have in common: where they work, how they print, and how they are named.

A command is a function of a `Run` and of options of its own; `command` gives it the words on the
command line, and the options that all commands have.
"""

import dataclasses
import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from commands import targets
from commands.output import Output, watch
from commands.targets import Target
from commands.terminal import reported_errors


class Run:
    """One run of a command.

    Attributes
    ----------
    words
        The arguments on the command line that are no options.
    """

    def __init__(
        self, *, words: list[str], find: Callable[[], Target], output: Output, yes: bool
    ) -> None:
        self.words = words
        self.output = output
        self._find = find
        self._yes = yes

    @cached_property
    def target(self) -> Target:
        """Where the command works. It is looked for only now, so that wrong use is reported first.

        On AWS, account, region and stack are shown.

        Raises
        ------
        TargetError
            Nothing runs there.
        """
        target = self._find()
        if target.on_aws:
            typer.echo(target.name, err=True)
        return target

    def look_again(self) -> None:
        """Look for the target anew when it is needed next."""
        self.__dict__.pop("target", None)

    @staticmethod
    def refuse_without(needed: str, **given: object) -> None:
        """Refuse options that would be ignored, since the one that they belong to was not given.

        Parameters
        ----------
        given
            The options by their names, None where they were not given.

        Raises
        ------
        typer.BadParameter
            At least one was.
        """
        for name, value in given.items():
            if value is not None:
                option = name.replace("_", "-")
                raise typer.BadParameter(f"--{option} goes with {needed}")

    def confirm(self, what: str) -> None:
        """Say what is about to be changed, and ask where that is on AWS.

        Raises
        ------
        typer.Abort
            The answer is no, or there is nobody to ask.
        """
        if self.target.on_aws and not self._yes:
            typer.confirm(f"{what} Go on?", abort=True, err=True)


def command(
    function: Callable[..., None],
    name: str,
    *,
    words: str = "",
    least: int = 0,
    most: int = 0,
    changes: bool = False,
    needs_stack: bool = True,
) -> Any:
    """Return the command `name` for typer, made from a function of a `Run`.

    Parameters
    ----------
    words
        How the arguments are called in the help; `least` and `most` say how many there are.
    changes
        The command may change something: it has the option --yes, and its function has to call
        `Run.confirm`.
    needs_stack
        On AWS there has to be a stack; otherwise an account is enough.
    """

    class Command(TyperCommand):
        """Shows its arguments in the usage as they are; typer would put all of them in brackets."""

        def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002  # typer names it
            return ["[OPTIONS]", *([words] if words else [])]

    def typed(
        arguments: list[str] | None = None,
        *,
        as_json: bool = False,
        verbose: bool = False,
        aws: bool = False,
        stack: str | None = None,
        yes: bool = False,
        **options: Any,
    ) -> None:
        rest, prod = targets.without_prod(arguments or [])
        if not least <= len(rest) <= most:
            raise typer.BadParameter(f"the arguments are {words}" if words else "no arguments")
        on_aws = aws or prod or stack is not None
        stack_name = stack or targets.STACK_NAME

        def find() -> Target:
            if needs_stack or not on_aws:
                found = targets.target(on_aws=on_aws, stack_name=stack_name)
            else:
                found = targets.stack_or_account(stack_name)
            return dataclasses.replace(found, watch=watch) if verbose else found

        output = Output(as_json=as_json)
        with reported_errors(on_aws=on_aws):
            function(Run(words=rest, find=find, output=output, yes=yes), **options)

    hidden = set() if changes else {"yes"}
    _, *own = inspect.signature(function, eval_str=True).parameters.values()
    common = [p for p in _COMMON if p.name not in hidden]
    parameters = [_ARGUMENTS, *own, *common]
    typed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    typed.__annotations__ = {p.name: p.annotation for p in parameters}
    typed.__doc__ = function.__doc__
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

    alone.command(name, cls=Command, epilog=_WHERE)(typed)
    return typer.main.get_command(alone)


# Stands below the options in the help of every command.
_WHERE = "Works on the running local cloud, or on AWS with --aws or --stack."

_ARGUMENTS = inspect.Parameter(
    "arguments",
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    default=None,
    annotation=Annotated[
        list[str] | None,
        typer.Argument(
            hidden=True,  # the usage says it better
        ),
    ],
)


def _option(name: str, kind: Any, default: Any, flag: str, text: str) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, typer.Option(flag, help=text)],
    )


_COMMON = [
    _option(
        "as_json",
        bool,
        False,
        "--json",
        "Print one JSON object a line, and nothing else, on stdout.",
    ),
    _option("verbose", bool, False, "--verbose", "Print the answers of AWS on stderr."),
    _option(
        *("aws", bool, False, "--aws"),
        f"Work on AWS, on the stack {targets.STACK_NAME}. (The last word {targets.PROD} says the "
        "same.)",
    ),
    _option(
        *("stack", str | None, None, "--stack"),
        "Work on AWS, on the CloudFormation stack of this name.",
    ),
    _option("yes", bool, False, "--yes", "On AWS: do not ask before a change."),
]
