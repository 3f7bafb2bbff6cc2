"""The contract of `Repository`: the fake of the unit tests and the table pass the same tests."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from io import BytesIO
from itertools import product
from typing import Any
from uuid import UUID

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from moto.core.models import botocore_stubber

from messaging import keys, message_groups
from messaging.calls import CALL_SECONDS, CLIENT_CONFIG
from messaging.entities import (
    Connection,
    Failed,
    Item,
    Marking,
    Marks,
    Members,
    Message,
    MessageGroupRow,
    NamedSend,
    Pair,
    Settings,
    Ticket,
    advances,
)
from messaging.errors import UnreadableItemError
from messaging.message_groups import SendRequest
from messaging.repository import (
    MOST_COUNTED,
    MOST_LOOKED_AT,
    NewMessageGroup,
    PageRequest,
    Repository,
    Side,
)
from runtime.deadline import Deadline
from runtime.errors import TryAgainError
from runtime.user import User
from tests.fakes.memory_repository import MemoryRepository
from tests.fakes.people import BAYKO, GRAHAMS, REEF, minute
from tests.fakes.template import Stack, create_table_arguments

GROUP = str(UUID(int=1))
OTHER_GROUP = str(UUID(int=2))
GOOD_TICKET = Ticket(
    digest=Ticket.digest_of("secret"),
    user_uuid=GRAHAMS.uuid,
    expires_at=minute(1),
    token_expires_at=minute(30),
)


@pytest.fixture(params=["memory", "table"])
def any_repository(request: pytest.FixtureRequest) -> Repository:
    if request.param == "memory":
        return MemoryRepository()
    repository: Repository = request.getfixturevalue("repository")
    return repository


def message(number: int, *, group: str = GROUP, sender: User = GRAHAMS) -> Message:
    position = keys.Position(minute(number), str(UUID(int=abs(number))))
    return Message.from_sender(
        sender, message_group_uuid=group, sk=keys.message_sk(position), message=f"m{number}"
    )


def create(
    repository: Repository,
    first: Message,
    *,
    one: User = GRAHAMS,
    other: User = REEF,
    marks: Marks | None = None,
    send: NamedSend | None = None,
) -> NamedSend | Pair | None:
    group = first.message_group_uuid
    rows = [
        MessageGroupRow.for_owner(one.uuid, other=other, last=first),
        MessageGroupRow.for_owner(other.uuid, other=one, last=first),
    ]
    new = NewMessageGroup(
        pair=Pair(user_uuids=(one.uuid, other.uuid), message_group_uuid=group),
        members=Members(
            message_group_uuid=group,
            member_uuids=frozenset({one.uuid, other.uuid}),
            created_at=first.position.created_at,
        ),
        rows=[replace(row, marks=marks or row.marks) for row in rows],
        first=first,
        named=send,
    )
    return repository.create_message_group(lambda: new)


def rows(repository: Repository, owner: User = GRAHAMS) -> list[MessageGroupRow]:
    return repository.list_message_groups(owner.uuid, PageRequest(limit=10)).rows


def numbers(repository: Repository, request: PageRequest) -> tuple[list[int], bool]:
    page = repository.list_messages(GROUP, request)
    return [int(row.message[1:]) for row in page.rows], page.has_older


def test_a_new_group_is_written_whole(any_repository: Repository) -> None:
    first = message(0)
    assert create(any_repository, first) is None
    assert any_repository.get_message(GROUP, first.sk) == first
    members = any_repository.get_members(GROUP)
    assert members
    assert members.member_uuids == {GRAHAMS.uuid, REEF.uuid}
    assert members.created_at == minute(0)
    for owner, other in ((GRAHAMS, REEF), (REEF, GRAHAMS)):
        expected = MessageGroupRow.for_owner(owner.uuid, other=other, last=first)
        assert rows(any_repository, owner) == [expected]


def test_a_pairs_second_group_is_not_written_at_all(any_repository: Repository) -> None:
    create(any_repository, message(0))
    second = message(1, group=OTHER_GROUP)
    assert create(any_repository, second, one=REEF, other=GRAHAMS) == Pair(
        user_uuids=(REEF.uuid, GRAHAMS.uuid), message_group_uuid=GROUP
    )
    assert any_repository.get_members(OTHER_GROUP) is None
    assert any_repository.get_message(OTHER_GROUP, second.sk) is None
    assert any_repository.query_row_owners(GROUP) == {GRAHAMS.uuid, REEF.uuid}
    assert any_repository.query_row_owners(OTHER_GROUP) == set()


def test_a_message_is_written_again_as_it_was(any_repository: Repository) -> None:
    for _ in range(2):
        any_repository.put_message(message(1))
    assert numbers(any_repository, PageRequest(limit=10)) == ([1], False)


def test_what_is_not_there_is_none(any_repository: Repository) -> None:
    assert any_repository.get_message(GROUP, message(0).sk) is None
    assert any_repository.get_members(GROUP) is None
    assert numbers(any_repository, PageRequest(limit=1)) == ([], False)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (PageRequest(limit=10), ([2, 1, 0, -1, -2], False)),
        (PageRequest(limit=5), ([2, 1, 0, -1, -2], False)),
        (PageRequest(limit=4), ([2, 1, 0, -1], True)),
        (PageRequest(limit=2, sk=message(1).sk), ([0, -1], True)),
        (PageRequest(limit=3, sk=message(1).sk), ([0, -1, -2], False)),
        (PageRequest(limit=2, sk=message(-2).sk), ([], False)),
        (PageRequest(limit=2, sk=message(-2).sk, newer=True), ([0, -1], True)),
        (PageRequest(limit=9, sk=message(0).sk, newer=True), ([2, 1], True)),
        (PageRequest(limit=9, sk=message(2).sk, newer=True), ([], False)),
    ],
)
def test_pages_are_newest_first_and_know_what_is_behind_them(
    any_repository: Repository, request_: PageRequest, expected: tuple[list[int], bool]
) -> None:
    for number in (0, -2, 2, -1, 1):
        any_repository.put_message(message(number))
    any_repository.put_message(message(5, group=OTHER_GROUP))
    assert numbers(any_repository, request_) == expected


def named(message: Message, *, created: bool = False, text: str = "") -> NamedSend:
    return NamedSend(
        user_uuid=message.user_uuid,
        message_uuid=message.message_uuid,
        group=message.message_group_uuid,
        created=created,
        message_sk=message.sk,
        digest=NamedSend.digest_of(text),
        expires_at=minute(0) + timedelta(days=7),
    )


def test_a_named_message_is_written_once(any_repository: Repository) -> None:
    first, other = message(1), message(1, group=OTHER_GROUP)
    assert any_repository.put_named_message(lambda: (first, named(first))) is None
    assert any_repository.put_named_message(lambda: (first, named(first, text="x"))) == named(first)
    assert any_repository.put_named_message(lambda: (other, named(other))) == named(first)
    assert numbers(any_repository, PageRequest(limit=10)) == ([1], False)
    assert any_repository.get_message(OTHER_GROUP, other.sk) is None


def test_a_new_group_is_written_with_its_name_or_not_at_all(any_repository: Repository) -> None:
    first = message(0)
    send = named(first, created=True)
    assert create(any_repository, first, send=send) is None
    # The name counts before the pair, whether the pair has a group or not.
    again = message(0, group=OTHER_GROUP)
    assert create(any_repository, again, send=named(again)) == send
    assert create(any_repository, again, other=BAYKO, send=named(again)) == send
    assert any_repository.get_members(OTHER_GROUP) is None


def test_a_name_is_not_used_up_by_a_pair_that_has_its_group(any_repository: Repository) -> None:
    create(any_repository, message(0))
    second = message(1, group=OTHER_GROUP)
    assert isinstance(create(any_repository, second, send=named(second)), Pair)
    there = message(1)
    assert any_repository.put_named_message(lambda: (there, named(there))) is None


def test_rows_are_listed_by_their_last_message(any_repository: Repository) -> None:
    create(any_repository, message(2))
    create(any_repository, message(1, group=OTHER_GROUP), other=BAYKO)
    newest, older = rows(any_repository)
    assert (newest.message_group_uuid, older.message_group_uuid) == (GROUP, OTHER_GROUP)
    behind = PageRequest(limit=10, sk=newest.last_sk)
    assert any_repository.list_message_groups(GRAHAMS.uuid, behind).rows == [older]
    before = PageRequest(limit=10, sk=older.last_sk, newer=True)
    assert any_repository.list_message_groups(GRAHAMS.uuid, before).rows == [newest]


def advance(repository: Repository, *messages: Message, owner: User = GRAHAMS) -> Item | None:
    return repository.advance_row(owner.uuid, GROUP, advances(messages, owner.uuid))


def test_a_row_goes_forward(any_repository: Repository) -> None:
    create(any_repository, message(0))
    later = message(1, sender=REEF)
    assert advance(any_repository, later) is None
    (row,) = rows(any_repository)
    moved = MessageGroupRow.for_owner(GRAHAMS.uuid, other=REEF, last=later)
    assert row == replace(moved, marks=Marks(read_sk=message(0).sk))
    assert rows(any_repository, REEF)[0].last_sk == message(0).sk


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_row_does_not_go_back_and_says_where_it_stands(
    any_repository: Repository, number: int
) -> None:
    create(any_repository, message(2))
    (before,) = rows(any_repository)
    assert advance(any_repository, message(number)) == before.to_item()
    assert rows(any_repository) == [before]


def test_steps_are_taken_together_or_not_at_all(any_repository: Repository) -> None:
    create(any_repository, message(1, sender=REEF))
    (before,) = rows(any_repository)
    both = advance(any_repository, message(0, sender=REEF), message(2))
    assert both == before.to_item()
    assert rows(any_repository) == [before]


def test_there_is_no_row_to_move(any_repository: Repository) -> None:
    assert advance(any_repository, message(1)) == {}
    assert rows(any_repository) == []
    assert any_repository.query_row_owners(GROUP) == set()


def mark(repository: Repository, **marking: Any) -> Item | None:
    return repository.mark_row(GRAHAMS.uuid, GROUP, Marking(**marking))


def test_an_owner_marks_their_row_and_nothing_else_of_it(any_repository: Repository) -> None:
    create(any_repository, message(0))
    (before,) = rows(any_repository)
    (others,) = rows(any_repository, REEF)
    for marking, expected in (
        ({"marked_unread": True, "muted": True}, {"marked_unread": True, "muted": True}),
        ({"muted": False}, {"marked_unread": True}),
        ({"read_sk": message(2).sk, "marked_unread": False}, {"read_sk": message(2).sk}),
        ({"muted": True}, {"read_sk": message(2).sk, "muted": True}),
        (
            {"read_sk": message(3).sk, "marked_unread": True, "muted": False},
            {"read_sk": message(3).sk, "marked_unread": True},
        ),
    ):
        assert mark(any_repository, **marking) is None
        unmarked: dict[str, Any] = {"read_sk": message(0).sk}
        marks = Marks(**unmarked | expected)
        assert rows(any_repository) == [replace(before, marks=marks)]
    assert rows(any_repository, REEF) == [others]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_what_is_read_does_not_go_back_and_the_row_says_how_it_is(
    any_repository: Repository, number: int
) -> None:
    create(any_repository, message(0))
    assert mark(any_repository, read_sk=message(2).sk, marked_unread=True) is None
    (before,) = rows(any_repository)
    refused = mark(any_repository, read_sk=message(number).sk, marked_unread=False, muted=True)
    assert refused == before.to_item()
    assert rows(any_repository) == [before]


def test_a_row_that_is_older_than_the_marks_is_marked(any_repository: Repository) -> None:
    create(any_repository, message(0), marks=Marks())
    assert rows(any_repository)[0].marks.read_sk is None
    assert mark(any_repository, read_sk=message(0).sk) is None
    assert rows(any_repository)[0].marks.read_sk == message(0).sk


@pytest.mark.parametrize("marking", [{"muted": True}, {"muted": False}, {"read_sk": "x"}])
def test_there_is_no_row_to_mark(any_repository: Repository, marking: dict[str, Any]) -> None:
    assert mark(any_repository, **marking) == {}
    assert rows(any_repository) == []


def test_both_sides_of_a_group_are_read_with_what_is_there(any_repository: Repository) -> None:
    both = (GRAHAMS.uuid, REEF.uuid)
    unset = {user: Side(row=None, settings=Settings(user_uuid=user)) for user in both}
    assert any_repository.get_sides(GROUP, both) == unset
    create(any_repository, message(0))
    off = Settings(user_uuid=REEF.uuid, read_receipts=False)
    any_repository.put_settings(off)
    assert any_repository.get_sides(GROUP, both) == {
        GRAHAMS.uuid: replace(unset[GRAHAMS.uuid], row=rows(any_repository)[0]),
        REEF.uuid: Side(row=rows(any_repository, REEF)[0], settings=off),
    }


def test_settings_are_as_last_written_and_else_as_by_default(any_repository: Repository) -> None:
    assert any_repository.get_settings(REEF.uuid) == Settings(user_uuid=REEF.uuid)
    for read_receipts in (False, True):
        any_repository.put_settings(Settings(user_uuid=REEF.uuid, read_receipts=read_receipts))
        assert any_repository.get_settings(REEF.uuid).read_receipts is read_receipts
    assert any_repository.get_settings(GRAHAMS.uuid).read_receipts


def counted(repository: Repository, behind: str | None, up_to: str) -> int:
    return repository.count_messages(GROUP, REEF.uuid, behind=behind, up_to=up_to)


def test_messages_of_one_sender_are_counted_between_two_places(any_repository: Repository) -> None:
    for number in range(1, 8):
        sender = REEF if number % 2 else GRAHAMS  # 1, 3, 5 and 7 are by reef
        any_repository.put_message(message(number, sender=sender))
    any_repository.put_message(message(3, sender=REEF, group=OTHER_GROUP))
    sks = [message(number).sk for number in range(8)]
    assert counted(any_repository, None, sks[7]) == 4
    assert counted(any_repository, sks[0], sks[7]) == 4
    assert counted(any_repository, sks[1], sks[7]) == 3
    assert counted(any_repository, sks[2], sks[5]) == 2
    assert counted(any_repository, sks[6], sks[7]) == 1
    before_the_last = keys.sk_before(message(7).position)
    assert counted(any_repository, before_the_last, sks[7]) == 1


def test_counting_ends_at_a_hundred_and_looks_at_the_newest_thousand(
    any_repository: Repository,
) -> None:
    for number in range(MOST_LOOKED_AT + 50):
        few = number < 40 or number >= MOST_LOOKED_AT  # in all 90, of which 50 are near
        any_repository.put_message(message(number, sender=REEF if few else GRAHAMS))
    newest = message(MOST_LOOKED_AT + 49).sk
    assert counted(any_repository, None, newest) == 50
    assert counted(any_repository, message(99).sk, newest) == 50
    for number in range(2000, 2000 + MOST_COUNTED):
        any_repository.put_message(message(number, sender=REEF))
    assert counted(any_repository, None, message(2000 + MOST_COUNTED).sk) == MOST_COUNTED


def parked() -> Failed:
    return Failed(
        time=minute(0),
        message_group_uuid=GROUP,
        reason="unreadable",
        record_keys={"pk": "MSG#x", "sk": "y"},
        expires_at=minute(1),
    )


def test_a_record_is_parked(any_repository: Repository) -> None:
    for _ in range(2):
        any_repository.put_failed(parked())
    assert any_repository.query_row_owners(GROUP) == set()


# From here on: what only a table can do.


class FaultyClient:
    """A client whose calls fail with `faults` first, one a call; None lets the call through."""

    def __init__(self, client: Any, faults: list[Exception | None]) -> None:
        self._client = client
        self.faults = faults
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._client, name)
        if not callable(member):
            return member

        def call(**arguments: Any) -> Any:
            self.calls += 1
            fault = self.faults.pop(0) if self.faults else None
            if fault:
                raise fault
            return member(**arguments)

        return call


def client_error(code: str, *reasons: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "secret text"}}
    if not reasons:
        return ClientError(response, "Operation")
    response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    # boto3 raises the modelled class; any client has it.
    client = boto3.client("dynamodb", region_name="us-east-1")
    return client.exceptions.TransactionCanceledException(response, "TransactWriteItems")


def faulty(repository: Repository, faults: list[Exception | None]) -> Repository:
    client: Any = FaultyClient(repository._client, faults)
    return Repository(client, repository._table_name, deadline=Deadline(), sleep=lambda _: None)


_FAILED = "ConditionalCheckFailed"

CALLS: list[Callable[[Repository], object]] = [
    lambda repository: repository.put_message(message(1)),
    lambda repository: repository.put_named_message(lambda: (message(2), named(message(2)))),
    lambda repository: create(repository, message(1, group=OTHER_GROUP), other=BAYKO),
    lambda repository: advance(repository, message(3)),
    lambda repository: repository.query_row_owners(GROUP),
    lambda repository: repository.get_members(GROUP),
    lambda repository: repository.put_failed(parked()),
    lambda repository: mark(repository, muted=True),
    lambda repository: repository.get_sides(GROUP, [GRAHAMS.uuid]),
    lambda repository: counted(repository, None, message(1).sk),
    lambda repository: repository.get_settings(REEF.uuid),
    lambda repository: repository.put_settings(Settings(user_uuid=REEF.uuid)),
    lambda repository: numbers(repository, PageRequest(limit=1)),
]


def test_an_index_that_is_being_made_anew_shows_nobody(repository: Repository) -> None:
    create(repository, message(1))
    # What DynamoDB answers for an index that is not there, and for one that is being filled.
    refused = faulty(repository, [client_error("ValidationException")])
    assert refused.query_row_owners(GROUP) == set()
    # No other refusal is taken for that.
    with pytest.raises(ClientError):
        faulty(repository, [client_error("AccessDeniedException")]).query_row_owners(GROUP)


def test_members_messages_and_marks_are_read_as_last_written(repository: Repository) -> None:
    asked: list[bool] = []

    def note(params: dict[str, Any], **_: object) -> None:
        requests = params.get("RequestItems", {}).values() or [params]
        asked.extend(request.get("ConsistentRead", False) for request in requests)

    for operation in ("GetItem", "BatchGetItem"):
        repository._client.meta.events.register(f"provide-client-params.dynamodb.{operation}", note)
    repository.get_members(GROUP)
    repository.get_message(GROUP, message(1).sk)
    repository.get_settings(REEF.uuid)
    repository.get_sides(GROUP, [GRAHAMS.uuid, REEF.uuid])
    assert asked == [True] * 4


class HalfAnswered:
    """A client that answers a BatchGetItem by half, so many times."""

    def __init__(self, client: Any, times: int) -> None:
        self._client = client
        self._times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def batch_get_item(self, *, RequestItems: Any) -> Any:  # noqa: N803  # as boto3 calls it
        self._times -= 1
        if self._times < 0:
            return self._client.batch_get_item(RequestItems=RequestItems)
        ((table, asked),) = RequestItems.items()
        half = len(asked["Keys"]) // 2
        answered, left = (
            {table: asked | {"Keys": asked["Keys"][part]}}
            for part in (slice(half), slice(half, None))
        )
        if not half:
            return {"Responses": {}, "UnprocessedKeys": left}
        return self._client.batch_get_item(RequestItems=answered) | {"UnprocessedKeys": left}


@pytest.mark.parametrize(("times", "answers"), [(1, True), (5, True), (6, False)])
def test_what_is_left_out_under_load_is_asked_for_again(
    repository: Repository, times: int, answers: bool
) -> None:
    create(repository, message(0))
    whole = repository.get_sides(GROUP, [GRAHAMS.uuid, REEF.uuid])
    client: Any = HalfAnswered(repository._client, times)
    table = Repository(client, repository._table_name, deadline=Deadline(), sleep=lambda _: None)
    if answers:
        assert table.get_sides(GROUP, [GRAHAMS.uuid, REEF.uuid]) == whole
    else:
        with pytest.raises(TryAgainError):
            table.get_sides(GROUP, [GRAHAMS.uuid, REEF.uuid])


def test_a_row_that_dynamodb_never_takes_is_told_from_a_table_that_refuses_us(
    repository: Repository,
) -> None:
    writes: list[Callable[[Repository], object]] = [
        lambda table: advance(table, message(1)),
        lambda table: mark(table, muted=True),
        lambda table: create(table, message(1)),
    ]
    never = [
        client_error("ValidationException"),
        client_error("TransactionCanceledException", "None", "ValidationError"),
    ]
    for write, refusal in product(writes, never):
        with pytest.raises(UnreadableItemError):
            write(faulty(repository, [refusal]))
        with pytest.raises(ClientError):
            write(faulty(repository, [client_error("AccessDeniedException")]))


@pytest.mark.parametrize("call", CALLS)
def test_a_conflict_is_tried_again(
    repository: Repository, call: Callable[[Repository], object]
) -> None:
    for conflict in (
        client_error("TransactionConflictException"),
        client_error("TransactionCanceledException", "None", "TransactionConflict"),
        # What is in conflict may fail its condition, too, and would count before this one.
        client_error(
            "TransactionCanceledException", "TransactionConflict", "ConditionalCheckFailed"
        ),
        client_error(
            "TransactionCanceledException", "ConditionalCheckFailed", "TransactionConflict"
        ),
    ):
        call(faulty(repository, [conflict] * 5))
        with pytest.raises(TryAgainError):
            call(faulty(repository, [conflict] * 6))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "fault",
    [
        client_error("ProvisionedThroughputExceededException"),
        client_error("ThrottlingException"),
        client_error("RequestLimitExceeded"),
        client_error("TransactionInProgressException"),
        client_error("InternalServerError"),
        client_error("ServiceUnavailable"),
        client_error("TransactionCanceledException", "None", "ThrottlingError"),
        client_error("TransactionCanceledException", "ProvisionedThroughputExceeded", "None"),
        ReadTimeoutError(endpoint_url="x"),
        ConnectTimeoutError(endpoint_url="x"),
    ],
)
def test_not_now_leaves_as_try_again(
    repository: Repository, call: Callable[[Repository], object], fault: Exception
) -> None:
    with pytest.raises(TryAgainError):
        call(faulty(repository, [fault]))


def test_what_is_wrong_for_good_is_not_hidden(repository: Repository) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        faulty(repository, [client_error("AccessDeniedException")]).put_message(message(1))


def test_no_call_is_begun_that_might_not_end_in_time(repository: Repository) -> None:
    time = 0.0
    deadline = Deadline(clock=lambda: time)
    client: Any = FaultyClient(repository._client, [])
    repository = Repository(client, repository._table_name, deadline=deadline)
    deadline.start(CALL_SECONDS + 1)
    repository.put_message(message(1))
    time = 2.0
    with pytest.raises(TryAgainError):
        repository.put_message(message(2))
    assert client.calls == 1


@pytest.mark.parametrize(("errors", "attempts"), [(2, 3), (3, 3)])
def test_a_call_has_three_attempts(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, errors: int, attempts: int
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    sent = []

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        sent.append(request)
        if len(sent) > errors:
            return None
        raw: Any = BytesIO(b'{"__type": "InternalServerError"}')
        raw.stream = lambda **_: iter([raw.getvalue()])
        return AWSResponse(request.url, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPHeaders(), raw)

    client: Any = boto3.client("dynamodb", config=CLIENT_CONFIG)
    client.meta.events.register_first("before-send.dynamodb", answer)
    table = Repository(client, repository._table_name, deadline=Deadline())
    if errors < attempts:
        assert table.get_members(GROUP) is None
    else:
        with pytest.raises(TryAgainError):
            table.get_members(GROUP)
    assert len(sent) == attempts


class LateNetwork:
    """A way to the table on which the first attempt of each of two calls gets lost on its way.

    The SDK sends it again. The first attempt arrives all the same, before the repeat of the same
    call, or right after it, or after everything. Of a transaction the table knows the token, as
    DynamoDB does for ten minutes: what was done under it is not done again.
    """

    def __init__(self, client: Any, arrivals: Sequence[str]) -> None:
        self._client = client
        self._arrivals = list(arrivals)
        self._under_way: list[tuple[str, AWSPreparedRequest]] = []
        self._attempts = 0
        self._done: set[str] = set()
        client.meta.events.register_first("before-send.dynamodb", self._send)

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        if not self._arrivals:
            return self._deliver(request)
        self._attempts += 1
        if self._attempts % 2:
            arrival = self._arrivals[0]
            self._under_way.append((arrival, request))
            self.arrive("before its repeat")
            raise ReadTimeoutError(endpoint_url="x")
        self._arrivals.pop(0)
        return self._deliver(request)

    def arrive(self, when: str) -> None:
        """Let what is under way arrive, as far as it is its time."""
        here = [request for arrival, request in self._under_way if arrival == when]
        self._under_way = [each for each in self._under_way if each[0] != when]
        for request in here:
            if self._deliver(request) is None:
                botocore_stubber("before-send.dynamodb", request)

    def _deliver(self, request: AWSPreparedRequest) -> AWSResponse | None:
        body: Any = request.body
        token = json.loads(body).get("ClientRequestToken")
        if token is None or token not in self._done:
            self._done |= {token} - {None}
            return None
        raw: Any = BytesIO(b"{}")
        raw.stream = lambda **_: iter([raw.getvalue()])
        return AWSResponse(request.url, HTTPStatus.OK, HTTPHeaders(), raw)


ARRIVALS = ["before its repeat", "after its repeat", "after everything"]

# Two calls, and what is there when the second has been answered.
LATER_CALLS: dict[str, tuple[Callable[[Repository], object], ...]] = {
    "a mute and its end": (
        lambda table: mark(table, muted=True),
        lambda table: mark(table, muted=False),
        lambda table: rows(table)[0].marks.muted is False,
    ),
    "a flag, and reading": (
        lambda table: mark(table, marked_unread=True),
        lambda table: mark(table, read_sk=message(1).sk, marked_unread=False),
        lambda table: rows(table)[0].marks == Marks(read_sk=message(1).sk),
    ),
    "reading, and a flag": (
        lambda table: mark(table, read_sk=message(1).sk, marked_unread=False),
        lambda table: mark(table, marked_unread=True),
        lambda table: rows(table)[0].marks == Marks(read_sk=message(1).sk, marked_unread=True),
    ),
    "receipts off": (
        lambda table: table.put_settings(Settings(user_uuid=REEF.uuid, read_receipts=True)),
        lambda table: table.put_settings(Settings(user_uuid=REEF.uuid, read_receipts=False)),
        lambda table: not table.get_settings(REEF.uuid).read_receipts,
    ),
    "a ticket that is taken": (
        lambda table: table.put_ticket(GOOD_TICKET),
        lambda table: table.take_ticket(GOOD_TICKET.digest, now=minute(0)),
        lambda table: table.take_ticket(GOOD_TICKET.digest, now=minute(0)) is None,
    ),
}


@pytest.mark.parametrize("first", ARRIVALS)
@pytest.mark.parametrize("second", ARRIVALS)
@pytest.mark.parametrize("calls", LATER_CALLS)
def test_an_attempt_that_comes_late_undoes_no_later_call(
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    first: str,
    second: str,
    calls: str,
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    create(repository, message(0))
    one, other, holds = LATER_CALLS[calls]
    client: Any = boto3.client("dynamodb", config=CLIENT_CONFIG)
    table = Repository(client, repository._table_name, deadline=Deadline())
    network = LateNetwork(client, [first, second])
    for call in (one, other):
        call(table)
        network.arrive("after its repeat")
    network.arrive("after everything")
    assert holds(table)


def test_a_call_is_as_bounded_as_it_says() -> None:
    config: Any = CLIENT_CONFIG
    attempts = config.retries["total_max_attempts"]
    pauses = sum(2**attempt for attempt in range(attempts - 1))
    worst = attempts * (config.connect_timeout + config.read_timeout) + pauses
    assert isinstance(config, Config)
    assert worst <= CALL_SECONDS


def test_the_functions_have_time_for_a_call(stack: Stack) -> None:
    for function in stack.functions().values():
        if "TABLE_NAME" in function.environment and function.timeout > 5:
            assert function.timeout > CALL_SECONDS


def test_the_indexes_have_the_names_in_the_template(stack: Stack) -> None:
    indexes = create_table_arguments(stack)["GlobalSecondaryIndexes"]
    assert [index["IndexName"] for index in indexes] == [keys.ROWS_INDEX, keys.LIST_INDEX]


def test_a_message_gets_its_position_at_each_attempt_to_write_it(repository: Repository) -> None:
    """What is stored long after it was stamped may be behind a mark, and count as read."""
    conflict = client_error("TransactionCanceledException", "None", "TransactionConflict")
    minutes = iter(range(10))

    def now() -> datetime:
        return minute(next(minutes))

    def sent(request: SendRequest, group: str = "") -> int:
        table = faulty(repository, [conflict] * 2)
        if group:
            table = faulty(repository, [None, *[conflict] * 2])  # after MEMBERS was read
            result = message_groups.create_message(table, GRAHAMS, group, request, now=now)
        else:
            result = message_groups.create_message_group(table, GRAHAMS, REEF, request, now=now)
        stored = repository.get_message(result.message.message_group_uuid, result.message.sk)
        assert stored == result.message
        if result.created:
            (own,) = rows(repository)
            assert own.last_sk == own.marks.read_sk == stored.sk
        return stored.position.created_at.minute

    assert sent(SendRequest(message="first")) == 2
    group = rows(repository)[0].message_group_uuid
    named_request = SendRequest(message="named", message_uuid=str(UUID(int=77)))
    assert sent(named_request, group) == 5
    # Where the pair has its group, the message is stamped again for that.
    assert sent(SendRequest(message="x")) == 9


def test_a_ticket_is_taken_once_and_only_while_it_is_good(any_repository: Repository) -> None:
    ticket = GOOD_TICKET
    any_repository.put_ticket(ticket)
    assert any_repository.take_ticket(Ticket.digest_of("other"), now=minute(0)) is None
    # It stands there yet, as one does that DynamoDB has not deleted.
    assert any_repository.take_ticket(ticket.digest, now=minute(1)) is None
    assert any_repository.take_ticket(ticket.digest, now=minute(0)) == ticket
    assert any_repository.take_ticket(ticket.digest, now=minute(0)) is None


def opened(name: str, slot: int = 0, *, user: User = GRAHAMS) -> Connection:
    return Connection(
        user_uuid=user.uuid,
        slot=slot,
        connection_id=name,
        connected_at=minute(0),
        expires_at=minute(30),
    )


def test_a_connection_is_found_by_its_user_and_by_its_id(any_repository: Repository) -> None:
    one, two, other = opened("one"), opened("two", 1), opened("other", user=REEF)
    for connection in (two, one, other):
        assert any_repository.put_connection(connection, replaced=None)
    assert any_repository.list_connections(GRAHAMS.uuid) == [one, two]
    assert any_repository.get_connection("two") == two
    assert any_repository.get_connection("three") is None
    any_repository.delete_connection(one)
    assert any_repository.list_connections(GRAHAMS.uuid) == [two]
    assert any_repository.get_connection("one") is None
    assert any_repository.list_connections(REEF.uuid) == [other]


def test_a_slot_is_taken_by_one_connection(any_repository: Repository) -> None:
    first, second, third = opened("first"), opened("second"), opened("third")
    assert any_repository.put_connection(first, replaced=None)
    assert not any_repository.put_connection(second, replaced=None)
    assert any_repository.get_connection("second") is None
    assert any_repository.put_connection(second, replaced=first)
    assert any_repository.get_connection("first") is None
    assert not any_repository.put_connection(third, replaced=first)
    assert any_repository.list_connections(GRAHAMS.uuid) == [second]
    # What is closed late takes nothing from its successor.
    any_repository.delete_connection(first)
    assert any_repository.list_connections(GRAHAMS.uuid) == [second]
    assert any_repository.get_connection("second") == second


def test_the_settings_of_some_users_are_read_at_once(any_repository: Repository) -> None:
    off = Settings(user_uuid=REEF.uuid, read_receipts=False)
    any_repository.put_settings(off)
    found = any_repository.get_settings_of([GRAHAMS.uuid, REEF.uuid])
    assert found == [Settings(user_uuid=GRAHAMS.uuid), off]
