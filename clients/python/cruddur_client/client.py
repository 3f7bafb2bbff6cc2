"""The client: one method for each operation of the API."""

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

import httpx

from cruddur_client.answers import (
    Hint,
    ListedMessageGroup,
    LiveTicket,
    Me,
    Message,
    MessageGroup,
    Page,
    Position,
    SentMessage,
    User,
)

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

__all__ = ["ApiError", "Client", "UnexpectedAnswerError"]

# The gateway, or what is behind it, may answer another time.
_AGAIN = {429, 500, 502, 503, 504}
_LONGEST_PAUSE = 30.0
# What a header can carry; httpx would show anything else in the text of its error.
_TOKEN = re.compile(r"[!-~]+")
# What reading fails with where a text is no JSON, or has not what it should have.
_NOT_OURS = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
# The gateway ends a connection on which nothing was sent for ten minutes.
_PING_SECONDS = 300.0
_PONG_SECONDS = 30.0


class ApiError(Exception):
    """The API refuses a request, or did not carry it out however often it was repeated.

    Attributes
    ----------
    status
        HTTP status of the answer.
    codes
        What went wrong, for programs; none where the gateway itself answered.
    """

    def __init__(self, status: int, codes: tuple[str, ...]) -> None:
        self.status = status
        self.codes = codes
        super().__init__(f"{status} {', '.join(codes)}".strip())


class UnexpectedAnswerError(ApiError):
    """What answered is not this API, or another version of it: a send may be stored or not."""


class Client:
    """A client of one person.

    Parameters
    ----------
    api
        Base address of the API, or a function that returns it whenever it is called.
    token
        An access token, or a function that returns a good one whenever it is called. It is sent
        to the host of `api` and to no other.
    attempts
        How often a request is sent at most.
    timeout
        Seconds to wait for an answer, also for that to a WebSocket's handshake.
    trust_env
        Whether proxies that the environment names are used.
    transport, sleep
        Of tests.
    """

    def __init__(
        self,
        api: str | Callable[[], str],
        token: str | Callable[[], str],
        *,
        attempts: int = 5,
        timeout: float = 35.0,
        trust_env: bool = True,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if attempts < 1:
            raise ValueError("A request is sent once at least.")
        self._api = api if callable(api) else lambda: api
        self._token = token if callable(token) else lambda: token
        self._attempts = attempts
        self._timeout = timeout
        self._trust_env = trust_env
        self._sleep = sleep
        self._http = httpx.Client(timeout=timeout, trust_env=trust_env, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def list_message_groups(
        self, *, counts: bool = False, page_size: int = 20
    ) -> Iterator[ListedMessageGroup]:
        """Yield the caller's message groups, the one with the newest message first."""
        for page in self.message_group_pages(counts=counts, page_size=page_size):
            yield from page.rows

    def message_group_pages(
        self, *, counts: bool = False, page_size: int = 20, since: str | None = None
    ) -> Iterator[Page[ListedMessageGroup]]:
        """Yield the pages of that list; with a page's `newer` as `since` what has come since."""
        query = {"limit": page_size, **({"counts": "true"} if counts else {})}
        target = f"/api/message_groups?{urlencode(query)}"
        return self._pages(ListedMessageGroup, target, since)

    def list_messages(self, message_group_uuid: str, *, page_size: int = 20) -> Iterator[Message]:
        """Yield the messages of a message group, newest first."""
        for page in self.message_pages(message_group_uuid, page_size=page_size):
            yield from page.rows

    def message_pages(
        self, message_group_uuid: str, *, page_size: int = 20, since: str | None = None
    ) -> Iterator[Page[Message]]:
        """Yield the pages of that list; with a page's `newer` as `since` what has come since."""
        target = f"/api/messages/{_segment(message_group_uuid)}?{urlencode({'limit': page_size})}"
        return self._pages(Message, target, since)

    def get_message_group(self, message_group_uuid: str) -> MessageGroup:
        """Return one message group, and how far both members have read."""
        return _read(MessageGroup.of, self._request("GET", _group_target(message_group_uuid)))

    def mark_message_group(
        self,
        message_group_uuid: str,
        *,
        read_up_to: Position | None = None,
        marked_unread: bool = False,
        muted: bool | None = None,
    ) -> MessageGroup:
        """Mark how far the caller has read, unread all the same, muted; return what is then."""
        body: dict[str, Any] = {}
        if read_up_to:
            time = read_up_to.created_at.isoformat(timespec="microseconds")
            body["read_up_to"] = {"created_at": time, "uuid": read_up_to.uuid}
        if marked_unread:
            body["marked_unread"] = True
        if muted is not None:
            body["muted"] = muted
        target = _group_target(message_group_uuid)
        return _read(MessageGroup.of, self._request("PATCH", target, body))

    def create_message_group(
        self, handle: str, message: str, *, message_uuid: UUID | str | None = None
    ) -> SentMessage:
        """Write to somebody, in a new message group or in the one that the two have."""
        return self._send("/api/message_groups", message_uuid, handle=handle, message=message)

    def create_message(
        self, message_group_uuid: str, message: str, *, message_uuid: UUID | str | None = None
    ) -> SentMessage:
        """Continue a message group."""
        return self._send(
            "/api/messages", message_uuid, message_group_uuid=message_group_uuid, message=message
        )

    def get_me(self) -> Me:
        """Return who the caller is, and what they have set."""
        return _read(Me.of, self._request("GET", "/api/me"))

    def update_me(self, *, read_receipts: bool) -> Me:
        """Change what the caller has set."""
        body = {"read_receipts": read_receipts}
        return _read(Me.of, self._request("PATCH", "/api/me", body))

    def create_live_ticket(self) -> LiveTicket:
        """Return what opens a WebSocket for hints, once and within thirty seconds."""
        return _read(LiveTicket.of, self._request("POST", "/api/live"))

    def hints(self) -> Iterator[Hint]:
        """Yield what has changed, as it is told, and connect again whenever a connection ends.

        It ends when the API closes this connection since the same person has ten newer ones. A
        function for address or token may raise an OSError when it has none for now. Needs the
        package websockets, which comes with ``cruddur-client[live]``.
        """
        from websockets.exceptions import WebSocketException  # noqa: PLC0415  # not everybody has it
        from websockets.sync.client import connect  # noqa: PLC0415

        failures = 0
        while True:
            try:
                ticket = self.create_live_ticket()
                with connect(
                    f"{ticket.url}?{urlencode({'ticket': ticket.ticket})}",
                    open_timeout=self._timeout,
                    proxy=True if self._trust_env else None,
                ) as socket:
                    failures = 0
                    yield Hint(type="connected")
                    while True:
                        match _next_hint(socket):
                            case Hint(type="closing", reason="replaced"):
                                return
                            case None | Hint(type="closing" | "pong"):
                                pass
                            case hint:
                                yield hint
            except (WebSocketException, httpx.TransportError, OSError) as error:
                reason = str(error) or type(error).__name__
            except ApiError as error:
                if error.status not in _AGAIN:
                    raise
                reason = str(error)
            yield Hint(type="disconnected", reason=reason)
            failures += 1
            self._sleep(_pause(failures))

    def get_user_short(self, handle: str) -> User:
        """Return the user with this handle."""
        return _read(User.of, self._request("GET", f"/api/users/{_segment(handle)}/short"))

    def _pages[Row: (Message, ListedMessageGroup)](
        self, kind: type[Row], newest: str, since: str | None
    ) -> Iterator[Page[Row]]:
        following: str | None = since or newest
        while following:
            answer = self._request("GET", following)
            links = {relation: link["url"] for relation, link in answer.links.items()}
            rows = _read(lambda body: tuple(map(kind.of, body)), answer)
            page = Page(rows=rows, older=links.get("next"), newer=links.get("prev"))
            yield page
            following = page.newer if since else page.older

    def _send(self, target: str, message_uuid: UUID | str | None, **body: str) -> SentMessage:
        """Send a message under a name, so that it is stored once however often it is sent."""
        named = {**body, "message_uuid": str(message_uuid or uuid4())}
        return _read(SentMessage.of, self._request("POST", target, named))

    def _request(
        self, method: str, target: str, body: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """Send until it is answered: nothing that this client sends is done twice.

        Raises a ValueError for a `target` that is no path, since it might lead to another host.
        """
        if not target.startswith("/"):
            raise ValueError(f"not a path of this API: {target}")
        for attempt in range(1, self._attempts + 1):
            is_last = attempt == self._attempts
            pause = _pause(attempt)
            try:
                headers = {"Authorization": f"Bearer {_checked(self._token())}"}
                url = f"{self._api().rstrip('/')}{target}"
                answer = self._http.request(method, url, json=body, headers=headers)
            except httpx.UnsupportedProtocol:  # no other attempt has another address
                raise
            except httpx.TransportError:
                if is_last:
                    raise
            else:
                if answer.status_code not in _AGAIN or is_last:
                    break
                pause = max(pause, _asked_pause(answer.headers.get("retry-after", "")))
            self._sleep(min(pause, _LONGEST_PAUSE))
        if answer.is_success:
            return answer
        raise ApiError(answer.status_code, _codes(answer))


def _checked(token: str) -> str:
    """Return the token; raise a ValueError, which does not show it, for what can be none."""
    if not _TOKEN.fullmatch(token):
        raise ValueError("The token is empty, or has a space, a line end or a letter like é.")
    return token


def _asked_pause(retry_after: str) -> float:
    """Return the seconds to wait that an answer asks for: a number of them, or a time."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return parsedate_to_datetime(retry_after).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0


def _pause(failures: int) -> float:
    """Seconds to wait after so many failures, which are others for everybody."""
    longest = min(_LONGEST_PAUSE, 2.0 ** (failures - 1))
    return random.uniform(0.5, 1) * longest  # noqa: S311  # no secret


def _next_hint(socket: "ClientConnection") -> Hint | None:
    """Wait for the next message, and return the hint if it is one.

    Raises an OSError when the other side is silent though asked.
    """
    try:
        text = socket.recv(timeout=_PING_SECONDS)
    except TimeoutError:
        socket.send('{"type": "ping"}')
        text = socket.recv(timeout=_PONG_SECONDS)
    try:
        return Hint.of(json.loads(text))
    except _NOT_OURS:  # such as what the gateway itself says when a function fails
        return None


def _read[Kind](make: Callable[[Any], Kind], answer: httpx.Response) -> Kind:
    """Return what is made of the JSON in an answer."""
    try:
        return make(answer.json())
    except _NOT_OURS as error:
        raise UnexpectedAnswerError(answer.status_code, ()) from error


def _codes(answer: httpx.Response) -> tuple[str, ...]:
    """Return the codes of a problem object; none where something else has answered."""
    try:
        return tuple(map(str, answer.json()["errors"]))
    except _NOT_OURS:
        return ()


def _group_target(message_group_uuid: str) -> str:
    return f"/api/message_groups/{_segment(message_group_uuid)}"


def _segment(text: str) -> str:
    return quote(text, safe="")
