"""A page of a stranger, open in a browser on this machine, gets nothing and changes nothing."""

import json
import stat
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from websockets.sync.client import connect

from tests.local.conftest import LocalCloud, RunningCloud, running
from tests.local.test_kept import engine_of

EVIL = "http://evil.example"
RESET = "/_ministack/reset"
SIGN_IN = "AWSCognitoIdentityProviderService.InitiateAuth"
JSON = "application/x-amz-json-1.1"


def local_ports(cloud: RunningCloud) -> list[str]:
    """Every address where the local cloud's processes take HTTP."""
    processes = [psutil.Process(cloud.process.process.pid), *cloud.process.children()]
    listening = {
        connection.laddr
        for process in processes
        if process.name() != "postgres"
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    return [f"http://{address.ip}:{address.port}" for address in listening]


def call(url: str, target: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    """A call of AWS as a page makes it."""
    sent = {"X-Amz-Target": target, "Content-Type": JSON, **headers}
    return httpx.post(url, content=json.dumps(body), headers=sent, trust_env=False, timeout=None)


def credentials(cloud: RunningCloud) -> dict[str, Any]:
    return {
        "ClientId": cloud.stack["UserPoolClientId"],
        "AuthFlow": "USER_PASSWORD_AUTH",
        "AuthParameters": {"USERNAME": "grahams@example.com", "PASSWORD": "Cruddur-1234"},
    }


def test_no_page_of_a_stranger_can_wipe_the_local_cloud(cloud: RunningCloud) -> None:
    ports = local_ports(cloud)
    known = {urlsplit(cloud.stack[name]).port for name in ("ApiUrl", "EndpointUrl")}
    assert known < {urlsplit(url).port for url in ports}  # the engine's own port is there, too
    for url in ports:
        port = urlsplit(url).port
        for headers in (
            {"Origin": EVIL},
            {"Origin": "null"},
            {"Host": f"evil.example:{port}"},
            {"Host": f"evil.example:{port}", "Origin": f"{EVIL}:{port}"},
        ):
            sent = {"Content-Type": "text/plain", **headers}
            answer = httpx.post(url + RESET, headers=sent, trust_env=False, timeout=None)
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
    for path in (RESET, "/%5fministack/reset", "//_ministack/reset"):
        assert (
            httpx.post(cloud.stack["EndpointUrl"] + path, trust_env=False, timeout=None).status_code
            == 403
        )
    assert cloud.dynamodb.scan(TableName=cloud.stack["TableName"])["Count"] > 100


def test_nobody_reads_the_engines_mail_at_the_aws_port(cloud: RunningCloud) -> None:
    url = f"{cloud.stack['EndpointUrl']}/_ministack/ses/messages"
    assert httpx.get(url, trust_env=False, timeout=None).status_code == 403


@pytest.mark.parametrize("origin", [EVIL, "http://127.0.0.1:1", "null"])
def test_a_page_of_a_stranger_can_neither_read_nor_sign_in(
    cloud: RunningCloud, origin: str
) -> None:
    url = cloud.stack["EndpointUrl"]
    api = f"{cloud.stack['ApiUrl']}/api/message_groups"
    for answer in (
        call(url, SIGN_IN, credentials(cloud), Origin=origin),
        httpx.options(url, headers={"Origin": origin}, trust_env=False, timeout=None),
        # No answer of the API: its contract does not have it.
        httpx.get(api, headers={"Origin": origin}, trust_env=False, timeout=None),
    ):
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


def test_the_apis_own_page_may_sign_in_and_call_nothing_else_of_aws(cloud: RunningCloud) -> None:
    url = cloud.stack["EndpointUrl"]
    port = urlsplit(cloud.stack["ApiUrl"]).port
    for origin in (f"http://127.0.0.1:{port}", f"http://localhost:{port}"):
        asks = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,x-amz-target",
        }
        preflight = httpx.options(url, headers=asks, trust_env=False, timeout=None)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == origin
        assert preflight.headers["access-control-allow-headers"] == "content-type,x-amz-target"
        answer = call(url, SIGN_IN, credentials(cloud), Origin=origin)
        assert answer.status_code == 200
        assert answer.headers.get_list("access-control-allow-origin") == [origin]
        token = answer.json()["AuthenticationResult"]["AccessToken"]
        groups = cloud.client.get(
            "/api/message_groups", headers={"Origin": origin, "Authorization": f"Bearer {token}"}
        )
        assert groups.status_code == 200
        scan = call(url, "DynamoDB_20120810.Scan", {"TableName": "x"}, Origin=origin)
        assert scan.status_code == 403


@pytest.mark.proof
@pytest.mark.parametrize(
    ("variable", "open_to_all"), [("HOST", "ApiUrl"), ("AWS_HOST", "EndpointUrl")]
)
def test_only_what_is_asked_for_listens_elsewhere(
    start_cloud: Callable[..., LocalCloud], variable: str, open_to_all: str
) -> None:
    process = start_cloud(**{variable: "0.0.0.0"})
    stack = process.wait_until_ready()
    hosts = {name: urlsplit(stack[name]).hostname for name in ("ApiUrl", "EndpointUrl")}
    assert hosts == dict.fromkeys(hosts, "127.0.0.1") | {open_to_all: "0.0.0.0"}
    process.stop()


@pytest.mark.proof
def test_whoever_asks_from_elsewhere_is_told_addresses_that_lead_here(
    start_cloud: Callable[..., LocalCloud],
) -> None:
    """By whatever name of this machine: 0.0.0.0 is none that another machine can open."""
    process = start_cloud(HOST="0.0.0.0", AWS_HOST="0.0.0.0")
    stack = process.wait_until_ready()
    with running(process, stack) as cloud:
        token = cloud.token("grahams")
        ports = [urlsplit(stack[name]).port for name in ("ApiUrl", "EndpointUrl")]
        for host in ("localhost", "127.0.0.1"):
            socket_url, sign_in_url = f"ws://{host}:{ports[0]}/live", f"http://{host}:{ports[1]}"
            with httpx.Client(
                base_url=f"http://{host}:{ports[0]}", trust_env=False, timeout=None
            ) as client:
                ticket = client.post("/api/live", headers={"Authorization": f"Bearer {token}"})
                config = client.get("/config.json").json()
                policy = client.get("/").headers["content-security-policy"]
            assert ticket.json()["url"] == config["socket_url"] == socket_url
            assert config["sign_in_url"] == sign_in_url
            assert f"ws://{host}:{ports[0]} {sign_in_url};" in policy
            with connect(f"{socket_url}?ticket={ticket.json()['ticket']}", proxy=None) as socket:
                socket.send('{"type": "ping"}')
                assert json.loads(socket.recv()) == {"type": "pong"}
    process.stop()


def test_passwords_and_the_keys_that_sign_are_for_nobody_else(cloud: RunningCloud) -> None:
    data = cloud.process.state / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    keys = list((data / "aws").rglob("*.pem"))
    assert keys
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_an_unknown_key_is_refused_while_the_engine_is_silent(cloud: RunningCloud) -> None:
    """And nobody waits for it: the keys were read at the start."""
    good = cloud.token("grahams")
    claims = jwt.decode(good, options={"verify_signature": False})
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    unknown = jwt.encode(claims, key, algorithm="RS256", headers={"kid": "unknown"})
    engine = engine_of(cloud.process)
    engine.suspend()
    try:
        answers = [
            cloud.client.get("/api/users/reef/short", headers={"Authorization": f"Bearer {token}"})
            for token in (unknown, good)
        ]
    finally:
        engine.resume()
    assert [answer.status_code for answer in answers] == [401, 200]
