"""The application over HTTP, as people use it."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import psycopg2
import pytest

from messaging.entities import Item
from seed.examples import PASSWORD, seed_message_groups
from tests.contract import contract
from tests.local.conftest import ROOT, RunningCloud
from tests.local.lists import differences, scan
from tests.waiting import eventually

GROUPS = "/api/message_groups"
MESSAGES = "/api/messages"
LONG = seed_message_groups()[0]
LAST_YEAR = seed_message_groups()[1]


class Person:
    """Someone who is signed in."""

    def __init__(self, cloud: RunningCloud, handle: str, token: str) -> None:
        self._client = cloud.client
        self.handle = handle
        self.token = token

    def request(self, method: str, target: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self._client.request(method, target, headers=headers, **more)

    def get(self, target: str) -> httpx.Response:
        return self.request("GET", target)

    def post(self, target: str, **body: Any) -> httpx.Response:
        return self.request("POST", target, json=body)

    def groups(self) -> list[dict[str, str]]:
        answer = self.get(f"{GROUPS}?limit=100")
        assert answer.status_code == 200
        rows: list[dict[str, str]] = answer.json()
        return rows


@pytest.fixture(scope="module")
def people(cloud: RunningCloud) -> dict[str, Person]:
    return {
        handle: Person(cloud, handle, cloud.token(handle))
        for handle in ("grahams", "reef", "bayko", "lagoon")
    }


@pytest.fixture
def newcomer(cloud: RunningCloud) -> Callable[[], Person]:
    """Signs up somebody new, by the way that people take."""

    def sign_up() -> Person:
        handle = f"new{uuid4().hex[:10]}"
        client_id = cloud.stack["UserPoolClientId"]
        email = f"{handle}@example.com"
        cloud.cognito.sign_up(
            ClientId=client_id,
            Username=email,
            Password=PASSWORD,
            UserAttributes=[
                {"Name": "email", "Value": email},
                {"Name": "name", "Value": "New Comer"},
                {"Name": "preferred_username", "Value": handle},
            ],
        )
        cloud.cognito.confirm_sign_up(
            ClientId=client_id, Username=email, ConfirmationCode=code_for(cloud, email)
        )
        answer = cloud.cognito.initiate_auth(
            AuthFlow="USER_PASSWORD_AUTH",
            ClientId=client_id,
            AuthParameters={"USERNAME": email, "PASSWORD": PASSWORD},
        )
        return Person(cloud, handle, answer["AuthenticationResult"]["AccessToken"])

    return sign_up


def code_for(cloud: RunningCloud, email: str) -> str:
    """Return the confirmation code that the log shows."""

    def shown() -> str | None:
        found = re.findall(rf"e-mail to {email}: .*?(\d{{6}})", cloud.process.log.read_text())
        return found[-1] if found else None

    return eventually(shown)


def walk(person: Person, target: str | None, relation: str) -> Iterator[list[dict[str, str]]]:
    while target:
        answer = person.get(target)
        assert answer.status_code == 200
        yield answer.json()
        target = link(answer, relation)


def link(answer: httpx.Response, relation: str) -> str | None:
    found = answer.links.get(relation)
    return found["url"] if found else None


def test_the_seeded_conversations_are_listed_newest_first_also_last_years(
    people: dict[str, Person],
) -> None:
    rows = people["grahams"].groups()
    seeded = [row["uuid"] for row in rows if row["uuid"] in {LONG.uuid, LAST_YEAR.uuid}]
    assert seeded == [LONG.uuid, LAST_YEAR.uuid]
    times = [row["created_at"] for row in rows]
    assert times == sorted(times, reverse=True)
    (old,) = [row for row in rows if row["uuid"] == LAST_YEAR.uuid]
    assert int(old["created_at"][:4]) == datetime.now(UTC).year - 1


def test_all_lines_are_read_in_both_directions_without_gap_or_repeat(
    people: dict[str, Person],
) -> None:
    reader = people["grahams"]
    pages = list(walk(reader, f"{MESSAGES}/{LONG.uuid}?limit=7", "next"))
    older = [message for page in pages for message in page]
    texts = [text for _, text in LONG.messages][::-1]
    assert [message["message"] for message in older][-len(texts) :] == texts
    last = reader.get(f"{MESSAGES}/{LONG.uuid}?limit=100")
    while link(last, "next"):
        last = reader.get(str(link(last, "next")))
    oldest_page = last.json()
    newer = [m for page in reversed(list(walk(reader, link(last, "prev"), "prev"))) for m in page]
    assert newer + oldest_page == older
    assert len({message["uuid"] for message in older}) == len(older)
    assert all(m["created_at"] <= datetime.now(UTC).isoformat() for m in older)


def test_a_message_comes_to_the_top_of_both_lists_once(people: dict[str, Person]) -> None:
    text = f"on top {uuid4()}"
    sent = people["reef"].post(MESSAGES, message_group_uuid=LONG.uuid, message=text)
    assert sent.status_code == 200
    for handle, other in (("grahams", "reef"), ("reef", "grahams")):
        person = people[handle]

        def on_top(person: Person = person) -> list[dict[str, str]] | None:
            rows = person.groups()
            return rows if rows[0]["message"] == text else None

        rows = eventually(on_top)
        assert [row["uuid"] for row in rows].count(LONG.uuid) == 1
        assert rows[0]["handle"] == other


@pytest.mark.parametrize(("sender", "receiver"), [("grahams", "reef"), ("reef", "@Grahams")])
def test_writing_to_someone_appends_to_the_seeded_conversation(
    people: dict[str, Person], sender: str, receiver: str
) -> None:
    answer = people[sender].post(GROUPS, handle=receiver, message="hello again")
    assert answer.status_code == 200
    assert answer.json()["message_group_uuid"] == LONG.uuid


def test_twenty_racing_first_messages_make_one_conversation(
    newcomer: Callable[[], Person], people: dict[str, Person]
) -> None:
    one, other = newcomer(), people["lagoon"]

    def write(number: int) -> httpx.Response:
        sender, receiver = (one, other) if number % 2 else (other, one)
        return sender.post(GROUPS, handle=receiver.handle, message=f"first {number}")

    with ThreadPoolExecutor(20) as executor:
        answers = list(executor.map(write, range(20)))
    assert sorted({answer.status_code for answer in answers}) == [200, 201]
    assert [answer.status_code for answer in answers].count(201) == 1
    (group,) = {answer.json()["message_group_uuid"] for answer in answers}
    messages = one.get(f"{MESSAGES}/{group}?limit=100").json()
    assert {m["message"] for m in messages} == {f"first {number}" for number in range(20)}
    assert len(messages) == 20
    newest = messages[0]["message"]
    for person in (one, other):
        rows = eventually(
            lambda person=person: next(  # type: ignore[misc]  # bound now, not when called
                ([r] for r in person.groups() if r["uuid"] == group and r["message"] == newest),
                None,
            )
        )
        assert [row["uuid"] for row in person.groups()].count(group) == len(rows)


@pytest.mark.parametrize("racing", [False, True])
@pytest.mark.parametrize("receiver", [{"message_group_uuid": LONG.uuid}, {"handle": "reef"}])
def test_one_named_send_is_one_message_and_one_answer(
    people: dict[str, Person], racing: bool, receiver: dict[str, str]
) -> None:
    name = str(uuid4())

    def send(_: int) -> httpx.Response:
        body = receiver | {"message": f"once {name}", "message_uuid": name}
        return people["grahams"].post(MESSAGES, **body)

    with ThreadPoolExecutor(8 if racing else 1) as executor:
        answers = list(executor.map(send, range(8 if racing else 2)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    messages = people["reef"].get(f"{MESSAGES}/{LONG.uuid}?limit=100").json()
    assert [m["uuid"] for m in messages].count(name) == 1


def test_a_stranger_gets_404_and_writes_nothing(people: dict[str, Person]) -> None:
    stranger = people["lagoon"]
    assert stranger.get(f"{MESSAGES}/{LONG.uuid}").status_code == 404
    refused = stranger.post(MESSAGES, message_group_uuid=LONG.uuid, message="let me in")
    assert refused.status_code == 404
    assert refused.headers["content-type"] == "application/problem+json"
    texts = [m["message"] for m in people["reef"].get(f"{MESSAGES}/{LONG.uuid}").json()]
    assert "let me in" not in texts


@pytest.mark.parametrize("target", [GROUPS, f"{MESSAGES}/{LONG.uuid}", "/api/users/reef/short"])
def test_bad_tokens_end_at_the_gateway(
    cloud: RunningCloud, people: dict[str, Person], target: str
) -> None:
    good = people["grahams"].token
    claims = jwt.decode(good, options={"verify_signature": False})
    forged = jwt.encode(claims, "k" * 32, algorithm="HS256")
    unsigned = jwt.encode(claims, "", algorithm="none")
    head, body, signature = good.split(".")
    for token in ("x", forged, unsigned, f"{head}.{body}x.{signature}"):
        answer = cloud.client.get(target, headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})
    answer = cloud.client.get(target)
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})


def test_an_id_token_is_refused(cloud: RunningCloud) -> None:
    answer = cloud.cognito.initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        ClientId=cloud.stack["UserPoolClientId"],
        AuthParameters={"USERNAME": "grahams@example.com", "PASSWORD": PASSWORD},
    )
    token = answer["AuthenticationResult"]["IdToken"]
    refused = cloud.client.get(GROUPS, headers={"Authorization": f"Bearer {token}"})
    assert (refused.status_code, refused.json()["errors"]) == (403, ["token_use_invalid"])


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"\xff", 400), (b"{", 400), (b"[1]", 400), (b"null", 400), (b"{}", 422), (b"", 400)],
)
def test_a_bad_body_is_a_problem_object(
    people: dict[str, Person], content: bytes, status: int
) -> None:
    for route in (GROUPS, MESSAGES):
        answer = people["grahams"].request("POST", route, content=content)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


def test_an_odd_path_is_an_unknown_group_or_handle(people: dict[str, Person]) -> None:
    for odd in ("%00", "%F0%9F%90%B3", "a%2Fb", "..%2f..", "%25"):
        assert people["grahams"].get(f"{MESSAGES}/{odd}").status_code == 404
        assert people["grahams"].get(f"/api/users/{odd}/short").status_code == 404


def test_a_user_is_found_by_handle(people: dict[str, Person]) -> None:
    for written in ("reef", "%40Reef", "@REEF"):
        answer = people["grahams"].get(f"/api/users/{written}/short")
        assert answer.json() == {
            "uuid": "1e6b5a4f-7b4c-4a1f-8e6d-4d2a7a3c8b02",
            "handle": "reef",
            "display_name": "Reef",
        }


def test_someone_new_signs_up_writes_and_is_written_to(
    newcomer: Callable[[], Person], people: dict[str, Person]
) -> None:
    person = newcomer()
    assert person.groups() == []
    sent = person.post(GROUPS, handle="bayko", message="I am new here")
    assert sent.status_code == 201
    assert sent.json()["display_name"] == "New Comer"
    group = sent.json()["message_group_uuid"]
    answer = people["bayko"].post(MESSAGES, message_group_uuid=group, message="Welcome!")
    assert answer.status_code == 200
    texts = [m["message"] for m in person.get(f"{MESSAGES}/{group}").json()]
    assert texts == ["Welcome!", "I am new here"]


def test_a_taken_handle_is_refused_at_sign_up(cloud: RunningCloud) -> None:
    email = f"{uuid4().hex}@example.com"
    with pytest.raises(cloud.cognito.exceptions.UserLambdaValidationException) as refused:
        cloud.cognito.sign_up(
            ClientId=cloud.stack["UserPoolClientId"],
            Username=email,
            Password=PASSWORD,
            UserAttributes=[
                {"Name": "email", "Value": email},
                {"Name": "name", "Value": "Impostor"},
                {"Name": "preferred_username", "Value": "Grahams"},
            ],
        )
    assert "handle_taken" in str(refused.value)
    with pytest.raises(cloud.cognito.exceptions.UserNotFoundException):
        cloud.cognito.admin_get_user(UserPoolId=cloud.stack["UserPoolId"], Username=email)


def test_who_is_not_in_the_directory_is_registered_when_they_sign_in(
    cloud: RunningCloud, newcomer: Callable[[], Person]
) -> None:
    person = newcomer()
    with closing(psycopg2.connect(cloud.stack["DatabaseUrl"])) as owner, owner:
        owner.cursor().execute("DELETE FROM public.users WHERE handle = %s", (person.handle,))
    answer = person.get(GROUPS)
    assert (answer.status_code, answer.json()["errors"]) == (403, ["user_not_registered"])
    cloud.cognito.initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        ClientId=cloud.stack["UserPoolClientId"],
        AuthParameters={"USERNAME": f"{person.handle}@example.com", "PASSWORD": PASSWORD},
    )
    assert person.groups() == []


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        (None, "UserLambdaValidationException"),
        ([{"Name": "email", "Value": None}], "UserLambdaValidationException"),
        ([{"Value": "x"}], "InvalidParameterException"),
        (["email"], "SerializationException"),
        ("email", "SerializationException"),
        ([{"Name": "email", "Value": "a\0@example.com"}], "UserLambdaValidationException"),
    ],
)
def test_malformed_attributes_are_refused_at_sign_up(
    cloud: RunningCloud, attributes: Any, kind: str
) -> None:
    body = {
        "ClientId": cloud.stack["UserPoolClientId"],
        "Username": f"{uuid4().hex}@example.com",
        "Password": PASSWORD,
        "UserAttributes": attributes,
    }
    answer = _call_cognito(cloud, "SignUp", json.dumps(body).encode())
    assert (answer.status_code, answer.json()["__type"]) == (400, kind)


@pytest.mark.parametrize(
    ("action", "body", "kind"),
    [
        ("ConfirmSignUp", {"Username": 7, "ConfirmationCode": "1"}, "SerializationException"),
        ("ConfirmSignUp", {"Username": None, "ConfirmationCode": "1"}, "InvalidParameterException"),
        ("ConfirmSignUp", {"ClientId": ["a"]}, "SerializationException"),
        (
            "InitiateAuth",
            {"AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": {"USERNAME": 7, "PASSWORD": "x"}},
            "SerializationException",
        ),
        ("RespondToAuthChallenge", {"ChallengeName": {}}, "SerializationException"),
        ("GetUser", {"AccessToken": []}, "SerializationException"),
    ],
)
def test_a_malformed_call_of_cognito_is_refused_as_in_the_cloud(
    cloud: RunningCloud, action: str, body: dict[str, Any], kind: str
) -> None:
    given = {"ClientId": cloud.stack["UserPoolClientId"], **body}
    answer = _call_cognito(cloud, action, json.dumps(given).encode())
    assert (answer.status_code, answer.json()["__type"]) == (400, kind)


def test_null_is_as_good_as_nothing_to_cognito(cloud: RunningCloud) -> None:
    """As amazon-cognito-identity-js writes what its caller leaves out."""
    client = {"ClientId": cloud.stack["UserPoolClientId"]}
    confirms = {**client, "Username": "grahams@example.com", "ConfirmationCode": "123456"}
    signs_in = {**client, "AuthFlow": "USER_PASSWORD_AUTH"}
    for action, body, null in (
        ("ConfirmSignUp", confirms, {"ClientMetadata": None}),
        ("InitiateAuth", signs_in, {"AuthParameters": None}),
    ):
        without = _call_cognito(cloud, action, json.dumps(body).encode())
        answer = _call_cognito(cloud, action, json.dumps(body | null).encode())
        assert (answer.status_code, answer.json()) == (400, without.json())


@pytest.mark.parametrize("body", [b"null", b"[]", b"7", b"{", b"\xff"])
def test_a_sign_up_that_is_no_json_object_is_refused(cloud: RunningCloud, body: bytes) -> None:
    answer = _call_cognito(cloud, "SignUp", body)
    assert (answer.status_code, answer.json()["__type"]) == (400, "SerializationException")


def _call_cognito(cloud: RunningCloud, action: str, body: bytes) -> httpx.Response:
    """Call past boto3, which sends only what is well formed."""
    return httpx.post(
        cloud.stack["EndpointUrl"],
        content=body,
        headers={
            "X-Amz-Target": f"AWSCognitoIdentityProviderService.{action}",
            "Content-Type": "application/x-amz-json-1.1",
        },
        trust_env=False,
        timeout=None,
    )


def test_a_browser_of_an_allowed_origin_may_call(people: dict[str, Person]) -> None:
    preflight = people["grahams"]._client.options(
        MESSAGES,
        headers={
            "Origin": "http://localhost:3000",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
        },
    )
    assert preflight.status_code in {200, 204}
    assert preflight.headers["access-control-allow-origin"] == "http://localhost:3000"
    allowed = preflight.headers["access-control-allow-headers"].split(",")
    assert {"authorization", "content-type", "idempotency-key"} == set(allowed)
    answer = people["grahams"]._client.get(
        GROUPS,
        headers={
            "Origin": "http://localhost:3000",
            "Authorization": f"Bearer {people['grahams'].token}",
        },
    )
    assert "link" in answer.headers["access-control-expose-headers"]


def test_the_api_shows_its_contract_to_programs_and_to_people(cloud: RunningCloud) -> None:
    with httpx.Client(base_url=cloud.stack["ApiUrl"], timeout=None, trust_env=False) as client:
        assert client.get("/openapi.json").json() == contract().document
        page = client.get("/openapi.html")
    assert page.headers["content-type"].startswith("text/html")
    assert "GET /api/message_groups" in page.text


def test_seeding_again_changes_nothing(cloud: RunningCloud) -> None:
    from seed.writing import write_examples

    def rows() -> list[Item]:
        found = scan(cloud.dynamodb, cloud.stack["TableName"])
        return sorted(found, key=lambda item: (item["pk"], item["sk"]))

    def at_rest() -> list[Item] | None:
        """What is stored, once every list shows the last messages."""
        return None if differences(found := rows()) else found

    before = eventually(at_rest)
    write_examples(
        dynamodb=cloud.dynamodb,
        cognito=cloud.cognito,
        table_name=cloud.stack["TableName"],
        user_pool_id=cloud.stack["UserPoolId"],
        database_url=cloud.stack["DatabaseUrl"],
        now=datetime.now(UTC),
    )
    assert rows() == before


def run_block(cloud: RunningCloud, block: str) -> list[Any]:
    """Run what a document shows for a shell; return the answers of its calls."""
    script = block.replace("http://127.0.0.1:3000", cloud.stack["ApiUrl"])
    done = subprocess.run(
        ["sh", "-e", "-c", script.replace("curl -sS", "curl -sS --fail-with-body -w '\\n'")],
        cwd=ROOT,
        env=cloud.process.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines() if line]
    # A call a line that begins with one; functions of the shell are indented.
    assert len(answers) == len(re.findall(r"^(?:curl|cognito) ", block, re.MULTILINE))
    return answers


@pytest.mark.parametrize("document", ["README.md", "docs/api.md"])
def test_the_commands_of_a_document_work(cloud: RunningCloud, document: str) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    assert blocks
    # In one terminal, as a reader goes through them.
    answers = run_block(cloud, "\n".join(blocks))
    assert not [answer for answer in answers if "errors" in answer or "__type" in answer]


@pytest.mark.parametrize("document", ["README.md", "clients/python/README.md"])
def test_the_programs_of_a_document_work(
    cloud: RunningCloud, people: dict[str, Person], document: str
) -> None:
    programs = re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    assert programs
    for program in programs:
        assert "http://127.0.0.1:3000" in program
        done = subprocess.run(
            [ROOT / "bin" / "python", "-"],
            input=program.replace("http://127.0.0.1:3000", cloud.stack["ApiUrl"]),
            env={**cloud.process.environment, "TOKEN": people["grahams"].token},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout


def test_the_readme_shows_what_its_call_answers(cloud: RunningCloud) -> None:
    text = (ROOT / "README.md").read_text()
    (call,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    (shown,) = map(json.loads, re.findall(r"```json\n(.*?)```", text, re.DOTALL))
    (answer,) = run_block(cloud, call)
    of_this_send = {name: answer[name] for name in ("uuid", "created_at")}
    assert answer == shown | of_this_send


def test_the_readme_shows_what_the_start_prints(cloud: RunningCloud) -> None:
    text = (ROOT / "README.md").read_text()
    (shown,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    printed = cloud.process.log.read_text().splitlines()
    for line in shown.splitlines():
        # The addresses are this run's own; what is left out stands as an ellipsis.
        pattern = re.sub(r":\d+", r":\\d+", re.escape(line)).replace("…", ".*")
        assert any(re.fullmatch(pattern, other) for other in printed), line


def test_the_commands_that_the_start_prints_work_from_anywhere(
    cloud: RunningCloud, tmp_path: Path
) -> None:
    lines = cloud.process.log.read_text().splitlines()
    commands = [line.strip() for line in lines if line.strip().startswith("curl ")]
    assert len(commands) == 3
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "errors" not in json.loads(done.stdout)


def test_a_function_has_only_its_layers_and_its_environment(cloud: RunningCloud) -> None:
    (worker, *_) = cloud.workers("ListMessages")
    environment = worker.environ()
    assert environment["TABLE_NAME"] == cloud.stack["TableName"]
    assert "LOCAL_STATE" not in environment
    assert not [name for name in environment if name.startswith("VIRTUAL_ENV")]
