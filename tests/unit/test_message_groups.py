from dataclasses import fields, replace
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest

from messaging import keys, message_groups
from messaging.entities import Members, MessageGroupRow, Pair
from messaging.errors import MessageGroupNotFoundError
from messaging.message_groups import SendRequest, SendResult
from messaging.repository import Page, PageRequest
from runtime.errors import InvalidRequestError
from runtime.user import User
from tests.fakes.memory_repository import MemoryRepository
from tests.fakes.people import BAYKO, GRAHAMS, REEF, minute

ALL = PageRequest(limit=100)


def begin(
    repository: MemoryRepository, text: str = "hello", *, name: str | None = None, at: int = 0
) -> SendResult:
    request = SendRequest(message=text, message_uuid=name)
    return message_groups.create_message_group(
        repository, GRAHAMS, REEF, request, now=lambda: minute(at)
    )


def go_on(
    repository: MemoryRepository,
    group: str,
    text: str = "again",
    *,
    sender: User = GRAHAMS,
    name: str | None = None,
    at: int = 1,
) -> SendResult:
    request = SendRequest(message=text, message_uuid=name)
    return message_groups.create_message(repository, sender, group, request, now=lambda: minute(at))


def texts(repository: MemoryRepository, group: str, reader: User = GRAHAMS) -> list[str]:
    page = message_groups.list_messages(repository, reader, group, ALL)
    return [message.message for message in page.rows]


def test_a_new_group_is_in_both_lists_with_the_other_members_names(
    repository: MemoryRepository,
) -> None:
    sent = begin(repository)
    assert sent.created
    for owner, other in ((GRAHAMS, REEF), (REEF, GRAHAMS)):
        (row,) = message_groups.list_message_groups(repository, owner, ALL).rows
        assert row == MessageGroupRow.for_owner(owner.uuid, other=other, last=sent.message)
        assert texts(repository, sent.message.message_group_uuid, owner) == ["hello"]


@pytest.mark.parametrize(("sender", "receiver"), [(GRAHAMS, REEF), (REEF, GRAHAMS)])
def test_a_pair_has_one_group_whoever_writes_first(
    repository: MemoryRepository, sender: User, receiver: User
) -> None:
    first = begin(repository)
    second = message_groups.create_message_group(
        repository, sender, receiver, SendRequest(message="me, too"), now=lambda: minute(1)
    )
    assert not second.created
    assert second.message.message_group_uuid == first.message.message_group_uuid
    assert texts(repository, first.message.message_group_uuid) == ["me, too", "hello"]


def test_messages_of_last_year_are_there_on_new_years_day(repository: MemoryRepository) -> None:
    group = begin(repository, "old year", at=-1).message.message_group_uuid
    go_on(repository, group, "new year", at=1)
    assert texts(repository, group) == ["new year", "old year"]


@pytest.mark.parametrize("spelling", ["upper", "bare"])
def test_a_group_is_found_under_every_spelling_of_its_uuid(
    repository: MemoryRepository, spelling: str
) -> None:
    group = begin(repository).message.message_group_uuid
    other = group.upper() if spelling == "upper" else group.replace("-", "")
    go_on(repository, other)
    assert texts(repository, other) == ["again", "hello"]


@pytest.mark.parametrize(
    "group", ["existing", "00000000-0000-4000-8000-0000000000ff", "", "nonsense", "MSG#x"]
)
def test_a_stranger_neither_reads_nor_writes_nor_learns_why(
    repository: MemoryRepository, group: str
) -> None:
    existing = begin(repository).message.message_group_uuid
    before = dict(repository.items)
    group = existing if group == "existing" else group
    with pytest.raises(MessageGroupNotFoundError):
        message_groups.list_messages(repository, BAYKO, group, ALL)
    with pytest.raises(MessageGroupNotFoundError):
        go_on(repository, group, sender=BAYKO, name=str(uuid4()))
    assert repository.items == before


def test_a_named_send_is_stored_once_and_answers_the_same(repository: MemoryRepository) -> None:
    group = begin(repository).message.message_group_uuid
    name = str(uuid4())
    first = go_on(repository, group, name=name, at=1)
    renamed = User(uuid=GRAHAMS.uuid, handle="grahams", display_name="Another Name")
    second = go_on(repository, group, name=name, sender=renamed, at=5)
    assert first == second
    assert first.message.message_uuid == name
    assert texts(repository, group) == ["again", "hello"]


def test_a_named_send_to_someone_new_answers_the_same(repository: MemoryRepository) -> None:
    name = str(uuid4())
    first = begin(repository, name=name)
    assert first.created
    assert begin(repository, name=name, at=5) == first
    assert texts(repository, first.message.message_group_uuid) == ["hello"]


@pytest.mark.parametrize("created", [True, False])
def test_a_repeat_to_someone_answers_with_the_names_of_the_time(
    repository: MemoryRepository, created: bool
) -> None:
    if not created:
        begin(repository)
    request = SendRequest(message="hello", message_uuid=str(uuid4()))
    renamed = User(uuid=GRAHAMS.uuid, handle="graham", display_name="Another Name")
    first, second = (
        message_groups.create_message_group(
            repository, sender, REEF, request, now=partial(minute, at)
        )
        for at, sender in ((1, GRAHAMS), (5, renamed))
    )
    assert first == second
    assert first.created == created
    assert first.message.user_display_name == GRAHAMS.display_name


def test_a_repeat_stays_in_its_group_when_the_pair_has_turned_to_another(
    repository: MemoryRepository,
) -> None:
    name = str(uuid4())
    group = begin(repository).message.message_group_uuid
    first = begin(repository, "again", name=name, at=1)
    assert not first.created
    # reconcile found an older group of the two, and it has the newer message.
    repository.put(Pair(user_uuids=(GRAHAMS.uuid, REEF.uuid), message_group_uuid=str(uuid4())))
    assert begin(repository, "again", name=name, at=5) == first
    assert texts(repository, group) == ["again", "hello"]


def test_a_repeat_does_not_bring_back_what_was_deleted(repository: MemoryRepository) -> None:
    group = begin(repository).message.message_group_uuid
    name = str(uuid4())
    sent = go_on(repository, group, name=name, at=1)
    item = sent.message.to_item()
    del repository.items[item["pk"], item["sk"]]
    assert go_on(repository, group, name=name, at=5) == sent
    assert texts(repository, group) == ["hello"]


@pytest.mark.parametrize("created", [True, False])
def test_a_repeat_to_someone_answers_the_same_when_the_message_was_deleted(
    repository: MemoryRepository, created: bool
) -> None:
    if not created:
        begin(repository)
    name = str(uuid4())
    sent = begin(repository, name=name, at=1)
    item = sent.message.to_item()
    del repository.items[item["pk"], item["sk"]]
    repeated = begin(repository, name=name, at=5)
    assert replace(repeated.message, first=sent.message.first) == sent.message
    assert repeated.created == created
    assert (item["pk"], item["sk"]) not in repository.items


def test_a_name_for_one_receiver_is_none_for_another(repository: MemoryRepository) -> None:
    name = str(uuid4())
    begin(repository, name=name)
    before = dict(repository.items)
    with pytest.raises(InvalidRequestError) as refused:
        message_groups.create_message_group(
            repository,
            GRAHAMS,
            BAYKO,
            SendRequest(message="hello", message_uuid=name),
            now=lambda: minute(1),
        )
    assert refused.value.codes == ["message_uuid_reused"]
    assert repository.items == before


def test_only_the_message_that_made_a_group_says_so(repository: MemoryRepository) -> None:
    sent = begin(repository)
    later = go_on(repository, sent.message.message_group_uuid)
    assert (sent.message.first, later.message.first) == (True, False)


@pytest.mark.parametrize(("text", "same_group"), [("something else", True), ("again", False)])
def test_a_name_is_for_one_send_only(
    repository: MemoryRepository, text: str, same_group: bool
) -> None:
    group = begin(repository).message.message_group_uuid
    other = message_groups.create_message_group(
        repository, GRAHAMS, BAYKO, SendRequest(message="hi"), now=lambda: minute(0)
    ).message.message_group_uuid
    name = str(uuid4())
    go_on(repository, group, name=name)
    before = dict(repository.items)
    with pytest.raises(InvalidRequestError) as refused:
        go_on(repository, group if same_group else other, text, name=name)
    assert refused.value.codes == ["message_uuid_reused"]
    assert repository.items == before


@pytest.mark.parametrize("name", [field.name for field in fields(SendRequest)])
def test_a_send_that_differs_in_anything_but_its_name_is_no_repeat(
    repository: MemoryRepository, name: str
) -> None:
    """A new field of SendRequest that the digest forgets would be lost with the second send."""
    group = begin(repository).message.message_group_uuid
    request = SendRequest(message="again", message_uuid=str(uuid4()))
    other = replace(request, **{name: str(uuid4())})

    def send(request: SendRequest) -> SendResult:
        return message_groups.create_message(
            repository, GRAHAMS, group, request, now=lambda: minute(1)
        )

    send(request)
    if name == "message_uuid":
        assert send(other).message.message_uuid == other.message_uuid
    else:
        with pytest.raises(InvalidRequestError, match="message_uuid_reused"):
            send(other)


def test_nobody_writes_to_themselves_under_another_handle(repository: MemoryRepository) -> None:
    renamed = User(uuid=GRAHAMS.uuid, handle="graham", display_name="Graham")
    request = SendRequest(message="hello", message_uuid=str(uuid4()))
    with pytest.raises(InvalidRequestError) as refused:
        message_groups.create_message_group(
            repository, GRAHAMS, renamed, request, now=lambda: minute(0)
        )
    assert refused.value.codes == ["message_to_self"]
    assert repository.items == {}


def test_being_in_one_group_opens_no_other(repository: MemoryRepository) -> None:
    mine = begin(repository).message.message_group_uuid
    other = message_groups.create_message_group(
        repository, BAYKO, REEF, SendRequest(message="secret"), now=lambda: minute(0)
    ).message.message_group_uuid
    assert texts(repository, mine) == ["hello"]
    assert texts(repository, other, BAYKO) == ["secret"]
    for _ in range(2):
        with pytest.raises(MessageGroupNotFoundError):
            texts(repository, other, GRAHAMS)


class CountingRepository(MemoryRepository):
    """Counts the readings of MEMBERS, which is what a refusal takes its time with."""

    readings = 0

    def get_members(self, message_group_uuid: str) -> Members | None:
        self.readings += 1
        return super().get_members(message_group_uuid)


def test_a_refusal_costs_the_same_whether_the_group_exists_or_not() -> None:
    repository = CountingRepository()
    group = begin(repository).message.message_group_uuid
    for member in (GRAHAMS, REEF):
        texts(repository, group, member)

    def readings(group: str) -> list[int]:
        found = []
        for _ in range(3):
            before = repository.readings
            with pytest.raises(MessageGroupNotFoundError):
                texts(repository, group, BAYKO)
            with pytest.raises(MessageGroupNotFoundError):
                go_on(repository, group, sender=BAYKO)
            found.append(repository.readings - before)
        return found

    assert readings(group) == readings(str(uuid4())) == [2, 2, 2]


def test_a_member_is_looked_up_once_and_found_as_soon_as_the_group_is_there() -> None:
    repository = CountingRepository()
    known = str(uuid4())
    with pytest.raises(MessageGroupNotFoundError):
        texts(repository, known)
    put_members(repository, known)
    before = repository.readings
    for member in (GRAHAMS, REEF, GRAHAMS, REEF):
        assert texts(repository, known, member) == []
    assert repository.readings - before == 2


def test_a_name_is_kept_for_seven_days(repository: MemoryRepository) -> None:
    begin(repository, name=str(uuid4()))
    (sent,) = [item for item in repository.items.values() if "digest" in item]
    assert sent["expires_at"] == (minute(0) + timedelta(days=7)).timestamp()


def put_members(repository: MemoryRepository, group: str) -> None:
    members = Members(
        message_group_uuid=group,
        member_uuids=frozenset({GRAHAMS.uuid, REEF.uuid}),
        created_at=minute(0),
    )
    repository.items[keys.members_pk(group), keys.MEMBERS_SK] = members.to_item()


def test_what_is_known_of_groups_is_bounded() -> None:
    repository = CountingRepository()
    oldest, *others = [str(uuid4()) for _ in range(1025)]
    for group in (oldest, *others):
        put_members(repository, group)
        texts(repository, group)
    for group, readings in ((others[-1], 0), (oldest, 1)):
        before = repository.readings
        texts(repository, group)
        assert repository.readings - before == readings


def test_two_senders_may_use_one_name(repository: MemoryRepository) -> None:
    group = begin(repository).message.message_group_uuid
    name = str(uuid4())
    go_on(repository, group, "mine", name=name, at=1)
    go_on(repository, group, "mine, too", name=name, sender=REEF, at=2)
    assert texts(repository, group) == ["mine, too", "mine", "hello"]


def test_a_list_shows_a_group_once_beside_a_move(repository: MemoryRepository) -> None:
    sent = begin(repository).message
    (row,) = repository.list_message_groups(GRAHAMS.uuid, ALL).rows
    newer = replace(row, last_sk=keys.message_sk(keys.Position(minute(1), "x")))

    class IndexInBetween(MemoryRepository):
        def list_message_groups(
            self, user_uuid: str, request: PageRequest
        ) -> Page[MessageGroupRow]:
            items = [newer.to_item(), row.to_item()]
            read = MessageGroupRow.from_item
            return Page.of_items(items, read, sort="last_sk", has_older=False)

    assert sent.sk == row.last_sk
    assert message_groups.list_message_groups(IndexInBetween(), GRAHAMS, ALL).rows == [newer]
