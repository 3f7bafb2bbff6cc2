"""What a function keeps between two invocations: clients, connections, and what it has read.

All of it is kept here, so that a test can begin with nothing by one call of `renew`.
"""

import os
from collections.abc import Callable, Hashable, MutableMapping
from contextlib import suppress
from functools import wraps
from typing import Any

import cachetools

_kept: dict[Callable[..., Any], Any] = {}


def once[Made](make: Callable[[], Made]) -> Callable[[], Made]:
    """Let `make` be called once, when what it makes is first asked for."""

    @wraps(make)
    def get() -> Made:
        if make not in _kept:
            _kept[make] = make()
        made: Made = _kept[make]
        return made

    return get


def cached[**Given, Found](
    cache: Callable[[], MutableMapping[Any, Any]], *, key: Callable[..., Hashable]
) -> Callable[[Callable[Given, Found]], Callable[Given, Found]]:
    """Let a function keep what it returned under `key`, in what `cache` makes.

    What it raised is not kept.
    """

    def decorate(find: Callable[Given, Found]) -> Callable[Given, Found]:
        remembering = once(lambda: cachetools.cached(cache(), key=key)(find))

        @wraps(find)
        def get(*given: Given.args, **named: Given.kwargs) -> Found:
            return remembering()(*given, **named)

        return get

    return decorate


def at_start(*make: Callable[[], object]) -> None:
    """Make now what every request will ask for, if this is the start of a Lambda environment.

    During its start a function has a whole core, in a request only its memory's share of one.
    What cannot be made is left to the request, which then says what is wrong.
    """
    if "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ:
        for each in make:
            with suppress(Exception):
                each()


def renew() -> None:
    """Forget everything, as a cold start does."""
    _kept.clear()
