"""What people do who use the API at the same time; it runs in the environment of locust.

Each of them has a connection for hints, and writes to three others. What was asked and what was
answered is written down, one JSON object a line, for `bench.load.verification`.
"""

import json
import os
import random
import uuid
from itertools import count
from pathlib import Path
from typing import Any

import gevent
import websocket
from locust import FastHttpUser, LoadTestShape, between, task
from locust.exception import StopUser

PEOPLE = json.loads(Path(os.environ["PEOPLE"]).read_text())
JOURNAL = Path(os.environ["JOURNAL"]).open("a", buffering=1)  # noqa: SIM115  # until the end
SECONDS = int(os.environ["STEP_SECONDS"])
STEPS = (25, 50, 100, 200)
_turn = count()


def note(kind: str, **what: Any) -> None:
    """Write down what happened, for the verification."""
    JOURNAL.write(json.dumps({"kind": kind, **what}) + "\n")


class Rising(LoadTestShape):
    """More people in each step."""

    def tick(self) -> tuple[int, float] | None:
        """Return how many people there are now, and how many may come in a second."""
        step = int(self.get_run_time() // SECONDS)
        return (STEPS[step], 25) if step < len(STEPS) else None


class Someone(FastHttpUser):
    """One person."""

    wait_time = between(0.5, 1.5)
    connection_timeout = network_timeout = 35.0

    def on_start(self) -> None:
        """Become somebody, connect for hints and write a first message."""
        number = next(_turn)
        if number >= len(PEOPLE):
            raise StopUser
        self.person = PEOPLE[number]
        self.others = [PEOPLE[(number + step) % len(PEOPLE)]["handle"] for step in (1, 2, 7)]
        self.groups: list[str] = []
        self.headers = {"Authorization": f"Bearer {self.person['token']}"}
        self.listener = gevent.spawn(self.listen)
        self.write_to_someone()

    def on_stop(self) -> None:
        """End the connection."""
        self.listener.kill()

    def listen(self) -> None:
        """Take hints as long as they come."""
        with self.client.post("/api/live", headers=self.headers, catch_response=True) as answer:
            ticket = answer.json()
        socket = websocket.create_connection(f"{ticket['url']}?ticket={ticket['ticket']}")
        try:
            while True:
                hint = json.loads(socket.recv())
                note("hint", by=self.person["handle"], type=hint["type"])
        finally:
            socket.close()

    def send(self, target: str, name: str, body: dict[str, Any]) -> None:
        """Send a message under a name, and remember its group."""
        named = {**body, "message_uuid": str(uuid.uuid4())}
        note("send", by=self.person["handle"], **named)
        answer = self.client.post(target, json=named, headers=self.headers, name=name)
        if answer.status_code in {200, 201}:
            accepted = answer.json()
            note("accepted", **accepted)
            if accepted["message_group_uuid"] not in self.groups:
                self.groups.append(accepted["message_group_uuid"])

    @task(1)
    def write_to_someone(self) -> None:
        """C: to one of three."""
        text = f"To you, {uuid.uuid4()}"
        body = {"handle": random.choice(self.others), "message": text}
        self.send("/api/message_groups", "C write to someone", body)

    @task(4)
    def go_on_writing(self) -> None:
        """D: in one of the groups."""
        if self.groups:
            body = {
                "message_group_uuid": random.choice(self.groups),
                "message": f"And more, {uuid.uuid4()}",
            }
            self.send("/api/messages", "D continue", body)

    @task(3)
    def look_at_the_list(self) -> None:
        """B: with what is unread."""
        answer = self.client.get(
            "/api/message_groups?counts=true", headers=self.headers, name="B list groups"
        )
        if answer.status_code == 200:
            self.groups = list({*self.groups, *(row["uuid"] for row in answer.json())})

    @task(3)
    def read(self) -> None:
        """A: and mark what was read."""
        if not self.groups:
            return
        group = random.choice(self.groups)
        answer = self.client.get(
            f"/api/messages/{group}", headers=self.headers, name="A list messages"
        )
        if answer.status_code != 200:
            return
        newest = answer.json()[0]
        position = {"created_at": newest["created_at"], "uuid": newest["uuid"]}
        mark = {"by": self.person["handle"], "group": group, "position": position}
        note("mark", **mark)
        marked = self.client.patch(
            f"/api/message_groups/{group}",
            json={"read_up_to": position},
            headers=self.headers,
            name="mark as read",
        )
        if marked.status_code == 200:
            note("marked", **mark)
