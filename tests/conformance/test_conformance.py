"""What every deployment, and every other implementation of the contract, has to do."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.conformance.conftest import Person
from tests.contract import contract
from tests.waiting import eventually

GROUPS = "/api/message_groups"
MESSAGES = "/api/messages"
OF_OTHERS = "5ae290ed-0000-4000-8000-fe2bc2700399"


def codes(answer: httpx.Response) -> tuple[int, list[str]]:
    return answer.status_code, answer.json()["errors"]


def test_no_token(nobody: httpx.Client) -> None:
    """Nobody gets in without a token, on any route."""
    for method, path, _ in contract().operations():
        target = path.format(message_group_uuid=OF_OTHERS, handle="x")
        assert nobody.request(method, target).status_code == 401
        wrong = {"Authorization": "Bearer wrong"}
        assert nobody.request(method, target, headers=wrong).status_code == 401


def test_no_route(one: Person) -> None:
    """A path or a method that is not in the contract gets 404 from the gateway."""
    assert one.get("/api/nothing").json() == {"message": "Not Found"}
    assert one.client.delete(GROUPS).json() == {"message": "Not Found"}


def test_people(one: Person, other: Person) -> None:
    """People are found by their handles, with or without an @, in any case."""
    for written in (other.handle, f"@{other.handle}", other.handle.upper()):
        assert one.get(f"/api/users/{written}/short").json()["handle"] == other.handle
    assert codes(one.get(f"/api/users/{uuid4().hex}/short")) == (404, ["user_not_found"])


def test_one_group(one: Person, other: Person) -> None:
    """Two people have one message group, whoever writes first and by whichever route."""
    sent = [
        one.post(GROUPS, handle=other.handle, message="Good morning, neighbour"),
        other.post(GROUPS, handle=f"@{one.handle}", message="Good morning, neighbour"),
        one.post(MESSAGES, handle=other.handle, message="Good morning, neighbour"),
    ]
    assert len({answer.json()["message_group_uuid"] for answer in sent}) == 1
    assert [answer.status_code for answer in sent[1:]] == [200, 200]


@pytest.mark.parametrize("text", ["  two\nlines \U0001f433 e\u0301 <b>&amp;</b>  ", "x" * 1024])
def test_exact_text(one: Person, other: Person, group: str, text: str) -> None:
    """A text comes back to both exactly as it was sent, up to 1,024 code points."""
    sent = one.post(MESSAGES, message_group_uuid=group, message=text)
    assert (sent.status_code, sent.json()["message"]) == (200, text)
    for reader in (one, other):
        (newest,) = reader.get(f"{MESSAGES}/{group}?limit=1").json()
        assert (newest["message"], newest["handle"]) == (text, one.handle)


def test_pages(one: Person, group: str) -> None:
    """Pages have no gap and no repeat, to older rows and to newer ones."""
    for number in range(5):
        one.post(MESSAGES, message_group_uuid=group, message=f"{number}")
    expected = [row["uuid"] for row in one.get(f"{MESSAGES}/{group}?limit=7").json()]
    seen: list[str] = []
    page = one.get(f"{MESSAGES}/{group}?limit=2")
    while len(seen) < 6:
        seen += [row["uuid"] for row in page.json()]
        page = one.get(page.links["next"]["url"])
    assert seen == expected[:6]
    # From the page after that, one row on, back to the newest.
    assert page.json()[0]["uuid"] == expected[6]
    back: list[str] = []
    while "prev" in page.links:
        page = one.get(page.links["prev"]["url"])
        back = [row["uuid"] for row in page.json()] + back
    assert back == expected[:6]
    ascending = one.get(f"{MESSAGES}/{group}?limit=3&order=asc").json()
    assert [row["uuid"] for row in ascending] == expected[:3][::-1]


def test_lists_follow(one: Person, other: Person, group: str) -> None:
    """Both lists come to begin with the group that has the newest message, which is there once."""
    text = str(uuid4())
    one.post(MESSAGES, message_group_uuid=group, message=text)
    for reader in (one, other):
        rows = eventually(
            lambda reader=reader: (  # type: ignore[misc]  # bound now, not when called
                rows if (rows := reader.get(GROUPS).json())[0]["message"] == text else None
            )
        )
        assert [row["uuid"] for row in rows].count(group) == 1


def test_unread(one: Person, other: Person, group: str) -> None:
    """What the other wrote is unread until it is read, and a mark never goes back."""
    target = f"{GROUPS}/{group}"
    sent = [one.post(MESSAGES, message_group_uuid=group, message="?").json() for _ in range(2)]
    first, second = ({"created_at": s["created_at"], "uuid": s["uuid"]} for s in sent)
    eventually(lambda: other.get(target).json()["unread_count"] >= 2 or None)

    def listed() -> int:
        rows = other.get(f"{GROUPS}?counts=true").json()
        return next(int(row["unread_count"]) for row in rows if row["uuid"] == group)

    eventually(lambda: listed() >= 2 or None)
    assert other.patch(target, read_up_to=first).json()["unread_count"] == 1
    read = other.patch(target, read_up_to=second).json()
    assert (read["unread"], read["unread_count"], read["read_up_to"]) == (False, 0, second)
    assert other.patch(target, read_up_to=first).json()["read_up_to"] == second
    assert other.patch(target, marked_unread=True).json()["unread"] is True
    assert other.patch(target, read_up_to=second, muted=True).json()["unread"] is False
    assert other.patch(target, muted=False).json()["muted"] is False


def test_receipts(one: Person, other: Person, group: str) -> None:
    """How far somebody has read is shown only while both share it."""
    target = f"{GROUPS}/{group}"
    for reader in (one, other):
        assert reader.patch("/api/me", read_receipts=True).json()["read_receipts"] is True
    sent = one.post(MESSAGES, message_group_uuid=group, message="?").json()
    read = {"created_at": sent["created_at"], "uuid": sent["uuid"]}
    assert other.patch(target, read_up_to=read).status_code == 200
    assert one.get(target).json()["seen_up_to"] == read
    other.patch("/api/me", read_receipts=False)
    assert "seen_up_to" not in one.get(target).json()
    assert "seen_up_to" not in other.get(target).json()
    other.patch("/api/me", read_receipts=True)


@pytest.mark.parametrize("route", [GROUPS, MESSAGES])
@pytest.mark.parametrize("named_by", ["message_uuid", "Idempotency-Key"])
def test_exactly_once(one: Person, other: Person, group: str, named_by: str, route: str) -> None:
    """A named send is one message and one answer, also when two requests race."""
    name = str(uuid4())
    body = {"message": "this is sent once"}
    body |= {"handle": other.handle} if route == GROUPS else {"message_group_uuid": group}
    headers = {}
    if named_by == "message_uuid":
        body["message_uuid"] = name
    else:
        headers["Idempotency-Key"] = name

    def send(_: int) -> httpx.Response:
        answer: httpx.Response = one.post(route, headers=headers, **body)
        return answer

    with ThreadPoolExecutor(4) as executor:
        answers = list(executor.map(send, range(4)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    page = one.get(f"{MESSAGES}/{group}?limit=100").json()
    assert [message["uuid"] for message in page].count(name) == 1
    reused = one.post(route, headers=headers, **{**body, "message": "this is another"})
    assert codes(reused) == (422, ["message_uuid_reused"])


def test_foreign_groups(one: Person) -> None:
    """A group of others, none and nonsense are one 404, whatever is asked."""
    answers = set()
    for group in (OF_OTHERS, "nonsense", "%00"):
        for answer in (
            one.get(f"{MESSAGES}/{group}"),
            one.get(f"{GROUPS}/{group}"),
            one.patch(f"{GROUPS}/{group}", muted=True),
            one.post(MESSAGES, message_group_uuid=group, message="let me in, please"),
        ):
            answers.add((answer.status_code, answer.text))
    assert len(answers) == 1
    assert next(iter(answers))[0] == 404


def test_rules(one: Person, other: Person, group: str) -> None:
    """Every rule that a request breaks is named, and nothing is stored."""
    before = one.get(f"{MESSAGES}/{group}").json()
    for answer, expected in (
        (one.post(GROUPS), ["user_reciever_handle_blank", "message_blank"]),
        (one.post(GROUPS, handle=one.handle, message="x"), ["message_to_self"]),
        (
            one.post(MESSAGES, message_group_uuid=group, message="x" * 1025),
            ["message_exceed_max_chars_1024"],
        ),
        (
            one.post(MESSAGES, message_group_uuid=group, message=" \u200b", message_uuid="x"),
            ["message_blank", "message_uuid_invalid"],
        ),
        (one.patch(f"{GROUPS}/{group}"), ["nothing_to_change"]),
        (one.patch("/api/me", read_receipts="no"), ["read_receipts_invalid"]),
        (
            one.get(f"{MESSAGES}/{group}?limit=101&cursor=x&order=up"),
            ["limit_invalid", "cursor_invalid", "order_invalid"],
        ),
        (one.get(f"{GROUPS}?limit=0&counts=maybe"), ["limit_invalid", "counts_invalid"]),
    ):
        assert codes(answer) == (422, expected)
    for content, code in ((b"\xff", "not_utf8"), (b"{", "not_json"), (b"[]", "not_object")):
        answer = one.client.post(MESSAGES, content=content)
        assert codes(answer) == (400, [f"body_{code}"])
    assert one.get(f"{MESSAGES}/{group}").json() == before


def test_too_large(one: Person, group: str) -> None:
    """A body over 10 MB ends at the gateway."""
    answer = one.post(MESSAGES, message_group_uuid=group, message="x" * 11 * 1024 * 1024)
    assert answer.status_code == 413


def live_url(person: Person, **other: str) -> str:
    """Where the person's next connection is opened, or one with another ticket."""
    answer = person.post("/api/live")
    assert answer.status_code == 201
    body = answer.json()
    return f"{body['url']}?{urlencode({'ticket': body['ticket'], **other})}"


def told(socket: ClientConnection, **wanted: str) -> bool:
    """Whether a client is told this, whatever else it is told before."""
    while True:
        hint = json.loads(socket.recv(timeout=60))
        if hint.items() >= wanted.items():
            return True


def test_hints(one: Person, other: Person, group: str) -> None:
    """Who is connected is told of messages, marks and what the other has read, and gets pongs."""
    for reader in (one, other):
        reader.patch("/api/me", read_receipts=True)
    with connect(live_url(one)) as mine, connect(live_url(other)) as theirs:
        sent = one.post(MESSAGES, message_group_uuid=group, message="?").json()
        for socket in (mine, theirs):
            assert told(socket, type="message_group", uuid=group, message_uuid=sent["uuid"])
        read = {"created_at": sent["created_at"], "uuid": sent["uuid"]}
        other.patch(f"{GROUPS}/{group}", read_up_to=read)
        assert told(theirs, type="marks", uuid=group)
        assert told(mine, type="receipt", uuid=group, message_uuid=sent["uuid"])
        mine.send('{"type": "ping"}')
        assert told(mine, type="pong")


def test_tickets(one: Person) -> None:
    """A ticket opens one connection, once; a token opens none; an eleventh ends the first."""
    url = live_url(one)
    token = one.client.headers["Authorization"].removeprefix("Bearer ")
    with ExitStack() as open_ones:
        first = open_ones.enter_context(connect(url))
        for wrong in (url, live_url(one, ticket="wrong"), live_url(one, ticket=token)):
            with pytest.raises(InvalidStatus) as refused, connect(wrong):
                pass
            assert refused.value.response.status_code in {401, 403}
        for _ in range(10):
            open_ones.enter_context(connect(live_url(one)))
        assert told(first, type="closing", reason="replaced")
