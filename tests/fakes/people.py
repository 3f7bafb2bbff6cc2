"""Users and times for tests."""

from datetime import UTC, datetime, timedelta

from runtime.user import User

GRAHAMS = User(
    uuid="00000000-0000-4000-8000-00000000000a", handle="grahams", display_name="Grahams"
)
REEF = User(uuid="00000000-0000-4000-8000-00000000000b", handle="reef", display_name="Reef")
BAYKO = User(uuid="00000000-0000-4000-8000-00000000000c", handle="bayko", display_name="Bayko")

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


def minute(number: int) -> datetime:
    """Return a time so many minutes after New Year; negative ones lie in the old year."""
    return NEW_YEAR + timedelta(minutes=number)
