"""How long after D's answer both members have the hint of a message, on the local cloud.

bin/python -m bench.hints
"""

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from websockets.sync.client import ClientConnection, connect

from bench.figures import Spread, table
from bench.local_cloud import Started, started
from seed.examples import seed_message_groups

MESSAGES = 40


def measure() -> Spread:
    """Send messages, each when both members have the hint of the one before; milliseconds."""
    with tempfile.TemporaryDirectory(prefix="bench") as folder, started(Path(folder)) as cloud:
        return _lags(cloud)


def _lags(cloud: Started) -> Spread:
    group = seed_message_groups()[0]
    clients = [cloud.client(handle) for handle in group.members]
    tickets = [client.post("/api/live").json() for client in clients]
    opening = [connect(f"{each['url']}?ticket={each['ticket']}", proxy=None) for each in tickets]
    with opening[0] as one, opening[1] as other, ThreadPoolExecutor(2) as executor:
        lags = []
        for number in range(MESSAGES + 1):
            time.sleep(0.37 * (number % 3))  # not in step with the polls of the stream
            body = {"message_group_uuid": group.uuid, "message": f"message {number}"}
            sent = clients[0].post("/api/messages", json=body).json()
            answered = time.perf_counter()
            told = [executor.submit(_told, socket, sent["uuid"]) for socket in (one, other)]
            lags.append((max(each.result() for each in told) - answered) * 1000)
    return Spread.of(lags[1:])  # the first message starts the functions


def _told(socket: ClientConnection, message_uuid: str) -> float:
    while json.loads(socket.recv()).get("message_uuid") != message_uuid:
        pass
    return time.perf_counter()


def report(lag: Spread) -> str:
    """Return it as a table in Markdown."""
    return table(["", ""], [["both have it after, ms", f"{lag:.0f}"]])


if __name__ == "__main__":
    print(report(measure()))
