"""What the commands have in common: where they work, how they print, and their options.

A command is a function of a `Run`, and of arguments and options of its own. `command` adds the
options that all commands have.
"""

import dataclasses
import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from commands import targets
from commands.output import Output, watch
from commands.targets import Target
from commands.terminal import note, reported_errors


class Run:
    """One run of a command."""

    def __init__(self, *, find: Callable[[], Target], output: Output, yes: bool) -> None:
        self.output = output
        self._find = find
        self._yes = yes

    @cached_property
    def target(self) -> Target:
        """Where the command works. On AWS its account, region and stack are shown.

        It is looked for at the first use, so that wrong options are reported before.

        Raises
        ------
        CommandError
            There is nothing to work on.
        """
        target = self._find()
        if target.on_aws:
            note(target.name)
        return target

    def look_again(self) -> None:
        """Look for the target again when it is used next."""
        self.__dict__.pop("target", None)

    @staticmethod
    def refuse_without(needed: str, **given: object) -> None:
        """Refuse options that have no effect without another option.

        Parameters
        ----------
        needed
            That option, which was not given.
        given
            The values of the others by their names; None stands for "not given".

        Raises
        ------
        typer.BadParameter
            One of them was given.
        """
        for name, value in given.items():
            if value is not None:
                option = name.replace("_", "-")
                raise typer.BadParameter(f"--{option} goes with {needed}")

    def confirm(self, what: str) -> None:
        """Ask before a change on AWS; `what` says in a sentence what will be changed.

        Raises
        ------
        typer.Abort
            The answer is no, or nobody can answer.
        """
        if self.target.on_aws and not self._yes:
            typer.confirm(f"{what} Go on?", abort=True, err=True)


class _Command(TyperCommand):
    """Takes the last word `prod` for --aws, unless it is the value of an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with_value = {
            name
            for parameter in self.params
            if isinstance(parameter, TyperOption) and not parameter.is_flag
            for name in parameter.opts
        }
        if args[-1:] == [targets.PROD] and not with_value.intersection(args[-2:-1]):
            args = [*args[:-1], "--aws"]
        return super().parse_args(ctx, args)


def command(
    function: Callable[..., None], name: str, *, changes: bool = False, needs_stack: bool = True
) -> Any:
    """Return the command `name` for typer, made from a function of a `Run`.

    Parameters
    ----------
    changes
        The command may change something: it has the option --yes, and its function has to call
        `Run.confirm`.
    needs_stack
        On AWS there has to be a stack; otherwise an account is enough.
    """

    def with_common_options(
        *,
        as_json: Annotated[
            bool,
            typer.Option(
                "--json", help="Print one JSON object a line, and nothing else, on stdout."
            ),
        ] = False,
        verbose: Annotated[
            bool, typer.Option("--verbose", help="Print the answers of AWS on stderr.")
        ] = False,
        aws: Annotated[
            bool,
            typer.Option(
                "--aws",
                help=f"Work on AWS, on the stack {targets.STACK_NAME}. (The last word "
                f"{targets.PROD} says the same.)",
            ),
        ] = False,
        stack: Annotated[
            str | None,
            typer.Option(help="Work on AWS, on the CloudFormation stack of this name."),
        ] = None,
        yes: Annotated[
            bool, typer.Option("--yes", help="On AWS: do not ask before a change.")
        ] = False,
        **own: Any,
    ) -> None:
        on_aws = aws or stack is not None
        stack_name = stack or targets.STACK_NAME

        def find() -> Target:
            if needs_stack or not on_aws:
                found = targets.target(on_aws=on_aws, stack_name=stack_name)
            else:
                found = targets.stack_or_account(stack_name)
            return dataclasses.replace(found, watch=watch) if verbose else found

        with reported_errors(on_aws=on_aws):
            function(Run(find=find, output=Output(as_json=as_json), yes=yes), **own)

    # typer reads the arguments and options of a command from its function's signature.
    _, *own = inspect.signature(function, eval_str=True).parameters.values()
    common = [
        parameter
        for parameter in inspect.signature(with_common_options).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and (changes or parameter.name != "yes")
    ]
    made: Any = with_common_options
    made.__signature__ = inspect.Signature([*own, *common])
    made.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *common]}
    made.__doc__ = function.__doc__
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    where = "Works on the running local cloud, or on AWS with --aws or --stack."
    app.command(name, cls=_Command, epilog=where)(made)
    return typer.main.get_command(app)
