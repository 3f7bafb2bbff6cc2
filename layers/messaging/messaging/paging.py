"""The pages of a list: what a request asks for, and the links of an answer (RFC 8288)."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from messaging import keys
from messaging.repository import Page, PageRequest
from runtime.api import Request, Response
from runtime.errors import InvalidRequestError

DEFAULT_LIMIT = "20"
LIMITS = frozenset(str(limit) for limit in range(1, 101))


@dataclass(frozen=True, kw_only=True)
class Query:
    """The query parameters of a list: which page of it, in which order, and with what."""

    page: PageRequest
    ascending: bool
    counts: bool


def query(request: Request, *, sortable: bool = False, countable: bool = False) -> Query:
    """Return the parameters ``limit`` and ``cursor``, and those that the list takes besides.

    These are ``order`` if it is `sortable`, and ``counts`` if it is `countable`.

    Raises InvalidRequestError with a code for each that is not valid.
    """
    codes = []
    limit = request.query.get("limit", DEFAULT_LIMIT)
    if limit not in LIMITS:
        codes.append("limit_invalid")
    cursor = request.query.get("cursor")
    newer, sk = False, None
    if cursor is not None:
        try:
            newer, sk = _parse_cursor(cursor)
        except ValueError:
            codes.append("cursor_invalid")
    order = request.query.get("order", "desc") if sortable else "desc"
    if order not in {"asc", "desc"}:
        codes.append("order_invalid")
    counts = request.query.get("counts", "false") if countable else "false"
    if counts not in {"true", "false"}:
        codes.append("counts_invalid")
    if codes:
        raise InvalidRequestError(codes)
    return Query(
        page=PageRequest(limit=int(limit), sk=sk, newer=newer),
        ascending=order == "asc",
        counts=counts == "true",
    )


# A cursor is a letter for the direction and an sk of the list, which need not be a time: a page may
# begin or end with an item that cannot be read. Which list it is comes from the authenticated
# request, so a forged cursor shows nobody anything else.
_NEWER, _OLDER = "n", "o"


def _cursor(direction: str, sk: str) -> str:
    return base64.urlsafe_b64encode(f"{direction}{sk}".encode()).decode().rstrip("=")


def _parse_cursor(cursor: str) -> tuple[bool, str]:
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (UnicodeError, binascii.Error) as error:
        raise ValueError("not base64url") from error
    direction, sk = text[:1], text[1:]
    if not 0 < len(sk.encode()) <= keys.SK_BYTES:
        raise ValueError("no sk is as long")
    if direction not in {_NEWER, _OLDER} or _cursor(direction, sk) != cursor.rstrip("="):
        raise ValueError("not a cursor")
    return direction == _NEWER, sk


def page_response[Row](
    request: Request, page: Page[Row], query: Query, body: Callable[[Row], Any]
) -> Response:
    """Return a page as a JSON array, with links to what is older (``next``) and newer (``prev``).

    ``prev`` is there even when nothing is newer yet, so that a client can ask again later. A page
    without rows has links where it has only what cannot be read.
    """
    parameters = {"limit": str(query.page.limit)}
    if query.ascending:
        parameters["order"] = "asc"
    if query.counts:
        parameters["counts"] = "true"
    links = []

    def link(relation: str, direction: str, sk: str) -> None:
        target = urlencode(parameters | {"cursor": _cursor(direction, sk)})
        links.append(f'<{request.path}?{target}>; rel="{relation}"')

    if page.oldest_sk and page.has_older:
        link("next", _OLDER, page.oldest_sk)
    if page.newest_sk:
        link("prev", _NEWER, page.newest_sk)
    rows = page.rows[::-1] if query.ascending else page.rows
    return Response(
        status=HTTPStatus.OK,
        body=[body(row) for row in rows],
        headers={"Link": ", ".join(links)},
    )
