"""Verifies that everything accepted under load is stored once, in order, and shown rightly."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cruddur_client import Client, Message, MessageGroup

__all__ = ["Journal", "Verified", "verify"]

_HUNDRED_OR_MORE = 100

type Place = tuple[str, str]


@dataclass
class Journal:
    """What was asked and answered during the load."""

    # Texts by name.
    sent: dict[str, str] = field(default_factory=dict)
    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    hints: Counter[str] = field(default_factory=Counter)
    # The furthest mark that was asked for, and the furthest that was accepted, by person and group.
    marks: dict[Place, Place] = field(default_factory=dict)
    marked: dict[Place, Place] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Journal":
        """Return the journal in a file."""
        journal = cls()
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            match entry["kind"]:
                case "send":
                    journal.sent[entry["message_uuid"]] = entry["message"]
                case "accepted":
                    journal.accepted[entry["uuid"]] = entry
                case "hint":
                    journal.hints[entry["type"]] += 1
                case "mark" | "marked" as kind:
                    marks = journal.marks if kind == "mark" else journal.marked
                    key = entry["by"], entry["group"]
                    place = entry["position"]["created_at"], entry["position"]["uuid"]
                    marks[key] = max(place, marks.get(key, ("", "")))
        return journal


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was looked at, and everything that was wrong."""

    messages: int
    rows: int
    marks: int
    faults: list[str]


def verify(
    connect: Callable[[str], Client],
    people: Iterable[dict[str, str]],
    journal: Journal,
    *,
    looks: int = 60,
) -> Verified:
    """Read everything that these people see, again until their lists have followed the messages.

    `connect` makes a client for a token. Each person is looked at so many times at most.
    """
    faults: list[str] = []
    seen: dict[str, set[str]] = defaultdict(set)
    rows = 0

    def look(person: dict[str, str]) -> tuple[dict[str, list[Message]], list[str], int]:
        with connect(person["token"]) as client:
            for _ in range(looks):
                shown, found = _seen_by(client, person["handle"], journal)
                if not found:
                    break
                time.sleep(1)
            return shown, [f"{person['handle']}: {fault}" for fault in found], len(shown)

    with ThreadPoolExecutor(8) as executor:
        for shown, found, number in executor.map(look, people):
            faults += found
            rows += number
            for group, messages in shown.items():
                seen[group] |= {message.uuid for message in messages}
    for name, entry in journal.accepted.items():
        if name not in seen[entry["message_group_uuid"]]:
            faults.append(f"{name} was accepted and is not in its group")
    stored = set().union(*seen.values())
    faults += [f"{name} was never sent" for name in stored - journal.sent.keys()]
    return Verified(
        messages=len(journal.accepted), rows=rows, marks=len(journal.marked), faults=faults
    )


def _seen_by(
    client: Client, handle: str, journal: Journal
) -> tuple[dict[str, list[Message]], list[str]]:
    """Return the messages that a person sees by group, and what is wrong with them."""
    faults = []
    listed = list(client.list_message_groups(counts=True, page_size=100))
    times = [row.created_at for row in listed]
    if times != sorted(times, reverse=True):
        faults.append("the list is not in order")
    if len({row.uuid for row in listed}) != len(listed):
        faults.append("the list has a group twice")
    shown = {}
    for row in listed:
        messages = list(client.list_messages(row.uuid, page_size=100))
        shown[row.uuid] = messages
        places = [_place(message) for message in messages]
        if places != sorted(places, reverse=True) or len(set(places)) != len(places):
            faults.append(f"{row.uuid}: messages are not in order, or twice")
        for message in messages:
            accepted = journal.accepted.get(message.uuid)
            if accepted and accepted["message"] != message.message:
                faults.append(f"{message.uuid}: another text")
        if (row.created_at, row.message) != (messages[0].created_at, messages[0].message):
            faults.append(f"{row.uuid}: the list does not show its last message")
        group = client.get_message_group(row.uuid)
        if not row.unread_count == group.unread_count == _unread(group, messages, handle):
            faults.append(f"{row.uuid}: {row.unread_count}, {group.unread_count} unread")
        key = handle, row.uuid
        if key in journal.marks:
            read = _place(group.read_up_to) if group.read_up_to else ("", "")
            if not journal.marked.get(key, ("", "")) <= read:
                faults.append(f"{row.uuid}: a mark went back")
    return shown, faults


def _place(value: Any) -> Place:
    return value.created_at.isoformat(timespec="microseconds"), value.uuid


def _unread(group: MessageGroup, messages: list[Message], handle: str) -> int:
    """Return how many messages of the other person this one has not read."""
    read = _place(group.read_up_to) if group.read_up_to else ("", "")
    unread = [m for m in messages if m.handle != handle and _place(m) > read]
    return min(len(unread), _HUNDRED_OR_MORE)
