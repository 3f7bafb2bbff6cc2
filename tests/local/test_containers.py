"""The local cloud lets containers in with --no-api, and only then."""

import json
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import boto3
import psycopg2
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.local.conftest import LocalCloud, RunningCloud

# Every machine that runs Linux has it, whether or not it has Docker's bridge.
ELSEWHERE = "127.0.0.2"


def rows(url: str, table: str, *, key: str, region: str) -> int:
    """How many items of the table a caller with these keys sees."""
    client = boto3.client(
        "dynamodb",
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key="secret" if key != "test" else "test",
        aws_session_token=None if key == "test" else "token",
        config=Config(retries={"total_max_attempts": 1}),
    )
    return client.scan(TableName=table)["Count"]


@pytest.mark.proof
@pytest.mark.skipif(sys.platform != "linux", reason=f"{ELSEWHERE} is an address on Linux only")
def test_without_its_api_containers_reach_it_whatever_keys_they_have(
    start_cloud: Callable[..., LocalCloud],
) -> None:
    process = start_cloud(None, "--no-api", BRIDGE_HOST=ELSEWHERE)
    stack = process.wait_until_ready()
    file = process.state / "sam-env.json"
    assert file.stat().st_mode & 0o777 == 0o600
    environments: dict[str, dict[str, str]] = json.loads(file.read_text())
    environment = environments["ListMessages"]
    assert environment["TABLE_NAME"] == stack["TableName"]
    assert environment["DATABASE_AUTH"] == "url"
    assert "ADMINISTER_DIRECTORY_FUNCTION" not in environments["UpdateMessageGroups"]

    aws = urlsplit(environment["AWS_ENDPOINT_URL"])
    assert aws.hostname == "host.docker.internal"
    url = f"http://{ELSEWHERE}:{aws.port}"
    seeded = rows(url, stack["TableName"], key="test", region=stack["Region"])
    assert seeded > 100
    for key in ("AKIAEXAMPLE", "test"):
        assert rows(url, stack["TableName"], key=key, region="eu-west-1") == seeded

    database = urlsplit(environment["DATABASE_URL"])
    assert database.password
    there = environment["DATABASE_URL"].replace("host.docker.internal", ELSEWHERE)
    with closing(psycopg2.connect(there)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'")
        (stored,) = cursor.fetchone() or ("",)
        assert stored.startswith("SCRAM-SHA-256$")
        cursor.execute("SELECT address, auth_method FROM pg_hba_file_rules ORDER BY rule_number")
        assert cursor.fetchall() == [("127.0.0.1", "trust"), ("all", "scram-sha-256")]
    # Empty is the owner, who is in the URL.
    for user in filter(None, {e["DATABASE_USER"] for e in environments.values()}):
        psycopg2.connect(there, user=user).close()
    process.stop()
    assert not file.exists()


@pytest.mark.skipif(sys.platform != "linux", reason=f"{ELSEWHERE} is an address on Linux only")
def test_with_its_api_nobody_comes_in_from_elsewhere_or_with_other_keys(
    cloud: RunningCloud,
) -> None:
    stack: Any = cloud.stack
    port = urlsplit(stack["EndpointUrl"]).port
    with pytest.raises(EndpointConnectionError):
        rows(f"http://{ELSEWHERE}:{port}", stack["TableName"], key="test", region=stack["Region"])
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(stack["DatabaseUrl"].replace("127.0.0.1", ELSEWHERE))
    with pytest.raises(ClientError):
        rows(stack["EndpointUrl"], stack["TableName"], key="AKIAEXAMPLE", region=stack["Region"])
    assert not (cloud.process.state / "sam-env.json").exists()
