"""What the commands have in common: where they work, how they print, and how they are named.

A command is a function of a `Run` and of options of its own; `command` gives it the words on the
command line with ``prod`` as the last, and the options that all commands have.
"""

import dataclasses
import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any

import typer

from cruddur import targets
from cruddur.output import Output, watch
from cruddur.targets import Target
from cruddur.terminal import reports_errors


class Run:
    """One run of a command.

    Attributes
    ----------
    words
        What stands on the command line, without `prod`.
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
        """Where the command works, found when it is needed: wrong use is said before.

        On AWS account, region and stack are shown.

        Raises
        ------
        TargetError
            Nothing runs there.
        """
        target = self._find()
        if target.is_prod:
            typer.echo(target.name, err=True)
        return target

    def confirm(self, what: str) -> None:
        """Say what is about to be changed, and ask where that is on AWS.

        Raises
        ------
        typer.Abort
            The answer is no, or there is nobody to ask.
        """
        if self.target.is_prod and not self._yes:
            typer.confirm(f"{what} Go on?", abort=True, err=True)


def command(
    group: typer.Typer,
    name: str,
    *,
    words: str = "",
    least: int = 0,
    most: int = 0,
    changes: bool = False,
    needs_stack: bool = True,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function of a `Run` the command `name` of `group`.

    Parameters
    ----------
    words
        How the words before `prod` are called in the help; `least` and `most` say how many.
    changes
        Something may be changed: there is --yes, and the function has to ask by `Run.confirm`.
    needs_stack
        With prod there has to be a stack; otherwise an account is enough.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        def typed(
            arguments: list[str] | None = None,
            *,
            as_json: bool = False,
            verbose: bool = False,
            stack: str = targets.STACK_NAME,
            yes: bool = False,
            **options: Any,
        ) -> None:
            rest, prod = targets.without_prod(arguments or [])
            if not least <= len(rest) <= most:
                usage = f"{words} [prod]".strip()
                raise typer.BadParameter(f"the arguments are {usage}")

            def find() -> Target:
                if needs_stack or not prod:
                    found = targets.target(prod=prod, stack_name=stack)
                else:
                    found = targets.stack_or_account(stack)
                return dataclasses.replace(found, watch=watch) if verbose else found

            output = Output(as_json=as_json)
            function(Run(words=rest, find=find, output=output, yes=yes), **options)

        hidden = set() if changes else {"yes"}
        _, *own = inspect.signature(function, eval_str=True).parameters.values()
        common = [p for p in _COMMON if p.name not in hidden]
        typed.__signature__ = inspect.Signature([_arguments(words), *own, *common])  # type: ignore[attr-defined]  # typer reads it
        typed.__annotations__ = {p.name: p.annotation for p in (_arguments(words), *own, *common)}
        typed.__doc__ = function.__doc__
        group.command(name)(reports_errors(typed))
        return function

    return decorate


def _arguments(words: str) -> inspect.Parameter:
    shown = typer.Argument(
        metavar=f"{words} [prod]".strip(),
        help="prod: on AWS; otherwise in the running local cloud.",
        autocompletion=lambda incomplete: [w for w in [targets.PROD] if w.startswith(incomplete)],
    )
    return inspect.Parameter(
        "arguments",
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Annotated[list[str] | None, shown],
    )


def _option(name: str, kind: Any, default: Any, flag: str, text: str) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, typer.Option(flag, help=text)],
    )


_COMMON = [
    _option("as_json", bool, False, "--json", "One JSON object a line, nothing else on stdout."),
    _option("verbose", bool, False, "--verbose", "The answers of AWS as they come, on stderr."),
    _option("stack", str, targets.STACK_NAME, "--stack", "With prod: the CloudFormation stack."),
    _option("yes", bool, False, "--yes", "With prod: do not ask."),
]
