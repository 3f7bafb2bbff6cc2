"""The contract of `Repository`: the fake of the unit tests and the table pass the same tests."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from local.template import Stack, create_table_arguments
from messaging import keys
from messaging.deadline import Deadline
from messaging.entities import Failed, Item, Members, Message, MessageGroup, Pair, Sent, User
from messaging.errors import TryAgainError
from messaging.repository import (
    CALL_SECONDS,
    CLIENT_CONFIG,
    DynamoDBRepository,
    PageRequest,
    Repository,
)
from tests.fakes.memory_repository import MemoryRepository
from tests.fakes.people import BAYKO, GRAHAMS, REEF, minute

GROUP = str(UUID(int=1))
OTHER_GROUP = str(UUID(int=2))


@pytest.fixture(params=["memory", "table"])
def any_repository(request: pytest.FixtureRequest) -> Repository:
    if request.param == "memory":
        return MemoryRepository()
    repository: DynamoDBRepository = request.getfixturevalue("repository")
    return repository


def message(number: int, *, group: str = GROUP, sender: User = GRAHAMS) -> Message:
    position = keys.Position(minute(number), str(UUID(int=abs(number))))
    return Message.from_sender(
        sender, message_group_uuid=group, sk=keys.message_sk(position), message=f"m{number}"
    )


def create(
    repository: Repository, first: Message, *, one: User = GRAHAMS, other: User = REEF
) -> str:
    group = first.message_group_uuid
    return repository.create_message_group(
        Pair(user_uuids=(one.uuid, other.uuid), message_group_uuid=group),
        Members(
            message_group_uuid=group,
            member_uuids=frozenset({one.uuid, other.uuid}),
            created_at=first.position.created_at,
        ),
        [
            MessageGroup.for_owner(one.uuid, other=other, last=first),
            MessageGroup.for_owner(other.uuid, other=one, last=first),
        ],
        first,
    )


def numbers(repository: Repository, request: PageRequest) -> tuple[list[int], bool]:
    page = repository.list_messages(GROUP, request)
    return [int(row.message[1:]) for row in page.rows], page.has_older


def test_a_new_group_is_written_whole(any_repository: Repository) -> None:
    first = message(0)
    assert create(any_repository, first) == GROUP
    assert any_repository.get_message(GROUP, first.sk) == first
    members = any_repository.get_members(GROUP)
    assert members
    assert members.member_uuids == {GRAHAMS.uuid, REEF.uuid}
    assert members.created_at == minute(0)
    for owner, other in ((GRAHAMS, REEF), (REEF, GRAHAMS)):
        rows = any_repository.list_message_groups(owner.uuid, PageRequest(limit=10)).rows
        assert rows == [MessageGroup.for_owner(owner.uuid, other=other, last=first)]


def test_a_pairs_second_group_is_not_written_at_all(any_repository: Repository) -> None:
    create(any_repository, message(0))
    second = message(1, group=OTHER_GROUP)
    assert create(any_repository, second, one=REEF, other=GRAHAMS) == GROUP
    assert any_repository.get_members(OTHER_GROUP) is None
    assert any_repository.get_message(OTHER_GROUP, second.sk) is None
    assert len(any_repository.query_group_rows(GROUP)) == 2
    assert any_repository.query_group_rows(OTHER_GROUP) == []


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


def test_a_sent_item_is_written_once(any_repository: Repository) -> None:
    def sent(text: str) -> Sent:
        return Sent(
            user_uuid=GRAHAMS.uuid,
            message_uuid=str(UUID(int=9)),
            message_sk=message(0).sk,
            group=GROUP,
            digest=Sent.digest_of(GROUP, text),
            expires_at=minute(0) + timedelta(days=7),
        )

    assert any_repository.put_sent(sent("one")) is None
    assert any_repository.put_sent(sent("two")) == sent("one")
    assert any_repository.put_sent(sent("one")) == sent("one")


def rows_at(target: Message) -> list[Item]:
    return [
        MessageGroup.for_owner(owner.uuid, other=other, last=target).to_item()
        for owner, other in ((GRAHAMS, REEF), (REEF, GRAHAMS))
    ]


def shown(repository: Repository) -> list[str]:
    return sorted(row["sk"] for row in repository.query_group_rows(GROUP))


def test_rows_are_replaced(any_repository: Repository) -> None:
    create(any_repository, message(0))
    old = any_repository.query_group_rows(GROUP)
    assert any_repository.replace_group_rows(old, rows_at(message(1)))
    assert shown(any_repository) == [message(1).sk] * 2


def test_rows_are_replaced_all_or_none(any_repository: Repository) -> None:
    create(any_repository, message(0))
    old = any_repository.query_group_rows(GROUP)
    assert any_repository.replace_group_rows(old[:1], [])
    assert not any_repository.replace_group_rows(old, rows_at(message(1)))
    assert shown(any_repository) == [message(0).sk]


def test_a_row_takes_no_other_rows_place(any_repository: Repository) -> None:
    create(any_repository, message(0))
    old = any_repository.query_group_rows(GROUP)
    (place, _) = rows_at(message(1))
    other: Item = place | {"message_group_uuid": OTHER_GROUP}
    assert any_repository.replace_group_rows([], [other])
    assert not any_repository.replace_group_rows(old, rows_at(message(1)))
    assert shown(any_repository) == [message(0).sk] * 2
    assert any_repository.query_group_rows(OTHER_GROUP) == [other]


def test_a_row_has_the_attributes_it_was_given(any_repository: Repository) -> None:
    row: Item = rows_at(message(0))[0] | {"extra": {"nested": ["x", True, None]}}
    any_repository.replace_group_rows([], [row])
    assert any_repository.query_group_rows(GROUP) == [row]


def test_a_record_is_parked(any_repository: Repository) -> None:
    failed = Failed(
        time=minute(0),
        message_group_uuid=GROUP,
        reason="unreadable",
        record_keys={"pk": "MSG#x", "sk": "y"},
        expires_at=minute(1),
    )
    for _ in range(2):
        any_repository.put_failed(failed)
    assert any_repository.query_group_rows(GROUP) == []


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


def faulty(repository: DynamoDBRepository, faults: list[Exception | None]) -> DynamoDBRepository:
    client: Any = FaultyClient(repository._client, faults)
    return DynamoDBRepository(
        client, repository._table_name, deadline=Deadline(), sleep=lambda _: None
    )


def any_row() -> Item:
    return {"pk": f"row {uuid4()}", "sk": message(1).sk, "message_group_uuid": GROUP}


CALLS: list[Callable[[Repository], object]] = [
    lambda repository: repository.put_message(message(1)),
    lambda repository: create(repository, message(1, group=OTHER_GROUP), other=BAYKO),
    lambda repository: repository.replace_group_rows([], [any_row()]),
    lambda repository: repository.get_members(GROUP),
    lambda repository: numbers(repository, PageRequest(limit=1)),
]


@pytest.mark.parametrize("call", CALLS)
def test_a_conflict_is_tried_again(
    repository: DynamoDBRepository, call: Callable[[Repository], object]
) -> None:
    for conflict in (
        client_error("TransactionConflictException"),
        client_error("TransactionCanceledException", "None", "TransactionConflict"),
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
        client_error("InternalServerError"),
        client_error("TransactionCanceledException", "None", "ThrottlingError"),
        ReadTimeoutError(endpoint_url="x"),
        ConnectTimeoutError(endpoint_url="x"),
    ],
)
def test_not_now_leaves_as_try_again(
    repository: DynamoDBRepository, call: Callable[[Repository], object], fault: Exception
) -> None:
    with pytest.raises(TryAgainError):
        call(faulty(repository, [fault]))


def test_what_is_wrong_for_good_is_not_hidden(repository: DynamoDBRepository) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        faulty(repository, [client_error("AccessDeniedException")]).put_message(message(1))


def test_no_call_is_begun_that_might_not_end_in_time(repository: DynamoDBRepository) -> None:
    time = 0.0
    deadline = Deadline(clock=lambda: time)
    client: Any = FaultyClient(repository._client, [])
    repository = DynamoDBRepository(client, repository._table_name, deadline=deadline)
    deadline.start(CALL_SECONDS + 1)
    repository.put_message(message(1))
    time = 2.0
    with pytest.raises(TryAgainError):
        repository.put_message(message(2))
    assert client.calls == 1


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


def test_the_index_has_the_name_in_the_template(stack: Stack) -> None:
    (index,) = create_table_arguments(stack)["GlobalSecondaryIndexes"]
    assert index["IndexName"] == keys.INDEX_NAME
