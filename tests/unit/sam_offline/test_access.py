"""Programs come in by any name of this machine; of pages only our own."""

import pytest

from sam_offline.access import AccessPolicy, is_engine_path

API = "https://app.example"
POLICY = AccessPolicy(origins=(API,), page_port=3000)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:4566", "localhost", "LOCALHOST:1", "[::1]:4566", "192.168.1.5:3000"),
        *("host.docker.internal:4566", "172.17.0.1:4566", "api.localhost", "box.local:1", "box"),
    ],
)
def test_programs_come_in_by_any_name_of_this_machine(host: str) -> None:
    assert POLICY.refusal(host, None) is None


@pytest.mark.parametrize(
    "host",
    [
        *(None, "", "evil.example", "evil.example:4566", "127.0.0.1.evil.example"),
        *("localhost.evil.example:4566", "[::1", "localhost@evil.example"),
        *("evil.example#localhost", "evil.example/localhost", "evil.example\\.local"),
        *("user@localhost", "localhost:x", "localhost:1:2", "[::1]x", "[]", "evil。example"),
        *('a".local', "a;b.local", "a b.local", "a%00.local", "a,b.local", "\x1b.local"),
    ],
)
def test_a_strangers_name_for_this_machine_stays_outside(host: str | None) -> None:
    assert POLICY.refusal(host, None)
    assert POLICY.refusal(host, f"http://{host}")


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:4566", "http://127.0.0.1:3000"),
        ("127.0.0.1:4566", "http://localhost:3000"),
        ("[::1]:4566", "http://[::1]:3000"),
        ("192.168.1.5:4566", "http://192.168.1.5:3000"),
        ("127.0.0.1:3000", API),
    ],
)
def test_our_own_pages_and_those_of_named_origins_come_in(host: str, origin: str) -> None:
    assert POLICY.refusal(host, origin) is None


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "", "https://evil.example", "http://evil.example:3000", "http://127.0.0.1"),
        *("http://127.0.0.1:8000", "https://localhost:3000", "http://192.168.1.5:3000"),
        *("http://localhost:3000.evil.example", "http://localhost.evil.example:3000", "file://"),
    ],
)
def test_every_other_page_stays_outside(origin: str) -> None:
    assert POLICY.refusal("127.0.0.1:4566", origin)
    assert AccessPolicy().refusal("127.0.0.1:4566", origin)


def test_an_api_for_every_origin_lets_every_page_in_by_a_name_of_this_machine() -> None:
    policy = AccessPolicy(origins=("*",))
    assert policy.refusal("127.0.0.1:3000", "https://evil.example") is None
    assert policy.refusal("evil.example:3000", "https://evil.example")


@pytest.mark.parametrize(
    ("path", "own"),
    [
        *(
            ("/", False),
            ("/000000000000/queue", False),
            ("/us-east-1_x/.well-known/jwks.json", False),
        ),
        *(("/_ministack/reset", True), ("/%5Fministack/reset", True), ("//_ministack/reset", True)),
        *(("/_localstack/health", True), ("/./_aws/x", True), ("/health", True)),
    ],
)
def test_the_engines_own_paths_are_known_however_they_are_written(path: str, own: bool) -> None:
    assert is_engine_path(path) is own
