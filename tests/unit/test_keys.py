from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging import keys

GROUP = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399"


@pytest.mark.parametrize(
    "spelling",
    [GROUP, GROUP.upper(), GROUP.replace("-", ""), "{" + GROUP + "}", "urn:uuid:" + GROUP],
)
def test_every_spelling_of_a_uuid_is_one_key(spelling: str) -> None:
    assert keys.message_pk(spelling) == f"MSG#{GROUP}"


@pytest.mark.parametrize(
    "text",
    ["", "5ae290ed", GROUP + "0", "x" * 36, " " + GROUP, "0x" + "1" * 30, "1_" * 16, "\u0661" * 32],
)
def test_what_is_no_uuid_is_no_key(text: str) -> None:
    with pytest.raises(ValueError):
        keys.message_pk(text)


@given(
    st.datetimes(timezones=st.timezones(), min_value=datetime(1971, 1, 1)),  # noqa: DTZ001  # hypothesis wants it naive
    st.datetimes(timezones=st.timezones(), min_value=datetime(1971, 1, 1)),  # noqa: DTZ001  # hypothesis wants it naive
)
def test_string_order_of_times_is_time_order(one: datetime, other: datetime) -> None:
    texts = keys.format_time(one), keys.format_time(other)
    assert (texts[0] < texts[1]) == (one.astimezone(UTC) < other.astimezone(UTC))
    assert len(texts[0]) == len(texts[1]) == 32


@pytest.mark.parametrize("pk", [GROUP, f"GRP#{GROUP}", "MSG#", "MSG#x", f"MSG#MSG#{GROUP}"])
def test_a_key_of_another_kind_names_no_group(pk: str) -> None:
    assert keys.uuid_in(f"MSG#{GROUP.upper()}", keys.MESSAGE_PREFIX) == GROUP
    with pytest.raises(ValueError):
        keys.uuid_in(pk, keys.MESSAGE_PREFIX)


def test_a_time_without_offset_is_refused_as_a_key() -> None:
    with pytest.raises(ValueError, match="offset"):
        keys.format_time(datetime(2026, 1, 1))  # noqa: DTZ001  # the point


def test_a_message_sk_is_read_back() -> None:
    position = keys.Position(datetime(2025, 12, 31, 23, 59, 59, 1, tzinfo=UTC), GROUP)
    assert keys.parse_message_sk(keys.message_sk(position)) == position


def test_a_place_that_no_sort_key_can_hold_is_none() -> None:
    instant = datetime(2027, 1, 1, tzinfo=UTC)
    longest = keys.message_sk(keys.Position(instant, "é" * 495))
    # What is behind it is asked for, too.
    assert len(keys.sk_after(longest).encode()) == 1024
    with pytest.raises(ValueError, match="longer"):
        keys.message_sk(keys.Position(instant, "é" * 495 + "e"))


@pytest.mark.parametrize(
    ("sk", "instant"),
    [
        ("2023-04-15T10:00:00.123456+00:00", datetime(2023, 4, 15, 10, 0, 0, 123456, UTC)),
        ("2023-04-15T15:30:00+05:30", datetime(2023, 4, 15, 10, tzinfo=UTC)),
        ("2023-04-15T10:00:00", datetime(2023, 4, 15, 10, tzinfo=UTC)),
        ("2023-04-15T10:00:00Z", datetime(2023, 4, 15, 10, tzinfo=UTC)),
    ],
)
def test_keys_of_other_tables_are_read_as_instants(sk: str, instant: datetime) -> None:
    assert keys.parse_message_sk(sk) == keys.Position(instant, "")


def test_a_time_without_offset_is_in_the_zone_one_says() -> None:
    zone = timezone(timedelta(hours=-4))
    time = keys.parse_time("2023-04-15T10:00:00", naive_zone=zone)
    assert time == datetime(2023, 4, 15, 14, tzinfo=UTC)
    assert keys.parse_message_sk("2023-04-15T10:00:00", naive_zone=zone).created_at == time


@pytest.mark.parametrize("sk", ["", "#", "yesterday", "PAIR", "0001-01-01T00:00:00+14:00"])
def test_what_begins_with_no_time_is_no_position(sk: str) -> None:
    with pytest.raises(ValueError):
        keys.parse_message_sk(sk)


def test_a_pair_has_one_key_in_both_directions() -> None:
    one, other = "0" * 31 + "1", "0" * 31 + "A"
    assert keys.pair_pk(one, other) == keys.pair_pk(other, one.upper())


def test_a_pair_of_one_user_is_refused() -> None:
    with pytest.raises(ValueError, match="two different"):
        keys.pair_pk(GROUP, GROUP.upper())
