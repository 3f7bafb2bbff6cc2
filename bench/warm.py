"""CPU of a warm request of A to D: our handler, the reference's, and the bare calls of ours.

    bin/python -m bench.warm

They take turns in this process, with the same engine and pages of 20 rows. The bare calls are those
to DynamoDB that our handler makes, recorded with their parameters. Each C writes to a new person.
"""

import importlib
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from botocore import xform_name

from bench.conversations import TEXT, user
from bench.figures import Spread, table
from bench.reference import Reference, create_table
from bench.stage import PAGE, Stage, list_messages, request, stage
from messaging import repository

REQUESTS = 100
# Each round begins a conversation: after these rounds both lists have a page of rows.
WARM_UP = PAGE

OURS = {
    "A": "list_messages",
    "B": "list_message_groups",
    "C": "create_message_group",
    "D": "create_message",
}
_CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 25_000)

type Handler = Callable[[Any, Any], Any]


@dataclass(frozen=True, kw_only=True)
class Warm:
    """CPU milliseconds of one warm request of a pattern."""

    pattern: str
    ours: Spread
    reference: Spread
    bare: Spread


def measure(scene: Stage) -> list[Warm]:
    """Call handlers and bare calls in turns."""
    own = scene.variables() | {"DATABASE_AUTH": "url", "DATABASE_URL": scene.directory.url}
    with patch.dict(os.environ, own):
        ours: dict[str, Handler] = {
            pattern: importlib.import_module(f"functions.{name}.app").lambda_handler
            for pattern, name in OURS.items()
        }
        reference, their_group = _reference(scene)
        our_events = _events(scene, scene.group)
        their_events = _events(scene, their_group)
        bare = {pattern: _bare_calls(ours[pattern], our_events[pattern]) for pattern in OURS}
        times: dict[tuple[str, str], list[float]] = {}
        for number in range(WARM_UP + REQUESTS):
            for pattern in OURS:
                calls = {
                    "ours": _call(ours[pattern], next(our_events[pattern])),
                    "reference": _call(reference, next(their_events[pattern])),
                    "bare": bare[pattern],
                }
                for design, call in calls.items():
                    began = time.process_time()
                    call()
                    taken = (time.process_time() - began) * 1000
                    if number >= WARM_UP:
                        times.setdefault((pattern, design), []).append(taken)
    return [
        Warm(
            pattern=pattern,
            ours=Spread.of(times[pattern, "ours"]),
            reference=Spread.of(times[pattern, "reference"]),
            bare=Spread.of(times[pattern, "bare"]),
        )
        for pattern in OURS
    ]


def _reference(scene: Stage) -> tuple[Handler, str]:
    """Return the reference's handler, and a conversation of one page in its table."""
    reference = Reference(client=scene.running.client("dynamodb"), table="reference-warm")
    create_table(reference.client, reference.table)
    group = reference.begin(scene.people, TEXT)
    for _ in range(PAGE):
        reference.write(scene.people[0], group, TEXT)
    with patch.dict(os.environ, {"TABLE_NAME": reference.table}):
        handler: Handler = importlib.import_module("bench.reference_api").lambda_handler
    return handler, group


def _events(scene: Stage, group: str) -> Mapping[str, Iterator[dict[str, Any]]]:
    sender = scene.people[0]

    def somebody_new() -> Iterator[dict[str, Any]]:
        for number in itertools.count():
            guest = user(f"guest{number}-{group[:8]}")
            scene.directory.add(guest)
            body = {"handle": guest.handle, "message": TEXT}
            yield request("POST", "/api/message_groups", by=sender, body=body)

    message = {"message_group_uuid": group, "message": TEXT}
    return {
        "A": itertools.repeat(list_messages(sender, group)),
        "B": itertools.repeat(request("GET", "/api/message_groups", by=sender)),
        "C": somebody_new(),
        "D": itertools.repeat(request("POST", "/api/messages", by=sender, body=message)),
    }


def _call(handler: Handler, event: Mapping[str, Any]) -> Callable[[], None]:
    def call() -> None:
        answer = handler(event, _CONTEXT)
        if answer["statusCode"] not in (200, 201):
            raise SystemExit(f"the handler answered {answer}")

    return call


def _bare_calls(handler: Handler, events: Iterator[Mapping[str, Any]]) -> Callable[[], None]:
    """Return the calls of a warm request to DynamoDB, without the handler around them."""
    client = repository.of_environment()._client
    _call(handler, next(events))()  # from here on it is warm
    with _recorded(client) as recorded:
        _call(handler, next(events))()
    calls = [(getattr(client, name), json.loads(parameters)) for name, parameters in recorded]
    for _, parameters in calls:
        for write in parameters.get("TransactItems", ()):  # the second time it would be refused
            for name in ("ConditionExpression", "ReturnValuesOnConditionCheckFailure"):
                write["Put"].pop(name, None)

    def call() -> None:
        for operation, parameters in calls:
            operation(**parameters)

    return call


@contextmanager
def _recorded(client: Any) -> Iterator[list[tuple[str, str]]]:
    calls: list[tuple[str, str]] = []

    def note(params: Any, model: Any, **_: Any) -> None:
        calls.append((xform_name(model.name), json.dumps(params)))

    client.meta.events.register("provide-client-params.dynamodb", note)
    try:
        yield calls
    finally:
        client.meta.events.unregister("provide-client-params.dynamodb", note)


def report(results: list[Warm]) -> str:
    """Return them as a table in Markdown."""
    rows = [
        [one.pattern, *(f"{spread:.2f}" for spread in (one.ours, one.reference, one.bare))]
        for one in results
    ]
    return table(["CPU ms of a warm request", "ours", "reference", "bare calls"], rows)


if __name__ == "__main__":
    with stage() as measured:
        print(report(measure(measured)))
