"""Which sign-in of the user pool belongs to which row of the directory.

A sign-in that is linked with a row is that person from then on. So it needs the row's handle and
its e-mail address: anybody can choose a handle, but an address is proven by a code. A row that is
linked stays so, unless an operator insists.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

MOCK = "MOCK"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A user of the directory."""

    uuid: str
    handle: str
    email: str
    cognito_user_id: str


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """A user of the pool.

    Attributes
    ----------
    handle
        Its preferred_username; empty when it has none.
    confirmed
        Whether it can be used, and its e-mail address is proven.
    """

    cognito_user_id: str
    handle: str
    email: str
    confirmed: bool


class State(Enum):
    """What became of a row or a sign-in."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    ONLY_IN_DIRECTORY = "only_in_directory"
    ONLY_IN_USER_POOL = "only_in_user_pool"
    # The rest waits for an operator.
    TWO_SIGN_INS = "two_sign_ins"
    NOT_CONFIRMED = "not_confirmed"
    LINKED_OTHERWISE = "linked_otherwise"
    EMAIL_DIFFERS = "email_differs"


REFUSED = frozenset(
    {State.TWO_SIGN_INS, State.NOT_CONFIRMED, State.LINKED_OTHERWISE, State.EMAIL_DIFFERS}
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A row or a sign-in, and what becomes of it."""

    state: State
    handle: str
    email: str
    cognito_user_id: str


def match(
    rows: Sequence[Row], sign_ins: Sequence[SignIn], *, relink: bool = False
) -> list[Finding]:
    """Return what becomes of every row and every sign-in; rows first.

    Parameters
    ----------
    relink
        Also link rows that are linked to another sign-in or have another e-mail address: an
        operator has made sure that it is the same person. Two sign-ins with one handle never are.
    """
    by_handle: dict[str, list[SignIn]] = defaultdict(list)
    for sign_in in sign_ins:
        by_handle[sign_in.handle.lower()].append(sign_in)
    holders = {row.cognito_user_id: row for row in rows if row.cognito_user_id != MOCK}
    findings: list[Finding] = []
    for row in rows:
        found = by_handle.pop(row.handle.lower(), [])
        if len(found) > 1:
            findings += _findings(State.TWO_SIGN_INS, found)
        elif found:
            state = _state(row, found[0], holders.get(found[0].cognito_user_id), relink=relink)
            findings += _findings(state, found)
        else:
            findings += _findings(State.ONLY_IN_DIRECTORY, [row])
    for handle in sorted(by_handle):
        found = by_handle[handle]
        alone = len(found) == 1 or not handle
        findings += _findings(State.ONLY_IN_USER_POOL if alone else State.TWO_SIGN_INS, found)
    return findings


def _state(row: Row, sign_in: SignIn, holder: Row | None, *, relink: bool) -> State:
    """Return what becomes of the one sign-in with a row's handle.

    `holder` is the row that has the sign-in's id now.
    """
    if row.cognito_user_id == sign_in.cognito_user_id:
        return State.UNCHANGED
    if not sign_in.confirmed:
        return State.NOT_CONFIRMED
    if not relink:
        if row.cognito_user_id != MOCK or holder:
            return State.LINKED_OTHERWISE
        if row.email.lower() != sign_in.email.lower():
            return State.EMAIL_DIFFERS
    return State.UPDATED


def _findings(state: State, found: Sequence[Row | SignIn]) -> Iterator[Finding]:
    for each in found:
        yield Finding(
            state=state,
            handle=each.handle,
            email=each.email,
            cognito_user_id=each.cognito_user_id,
        )
