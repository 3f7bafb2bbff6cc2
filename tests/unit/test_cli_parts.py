"""What the commands are made of: output, batches, loads, sign-ins."""

import json
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import typer

from administration.sign_ins import Row, SignIn, match
from commands import output
from commands.database import is_of_this_machine
from commands.ddb.paging import BatchWriter, Reading
from commands.errors import CommandError
from commands.output import Output
from commands.parallel import in_parallel
from commands.terminal import note, plain, reported_errors
from messaging.attributes import from_dynamodb, to_dynamodb
from messaging.entities import advances
from runtime.errors import TryAgainError
from seed.generated import TooManyGroupsError, generated_groups, generated_messages

# Output.


def test_nothing_that_is_shown_steers_the_terminal() -> None:
    assert plain("a\x1b[2Jb\nc\u202ed\x9b") == "a [2Jb c d "
    assert plain(None) == ""


def test_nothing_that_is_said_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "a\x1b[2Jb\u202ec"
    note(evil)
    Output(as_json=False).result(evil)
    Output(as_json=False).table([], [], empty=evil)
    with pytest.raises(typer.Exit), reported_errors(on_aws=False):
        raise CommandError(evil)
    shown = capsys.readouterr()
    assert shown.out == 2 * "a [2Jb c\n"
    assert shown.err == 2 * "a [2Jb c\n"


def test_a_table_for_people_is_whole_in_a_pipe_and_without_colours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [{"handle": "[red]bayko", "text": "x" * 500, "secret": "not a column"}]
    Output(as_json=False).table(rows, ["handle", "text"], empty="none")
    shown = capsys.readouterr().out
    assert shown.splitlines()[1] == "[red]bayko  " + "x" * 500
    assert "\x1b" not in shown
    Output(as_json=False).table([], ["handle"], empty="There is none.")
    assert capsys.readouterr().out == "There is none.\n"


def test_a_line_is_cut_to_the_terminal_by_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    Output(as_json=False).line("波" * 20, {})
    assert capsys.readouterr().out == "波" * 5 + "\n"


@pytest.mark.parametrize("is_json", [True, False])
def test_binary_values_of_any_depth_can_be_shown(
    is_json: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = b"\x1b["
    item = {"top": data, "list": [data], "map": {"in": {"deep": data}}, "set": {data}}
    read = from_dynamodb(to_dynamodb(item))
    Output(as_json=is_json).line(f"{read['top']} {read}", read)
    assert capsys.readouterr().out.count("b'") == (4 if is_json else 5)


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Output(as_json=True)
    shown.table([{"a": 1}, {"a": 2}], ["a"], empty="")
    shown.result("done", b=Decimal(3), c={"y", "x"}, d=Decimal("0.5"), e=b"z")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [{"a": 1}, {"a": 2}, {"b": 3, "c": ["x", "y"], "d": 0.5, "e": "b'z'"}]


def test_an_answer_with_a_secret_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    output.watch("GetSecretValue", {"SecretString": "hidden"})
    output.watch("Scan", {"Count": 1})
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "hidden" not in shown.err
    assert '"Count": 1' in shown.err


# Reading and writing.


class Table:
    """A table that leaves the second half of each batch unprocessed, so many times."""

    def __init__(self, *, refusals: int) -> None:
        self.refusals = refusals
        self.items: dict[str, Any] = {}

    def batch_write_item(self, *, RequestItems: dict[str, list[Any]]) -> Any:  # noqa: N803  # boto3's
        ((name, requests),) = RequestItems.items()
        assert 0 < len(requests) <= 25
        taken = len(requests)
        if self.refusals:
            self.refusals -= 1
            taken //= 2
        for request in requests[:taken]:
            if "PutRequest" in request:
                item = request["PutRequest"]["Item"]
                self.items[item["pk"]["S"]] = item
            else:
                del self.items[request["DeleteRequest"]["Key"]["pk"]["S"]]
        left = requests[taken:]
        return {"UnprocessedItems": {name: left} if left else {}}


def test_what_is_unprocessed_is_written_again() -> None:
    table, pauses = Table(refusals=3), list[float]()
    writer = BatchWriter(table, "t", sleep=pauses.append)
    items = [{"pk": str(number), "sk": "x"} for number in range(25)]
    assert writer.put(items) == 25
    assert len(table.items) == 25
    assert len(pauses) == 3
    assert all(0 <= pause <= 5 for pause in pauses)
    assert writer.delete(items) == 25
    assert not table.items


def test_a_table_that_takes_nothing_is_given_up() -> None:
    writer = BatchWriter(Table(refusals=1000), "t", sleep=lambda _: None)
    with pytest.raises(TryAgainError):
        writer.put([{"pk": "1", "sk": "x"}])


def test_a_reading_follows_every_page_and_counts_its_cost() -> None:
    def query(**arguments: Any) -> Any:
        page = int(arguments.get("ExclusiveStartKey", {"n": "0"})["n"])
        more = {"LastEvaluatedKey": {"n": str(page + 1)}} if page < 2 else {}
        items = [] if page == 1 else [to_dynamodb({"pk": str(page)})]
        return {"Items": items, "ConsumedCapacity": {"CapacityUnits": 0.5}, **more}

    reading = Reading(query)
    assert [item["pk"] for item in reading.items()] == ["0", "2"]
    assert reading.capacity == 1.5


def test_few_items_are_taken_before_they_are_needed() -> None:
    taken, release = [0], threading.Event()

    def items() -> Iterator[int]:
        for number in range(1000):
            taken[0] += 1
            yield number

    def work(number: int) -> int:
        release.wait(5)
        return number

    results = in_parallel(work, items(), workers=2)
    threading.Timer(0.1, release.set).start()
    assert next(results) == 0
    assert taken[0] < 10
    assert list(results) == list(range(1, 1000))


# Loads.


def load(**other: int) -> Any:
    return generated_groups(
        **({"users": 20, "groups": 30, "messages": 500, "random_seed": 7} | other)
    )


def test_a_load_is_the_same_for_the_same_seed_and_has_what_was_asked_for() -> None:
    groups = load()
    messages = list(generated_messages(groups))
    assert messages == list(generated_messages(load()))
    assert len(messages) == len({(m.message_group_uuid, m.sk) for m in messages}) == 500
    assert len({group.uuid for group in groups}) == len(groups) == 30
    assert len({group.pair().to_item()["pk"] for group in groups}) == 30
    assert {m.user_uuid for m in messages} <= {user.uuid for g in groups for user in g.users}
    assert {g.uuid for g in load(random_seed=8)}.isdisjoint(g.uuid for g in groups)
    for group in groups:
        written = [group.message(number) for number in range(group.messages)]
        for row in group.rows():
            # It is as the stream's function would leave it.
            for step in advances(written, row.owner_uuid):
                assert step.attributes.items() <= row.to_item().items()
        sks = [group.message(number).sk for number in range(group.messages)]
        assert sks == sorted(sks)
        assert all("2024" <= sk < "2026" for sk in sks)


def test_a_longer_load_keeps_the_messages_of_a_shorter_one() -> None:
    few = {(m.message_group_uuid, m.sk, m.message) for m in generated_messages(load(messages=100))}
    many = {
        (m.message_group_uuid, m.sk, m.message) for m in generated_messages(load(messages=1000))
    }
    assert few < many


def test_all_pairs_can_have_a_group_and_no_more() -> None:
    groups = load(users=6, groups=15)
    assert len({frozenset(u.uuid for u in group.users) for group in groups}) == 15
    with pytest.raises(TooManyGroupsError):
        load(users=6, groups=16)


# Databases.


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("postgresql://postgres@127.0.0.1:5433/cruddur", True),
        ("postgresql://localhost/cruddur", True),
        ("postgresql://[::1]/cruddur", True),
        ("postgresql:///cruddur", True),
        ("postgresql://db.example.com/cruddur", False),
        ("postgresql://10.0.0.1/cruddur", False),
    ],
)
def test_only_a_database_of_this_machine_is_dropped(url: str, *, is_local: bool) -> None:
    assert is_of_this_machine(url) == is_local


# Sign-ins and rows.


def row(handle: str, *, id_: str = "MOCK", email: str = "") -> Row:
    return Row(
        uuid="u",
        handle=handle,
        email=email or f"{handle.lower()}@example.com",
        cognito_user_id=id_,
    )


def sign_in(id_: str, handle: str, *, email: str = "", confirmed: bool = True) -> SignIn:
    address = email or f"{handle.lower()}@example.com"
    return SignIn(cognito_user_id=id_, handle=handle, email=address, confirmed=confirmed)


@pytest.mark.parametrize(
    ("rows", "sign_ins", "states", "relinked"),
    [
        ([row("Bayko")], [sign_in("1", "bAYKO")], ["updated"], ["updated"]),
        ([row("a", id_="1")], [sign_in("1", "a")], ["unchanged"], ["unchanged"]),
        ([row("a")], [], ["only_in_directory"], ["only_in_directory"]),
        ([], [sign_in("1", "a")], ["only_in_user_pool"], ["only_in_user_pool"]),
        (
            [row("a")],
            [sign_in("1", "a"), sign_in("2", "A")],
            ["two_sign_ins"] * 2,
            ["two_sign_ins"] * 2,
        ),
        ([], [sign_in("1", "a"), sign_in("2", "A")], ["two_sign_ins"] * 2, ["two_sign_ins"] * 2),
        ([], [sign_in("1", ""), sign_in("2", "")], ["only_in_user_pool"] * 2, None),
        ([row("a")], [sign_in("1", "a", email="x@example.com")], ["email_differs"], ["updated"]),
        ([row("a")], [sign_in("1", "a", email="A@EXAMPLE.com")], ["updated"], ["updated"]),
        ([row("a", id_="2")], [sign_in("1", "a")], ["linked_otherwise"], ["updated"]),
        (
            [row("a"), row("b", id_="1")],
            [sign_in("1", "a")],
            ["linked_otherwise", "only_in_directory"],
            ["updated", "only_in_directory"],
        ),
        (
            [row("a")],
            [sign_in("1", "a", confirmed=False)],
            ["not_confirmed"],
            ["not_confirmed"],
        ),
    ],
)
def test_who_is_linked(
    rows: list[Row], sign_ins: list[SignIn], states: list[str], relinked: list[str] | None
) -> None:
    def found(*, relink: bool) -> list[str]:
        return [finding.state.value for finding in match(rows, sign_ins, relink=relink)]

    assert found(relink=False) == states
    assert found(relink=True) == (relinked or states)
