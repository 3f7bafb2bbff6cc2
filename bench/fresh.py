"""One cold start: `fresh.py EVENTS`, run in a new interpreter by bench.cold_start.

Imports ``app``, calls its handler with each event of the file, and prints one line of JSON: CPU
and wall seconds of the import and of each call. It imports only what Lambda's runtime client
imports, too.
"""

import json
import sys
import time
from importlib import import_module
from itertools import pairwise
from types import SimpleNamespace
from typing import Any


def clocks() -> tuple[float, float]:
    """Return the process's CPU time and the wall clock, in seconds."""
    return time.process_time(), time.perf_counter()


def main() -> None:
    """Import, call, print."""
    with open(sys.argv[1]) as file:  # noqa: PTH123  # pathlib would be imported for it
        events = json.load(file)
    context: Any = SimpleNamespace(
        aws_request_id="request",
        function_name="function",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:function",
        get_remaining_time_in_millis=lambda: 25_000,
    )
    times = [clocks()]
    handler = import_module("app").lambda_handler
    times.append(clocks())
    answers = []
    for event in events:
        answers.append(handler(event, context))
        times.append(clocks())
    steps = [
        {"cpu": after[0] - before[0], "wall": after[1] - before[1]}
        for before, after in pairwise(times)
    ]
    print(json.dumps({"steps": steps, "answers": answers}))


if __name__ == "__main__":
    main()
