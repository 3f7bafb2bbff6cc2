"""How long after D's answer both members have the hint of a message, on the local cloud.

bin/python -m bench.hints
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor

from websockets.sync.client import ClientConnection, connect

from bench.figures import Spread, table
from bench.local_cloud import Started, started

MESSAGES = 40
_GROUP = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"  # of the two, in the seed
_MEMBERS = ("grahams", "reef")


def measure() -> Spread:
    """Send messages, each when both have been told of the one before; milliseconds."""
    with started() as cloud:
        return _lags(cloud)


def _lags(cloud: Started) -> Spread:
    clients = [cloud.client(handle) for handle in _MEMBERS]
    tickets = [client.post("/api/live").json() for client in clients]
    opening = [connect(f"{each['url']}?ticket={each['ticket']}", proxy=None) for each in tickets]
    with opening[0] as one, opening[1] as other, ThreadPoolExecutor(2) as executor:
        lags = []
        for number in range(MESSAGES + 1):
            time.sleep(0.37 * (number % 3))  # not in step with the polls of the stream
            body = {"message_group_uuid": _GROUP, "message": f"message {number}"}
            sent = clients[0].post("/api/messages", json=body).json()
            answered = time.perf_counter()
            told = [executor.submit(_told, socket, sent["uuid"]) for socket in (one, other)]
            lags.append((max(each.result() for each in told) - answered) * 1000)
    return Spread.of(lags[1:])  # the first has the functions start


def _told(socket: ClientConnection, message_uuid: str) -> float:
    while json.loads(socket.recv()).get("message_uuid") != message_uuid:
        pass
    return time.perf_counter()


def report(lag: Spread) -> str:
    """Return it as a table in Markdown."""
    return table(["", ""], [["both have it after, ms", f"{lag:.0f}"]])


if __name__ == "__main__":
    print(report(measure()))
