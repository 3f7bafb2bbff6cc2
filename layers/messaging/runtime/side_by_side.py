"""Calls that do not depend on each other, some at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

# As many at a time as a client of boto3 has connections.
CONCURRENT_CALLS = 10


def run[Given, Answer](
    work: Callable[[Given], Answer],
    arguments: Sequence[Given],
    *,
    concurrency: int = CONCURRENT_CALLS,
) -> list[Answer]:
    """Return what `work` gives for each of `arguments`, in their order.

    What it raises is raised, when all of them are done.
    """
    threads = min(concurrency, len(arguments))
    if threads <= 1:
        return [work(given) for given in arguments]
    with ThreadPoolExecutor(threads) as executor:
        return list(executor.map(work, arguments))
