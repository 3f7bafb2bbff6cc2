"""Whatever an item holds, nothing fails for it but what needs it."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import timedelta
from functools import cache
from itertools import count
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.reconcile import run
from commands.reconcile.digest import Rules
from commands.reconcile.group import Reconciler, Result
from commands.reconcile.plan import Kind
from messaging import hints, keys, marks, message_groups
from messaging.attributes import to_dynamodb
from messaging.entities import Connection, Item
from messaging.errors import UnreadableItemError
from messaging.message_groups import SendRequest
from messaging.repository import PageRequest
from messaging.stream import StreamProcessor
from runtime.errors import TryAgainError
from tests.fakes.memory_table import MemoryTable
from tests.fakes.people import BAYKO, GRAHAMS, REEF, minute
from tests.fakes.records import inserted, record

# By then every message has been delivered.
LATER = minute(0) + timedelta(days=1)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@cache
def begun() -> Mapping[tuple[str, str], Item]:
    """Grahams writes with reef and with bayko; reef has answered, and is connected."""
    table, minutes, uuids = MemoryTable(), count(), count(1)
    with pytest.MonkeyPatch.context() as patch:  # each item stands where it stood in the last run
        patch.setattr(message_groups, "uuid4", lambda: UUID(int=next(uuids)))
        for sender, receiver in ((GRAHAMS, REEF), (GRAHAMS, BAYKO), (REEF, GRAHAMS)):
            named = SendRequest(message="x", message_uuid=str(UUID(int=100 + next(uuids))))
            message_groups.create_message_group(
                table, sender, receiver, named, now=lambda: minute(next(minutes))
            )
    connection = Connection(
        user_uuid=REEF.uuid,
        slot=0,
        connection_id="one",
        connected_at=minute(0),
        expires_at=LATER,
    )
    table.put_connection(connection, replaced=None)
    return table.items


KEYS = frozenset({"pk", "sk"})
# The keys of items and of indexes are strings, says the table.
STRINGS = frozenset({"last_sk", "message_group_uuid"})
TEXTS = st.one_of(
    st.text(max_size=5),
    st.sampled_from(["", "~", "0", GRAHAMS.uuid, GRAHAMS.uuid.upper(), "2027-01-01T00:00:00"]),
)
VALUES = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(-(10**130), 10**130),
    st.lists(st.one_of(TEXTS, st.integers()), max_size=2),
    st.dictionaries(TEXTS, TEXTS, max_size=1),
    st.binary(max_size=2),
)


@st.composite
def broken(draw: st.DrawFn) -> tuple[MemoryTable, Item]:
    """A table in which attributes of one item are missing, or hold anything."""
    table = MemoryTable()
    table.items = deepcopy(dict(begun()))
    item = table.items[draw(st.sampled_from(sorted(table.items)))]
    for name in draw(st.sets(st.sampled_from(sorted(item.keys() - KEYS)), min_size=1)):
        if draw(st.booleans()):
            del item[name]
        else:
            item[name] = draw(TEXTS.filter(len) if name in STRINGS else VALUES)
    return table, item


@given(broken())
def test_a_broken_item_fails_nothing_that_can_do_without_it(
    given_: tuple[MemoryTable, Item],
) -> None:
    table, item = given_
    for pk in {pk for pk, _ in table.items if pk.startswith(keys.MESSAGE_PREFIX)}:
        table.list_messages(keys.uuid_in(pk, keys.MESSAGE_PREFIX), PageRequest(limit=10))
    for user in (GRAHAMS, REEF, BAYKO):
        rows = table.list_message_groups(user.uuid, PageRequest(limit=10)).rows
        marks.count_unread(table, rows)
        table.list_connections(user.uuid)
        table.get_settings(user.uuid)
    list(hints.hints_of(record(item)))
    to_dynamodb(item)


@given(broken())
def test_a_broken_item_holds_no_shard(given_: tuple[MemoryTable, Item]) -> None:
    table, item = given_
    records = [record(item)]
    for other in (REEF, BAYKO):
        try:
            sent = message_groups.create_message_group(
                table, GRAHAMS, other, SendRequest(message="z"), now=lambda: minute(5)
            )
        except (TryAgainError, UnreadableItemError):
            continue  # PAIR or MEMBERS is broken: nothing is written
        records += inserted(sent.message)
    assert StreamProcessor(table, clock=lambda: LATER, concurrency=1).process(records).failed == []


@given(broken())
def test_a_broken_item_ends_no_reconcile(given_: tuple[MemoryTable, Item]) -> None:
    table, _ = given_
    reconciler = Reconciler(table, rules=Rules(), now=lambda: LATER, sleep=lambda _: None)
    results = list(run.whole_table(reconciler, workers=1))
    groups = {pk for pk, _ in table.items if pk.startswith(keys.MESSAGE_PREFIX)}
    assert {
        keys.message_pk(r.message_group_uuid) for r in results if r.message_group_uuid
    } >= groups
    # What was repaired stays so, and a second run finds nothing new.
    again = list(run.whole_table(reconciler, workers=1))
    assert [finding for result in again for finding in result.repaired] == []
    assert _left(again) <= _left(results)


def _left(results: list[Result]) -> Counter[Kind]:
    return Counter(finding.kind for result in results for finding in result.left)
