"""Whatever people and operators do in whatever order, the table says one consistent thing.

Random new groups, messages, named sends, deliveries, replays and repairs on the real repository
(moto), with answers lost on every kind of write.
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any
from unittest import mock
from uuid import UUID

import boto3
import hypothesis.strategies as st
import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from moto import mock_aws

from commands.reconcile import run
from commands.reconcile.digest import Rules
from commands.reconcile.group import Reconciler
from commands.reconcile.table import Table
from messaging import keys, marks, message_groups
from messaging.attributes import from_dynamodb
from messaging.entities import Item, Marking, Message, MessageGroupRow
from messaging.message_groups import SendRequest, SendResult
from messaging.repository import Repository
from messaging.stream import StreamProcessor
from runtime import environment
from runtime.deadline import Deadline
from runtime.errors import TryAgainError
from runtime.user import User
from tests.fakes.people import BAYKO, GRAHAMS, REEF, minute
from tests.fakes.records import inserted, sequence_number
from tests.fakes.template import create_table_arguments, read_stack

PEOPLE = (GRAHAMS, REEF, BAYKO)
STACK = read_stack()
WRITES = {"put_item", "transact_write_items", "update_item"}

type Send = Callable[[], SendResult]

people = st.sampled_from(PEOPLE)


class LossyClient:
    """A client whose next write is carried out, and its answer lost, when `lose` is set."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.lose = False

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._client, name)
        if name not in WRITES:
            return member

        def write(**arguments: Any) -> Any:
            answer = member(**arguments)
            if self.lose:
                self.lose = False
                raise ReadTimeoutError(endpoint_url="table")
            return answer

        return write


class History(RuleBasedStateMachine):
    """Three people who write to each other, and the stream that follows."""

    names = Bundle("names")

    def __init__(self) -> None:
        super().__init__()
        environment.renew()
        # The same history again gives the same uuids.
        random = Random(1)
        self.uuids = mock.patch.object(
            message_groups,
            "uuid4",
            side_effect=lambda: UUID(int=random.getrandbits(128), version=4),
        )
        self.uuids.start()
        arguments = create_table_arguments(STACK)
        self.table_name = arguments["TableName"]
        self.plain = boto3.client("dynamodb", region_name=STACK.region)
        self.plain.create_table(**arguments)
        self.client = LossyClient(self.plain)
        client: Any = self.client
        self.repository = Repository(
            client, self.table_name, deadline=Deadline(), sleep=lambda _: None
        )
        self.processor = self.new_environment()
        self.items: list[Item] = []
        self.clock = 0
        self.stream: list[Message] = []
        self.delivered = 0
        # Sends that were answered, by the uuid of their message; named sends by their name.
        self.answered: dict[str, SendResult] = {}
        self.named: dict[str, Send] = {}
        # The farthest mark that was answered, by reader and group.
        self.read_up_to: dict[tuple[str, str], str] = {}

    def teardown(self) -> None:
        try:
            self.deliver_all()
            self.at_rest()
        finally:
            self.uuids.stop()
            self.plain.delete_table(TableName=self.table_name)

    # ------------------------------------------------------------------ what happens

    @initialize()
    def first_conversation(self) -> None:
        self.attempt(self.to_person(GRAHAMS, REEF))

    @rule(sender=people, receiver=people)
    def write_to(self, sender: User, receiver: User) -> None:
        if sender != receiver:
            self.attempt(self.to_person(sender, receiver))

    @rule(target=names, sender=people, receiver=people, number=st.integers(0, 5))
    def write_named(self, sender: User, receiver: User, number: int) -> str:
        name = str(UUID(int=1000 * PEOPLE.index(sender) + number))
        if sender != receiver and name not in self.named:
            self.named[name] = self.to_person(sender, receiver, name=name)
            self.attempt(self.named[name])
        return name

    @rule(target=names, sender=people, group=st.integers(0, 2), number=st.integers(6, 9))
    def go_on_named(self, sender: User, group: int, number: int) -> str:
        name = str(UUID(int=1000 * PEOPLE.index(sender) + number))
        groups = self.groups_of(sender)
        if groups and name not in self.named:
            self.named[name] = self.to_group(sender, groups[group % len(groups)], name=name)
            self.attempt(self.named[name])
        return name

    @rule(name=names)
    def repeat_named(self, name: str) -> None:
        if name in self.named:
            self.attempt(self.named[name])

    @rule(sender=people, group=st.integers(0, 2), ahead=st.integers(-3, 3))
    def go_on(self, sender: User, group: int, ahead: int) -> None:
        """A message of a function whose clock is a little off."""
        if groups := self.groups_of(sender):
            off = timedelta(seconds=ahead * 45)
            self.attempt(self.to_group(sender, groups[group % len(groups)], off=off))

    @rule(reader=people, number=st.integers(0, 30), muted=st.sampled_from([None, True, False]))
    def read(self, reader: User, number: int, muted: bool | None) -> None:
        """Somebody reads up to any message of theirs; the answer may be lost."""
        mine = self.groups_of(reader)
        messages = sorted(m.place for m in self.messages() if m.message_group_uuid in mine)
        if not messages:
            return
        place = messages[number % len(messages)]
        (group,) = {m.message_group_uuid for m in self.messages() if m.place == place}
        marking = Marking(read_sk=place, marked_unread=False, muted=muted)
        with contextlib.suppress(TryAgainError):
            marks.mark_row(self.repository, reader.uuid, group, marking)
            self.read_up_to[reader.uuid, group] = max(
                place, self.read_up_to.get((reader.uuid, group), "")
            )
        self.look()

    @rule()
    def lose_an_answer(self) -> None:
        self.client.lose = True

    @rule()
    def start_cold(self) -> None:
        self.processor = self.new_environment()

    @rule(size=st.integers(1, 5))
    def deliver(self, size: int) -> None:
        self.invoke(self.stream[self.delivered : self.delivered + size], size)

    @rule(start=st.integers(0, 30), size=st.integers(1, 5), backwards=st.booleans())
    def replay(self, start: int, size: int, backwards: bool) -> None:
        batch = self.stream[: self.delivered][start : start + size]
        self.update(batch[::-1] if backwards else batch)

    @rule(at_once=st.booleans())
    def reconcile(self, at_once: bool) -> None:
        """An operator repairs the whole table, now or with a minute's patience."""
        client: Any = self.client
        rules = Rules()
        reconciler = Reconciler(
            Table(client, self.table_name, deadline=Deadline(), sleep=lambda _: None),
            rules=run.without_lag(rules) if at_once else rules,
            now=lambda: minute(self.clock),
            sleep=lambda _: None,
        )
        losing = self.client.lose
        with contextlib.suppress(TryAgainError):
            for result in run.whole_table(reconciler, workers=1):
                assert losing or result.left == []
        self.look()

    # ------------------------------------------------------------------ how it happens

    def renamed(self, user: User) -> User:
        """People call themselves something else each time that they write."""
        return replace(user, display_name=f"{user.handle} at {self.clock}")

    def to_person(self, sender: User, receiver: User, *, name: str | None = None) -> Send:
        sender = self.renamed(sender)
        request = SendRequest(message=f"at {self.clock}", message_uuid=name)
        return lambda: message_groups.create_message_group(
            self.repository, sender, receiver, request, now=lambda: minute(self.clock)
        )

    def to_group(
        self, sender: User, group: str, *, name: str | None = None, off: timedelta = timedelta(0)
    ) -> Send:
        sender = self.renamed(sender)
        request = SendRequest(message=f"at {self.clock}", message_uuid=name)
        return lambda: message_groups.create_message(
            self.repository, sender, group, request, now=lambda: minute(self.clock) + off
        )

    def attempt(self, send: Send) -> None:
        self.clock += 1
        try:
            sent = send()
        except TryAgainError:
            pass
        else:
            known = self.answered.setdefault(sent.message.message_uuid, sent)
            assert known == sent, "a repeat was answered otherwise"
        self.look()
        seen = {message.sk for message in self.stream}
        # The template's filter leaves out what made a group.
        self.stream += [m for m in self.messages() if m.sk not in seen and not m.first]

    def update(self, messages: list[Message]) -> list[int]:
        """Invoke E; return the places of the records that are to come again."""
        records = inserted(*messages)
        numbers = [sequence_number(record) for record in records]
        report = self.processor.process(records)
        assert report.parked == 0
        self.look()
        return [numbers.index(number) for number in report.failed]

    def new_environment(self) -> StreamProcessor:
        """Return E as it starts cold."""
        return StreamProcessor(self.repository, clock=lambda: minute(self.clock), concurrency=1)

    def invoke(self, messages: list[Message], size: int) -> None:
        failed = self.update(messages)
        self.delivered = min(len(self.stream), self.delivered + (min(failed) if failed else size))

    def deliver_all(self) -> None:
        self.client.lose = False
        while self.delivered < len(self.stream):
            self.deliver(5)

    # ------------------------------------------------------------------ what must be true

    def look(self) -> None:
        """Read the whole table, once after each thing that happened."""
        pages = self.plain.get_paginator("scan").paginate(TableName=self.table_name)
        self.items = [from_dynamodb(item) for page in pages for item in page["Items"]]

    def messages(self) -> list[Message]:
        return [
            Message.from_item(item)
            for item in self.items
            if item["pk"].startswith(keys.MESSAGE_PREFIX)
        ]

    def rows(self) -> list[MessageGroupRow]:
        return [
            MessageGroupRow.from_item(item)
            for item in self.items
            if item["pk"].startswith(keys.MESSAGE_GROUP_PREFIX)
        ]

    def groups_of(self, user: User) -> list[str]:
        return sorted({r.message_group_uuid for r in self.rows() if r.owner_uuid == user.uuid})

    @invariant()
    def every_conversation_is_in_both_lists_once(self) -> None:
        slots = sorted((row.message_group_uuid, row.owner_uuid) for row in self.rows())
        assert len(slots) == len(set(slots))
        groups = {message.message_group_uuid for message in self.messages()}
        assert {group for group, _ in slots} == groups
        assert len(slots) == 2 * len(groups)

    @invariant()
    def a_pair_has_one_group(self) -> None:
        pairs = [(row.owner_uuid, row.user_uuid) for row in self.rows()]
        assert len(pairs) == len(set(pairs))

    @invariant()
    def what_was_answered_is_stored_once(self) -> None:
        stored = [message.message_uuid for message in self.messages()]
        assert len(stored) == len(set(stored))
        assert set(self.answered) <= set(stored)

    @invariant()
    def what_was_read_stays_read(self) -> None:
        rows = {(row.owner_uuid, row.message_group_uuid): row for row in self.rows()}
        assert all((rows[at].marks.read_sk or "") >= sk for at, sk in self.read_up_to.items())

    def at_rest(self) -> None:
        last: dict[str, Message] = {}
        for message in sorted(self.messages(), key=lambda m: m.position):
            last[message.message_group_uuid] = message
        for row in self.rows():
            assert row.last_sk == last[row.message_group_uuid].place
            assert row.message == last[row.message_group_uuid].message
            theirs = [
                message
                for message in self.messages()
                if message.message_group_uuid == row.message_group_uuid
                and message.user_uuid != row.owner_uuid
            ]
            if theirs:
                newest = max(theirs, key=lambda m: m.position)
                assert row.their_sk == newest.place
                assert row.user_display_name == newest.user_display_name
            unread = [message for message in theirs if message.place > (row.marks.read_sk or "")]
            assert row.has_news == bool(unread)
            counts = marks.count_unread(self.repository, [row])
            assert counts[row.message_group_uuid] == len(unread)


@pytest.mark.parametrize("histories", [6, pytest.param(150, marks=pytest.mark.proof)])
def test_any_history(histories: int) -> None:
    with mock_aws():
        run_state_machine_as_test(
            History,
            settings=settings(
                max_examples=histories,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                derandomize=True,
                database=None,
            ),
        )
