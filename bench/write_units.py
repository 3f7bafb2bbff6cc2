"""Write units of a message and of the moves that follow it, K messages of a group in a batch.

    bin/python -m bench.write_units

As DynamoDB reports them (ConsumedCapacity of table and index), with messages of 200 characters.
"""

import time
from datetime import UTC, datetime
from uuid import uuid4

from bench.engine import Engine, Meter, engine
from messaging import message_groups
from messaging.entities import User
from messaging.message_groups import NewMessage, SentMessage
from messaging.repository import PageRequest, Repository
from messaging.stream import update_message_groups
from tests.fakes.records import inserted

TEXT = "x" * 200
BATCHES = (1, 2, 3, 10)


def user(name: str) -> User:
    """Return someone new."""
    return User(uuid=str(uuid4()), handle=name, display_name=name.capitalize())


def write(
    repository: Repository, sender: User, group: str, *, name: str | None = None
) -> SentMessage:
    """Write a message into an existing group."""
    new = NewMessage(message=TEXT, message_uuid=name)
    return message_groups.create_message(repository, sender, group, new, now=datetime.now(UTC))


def move(repository: Repository, sent: list[SentMessage]) -> None:
    """Let E see these messages in one batch."""
    update_message_groups(
        inserted(*(one.message for one in sent)),
        repository,
        sleep=time.sleep,
        seconds_left=lambda: 60.0,
        now=lambda: datetime.now(UTC),
    )


def units(meter: Meter) -> tuple[float, float]:
    """Return what was consumed on the table and on the index."""
    return meter.write_units["table"], meter.write_units["index"]


def measure(running: Engine) -> None:
    """Print the tables."""
    one, other = user("grahams"), user("reef")
    repository, meter = running.repository()
    sent = message_groups.create_message_group(
        repository, one, other, NewMessage(message=TEXT), now=datetime.now(UTC)
    )
    group = sent.message.message_group_uuid
    print("| | table | index | calls |\n|---|---|---|---|")

    def row(what: str, meter: Meter, messages: int = 1) -> None:
        table, index = (number / messages for number in units(meter))
        calls = ", ".join(f"{count} {name}" for name, count in meter.calls.items())
        print(f"| {what} | {table:g} | {index:g} | {calls} |")

    row("C, new group", meter)
    message_groups.list_messages(
        repository, one, group, PageRequest(limit=1)
    )  # the members are remembered from here on
    repository, meter = running.repository()
    write(repository, one, group)
    row("D", meter)
    repository, meter = running.repository()
    write(repository, one, group, name=str(uuid4()))
    row("D, named", meter)
    repository, _ = running.repository()
    newest = write(repository, one, group)
    move(repository, [newest])

    print("\n| K | E a batch: table + index | D + E a message |\n|---|---|---|")
    for size in BATCHES:
        writer, written = running.repository()
        batch = [write(writer, one, group) for _ in range(size)]
        mover, moved = running.repository()
        move(mover, batch)
        d, e = sum(units(written)), units(moved)
        print(f"| {size} | {e[0]:g} + {e[1]:g} | {(d + sum(e)) / size:g} |")
        again, repeated = running.repository()
        move(again, batch)
        assert units(repeated) == (0, 0), "a repeat must not write"


if __name__ == "__main__":
    with engine() as running:
        measure(running)
