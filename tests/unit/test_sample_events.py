"""The checker of the sample events: it sees what an event must not do, and says it by name."""

from typing import Any

import pytest

from messaging import keys
from tests.fakes import sample_events
from tests.fakes.sample_events import Contents, Expected

NAME = "update_message_groups/first_message"  # which names no message
GROUP, OWNER = "a-group", f"{keys.MESSAGE_GROUP_PREFIX}an-owner"
ROW = {"pk": OWNER, "sk": GROUP, "message_group_uuid": GROUP, "message": "old"}
MEMBERS = {"pk": f"{keys.MEMBERS_PREFIX}{GROUP}", "sk": keys.MEMBERS_SK, "of": "two"}
MEMBERS_KEY = (MEMBERS["pk"], MEMBERS["sk"])
USER = {"handle": "reef", "cognito_user_id": "MOCK"}


def contents(*items: dict[str, Any], **user: Any) -> Contents:
    return Contents(
        items={(item["pk"], item["sk"]): item for item in items}, users={"reef": USER | user}
    )


BEFORE = contents(ROW, MEMBERS)


def check(
    monkeypatch: pytest.MonkeyPatch, after: Contents, expected: Expected | None = None
) -> list[str]:
    monkeypatch.setitem(sample_events.EXPECTED, NAME, expected or Expected(answer=None))
    return sample_events.differences(NAME, BEFORE, after)


def test_what_stays_as_it_was_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(monkeypatch, BEFORE) == []


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (contents(ROW | {"message": "new"}, MEMBERS), "should have message 'old', not 'new'"),
        (contents(ROW | {"more": 1}, MEMBERS), "should have more None, not 1"),
        (contents(ROW, MEMBERS | {"of": "three"}), "should have of 'two', not 'three'"),
        (contents(ROW), "is gone"),
        (contents(MEMBERS), "is gone"),
        (contents(ROW, MEMBERS, {"pk": keys.FAILED_PK, "sk": "x"}), "items of [], not of"),
        (contents(ROW, MEMBERS, ROW | {"message_group_uuid": "x", "sk": "x"}), "rows of none"),
        (contents(ROW, MEMBERS, cognito_user_id="x"), "cognito_user_id 'MOCK', not 'x'"),
    ],
)
def test_what_an_event_must_not_do_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, after: Contents, said: str
) -> None:
    (sentence,) = check(monkeypatch, after)
    assert said in sentence


def test_items_rows_and_users_may_change_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    after = contents(ROW, MEMBERS | {"of": "three"}, cognito_user_id="x")
    expected = Expected(
        answer=None,
        changed={MEMBERS_KEY: {"of": "three"}},
        changed_users={"reef": {"cognito_user_id": "x"}},
    )
    assert check(monkeypatch, after, expected) == []
    unchanged = check(monkeypatch, BEFORE, expected)
    assert len(unchanged) == 2
    assert any("should have of 'three', not 'two'" in sentence for sentence in unchanged)
    nowhere = Expected(answer=None, changed={("no", "item"): {"of": "three"}})
    assert any("was not there" in sentence for sentence in check(monkeypatch, BEFORE, nowhere))


def test_a_row_that_does_not_show_its_message_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Expected(answer=None, shows={GROUP: "new"})
    said = check(monkeypatch, BEFORE, expected)
    assert any(GROUP in sentence and "should have message 'new'" in sentence for sentence in said)


def test_two_rows_of_one_member_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="more than one row of a member"):
        check(monkeypatch, contents(ROW, ROW | {"sk": "another"}, MEMBERS))
