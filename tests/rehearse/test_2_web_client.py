"""The web client at CloudFront, as `bin/web/deploy` puts it there.

The emulator serves what a distribution has in its bucket, with its function and its headers; an API
behind it is out of its reach, and it keeps nothing in memory that would have to be invalidated.
"""

import io
import json
from collections.abc import Callable

import boto3
import httpx
import pytest
from botocore.config import Config
from typer import Abort

from commands.command import Run
from commands.output import Output
from commands.targets import Target
from commands.web.deploy import WEB, deploy, site_files
from commands.web.site import Site
from sam_offline.ministack import CREDENTIALS
from tests.rehearse.cloud import REGION
from tests.rehearse.stage import Stage


def run(stage: Stage, *, yes: bool = True) -> Run:
    """One run of a command on the stage, whose account is the emulator's."""
    target = Target(
        name="the rehearsal",
        on_aws=True,
        outputs=stage.outputs,
        session=boto3.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        ),
        config=Config(retries={"total_max_attempts": 1}),
        endpoint_url=stage.aws.url,
    )
    return Run(find=lambda: target, output=Output(as_json=True), yes=yes)


@pytest.fixture(scope="module")
def get(stage: Stage) -> Callable[[str], httpx.Response]:
    """What a browser gets from the distribution, once the client is deployed."""
    # Of an older client, which no longer belongs there.
    s3 = stage.aws.client("s3")
    s3.put_object(Bucket=stage.outputs["WebBucketName"], Key="elements/gone.js", Body=b"")
    deploy(run(stage))
    host = stage.outputs["WebUrl"].removeprefix("https://")

    def answer(path: str) -> httpx.Response:
        headers = {"Host": host, "X-Forwarded-Proto": "https"}
        return httpx.get(f"{stage.aws.url}{path}", headers=headers, trust_env=False, timeout=None)

    return answer


def test_nothing_is_uploaded_before_somebody_agrees(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    with pytest.raises(Abort):
        deploy(run(stage, yes=False))
    listed = stage.aws.client("s3").list_objects_v2(Bucket=stage.outputs["WebBucketName"])
    assert "Contents" not in listed


@pytest.mark.parametrize("path", ["/", "/messages", "/messages/new/a.b"])
def test_every_route_is_the_page_with_its_headers(
    stage: Stage, get: Callable[[str], httpx.Response], path: str
) -> None:
    answer = get(path)
    assert answer.status_code == 200
    assert answer.content == (WEB / "index.html").read_bytes()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    for name, value in Site.from_outputs(stage.outputs).headers().items():
        assert answer.headers[name] == value


def test_every_file_is_there_as_what_it_is(get: Callable[[str], httpx.Response]) -> None:
    answer = get("/store.js")
    assert answer.content == (WEB / "store.js").read_bytes()
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "max-age=0" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_configuration_is_that_of_this_stack(
    stage: Stage, get: Callable[[str], httpx.Response]
) -> None:
    config = get("/config.json").json()
    assert config["user_pool_client_id"] == stage.ids["UserPoolClient"]
    assert config["api_url"] == "/"
    assert config["password"] == ""


@pytest.mark.usefixtures("get")
def test_the_bucket_has_the_files_of_this_client_and_no_other(stage: Stage) -> None:
    listed = stage.aws.client("s3").list_objects_v2(Bucket=stage.outputs["WebBucketName"])
    wanted = {name for name, _ in site_files(Site.from_outputs(stage.outputs))}
    assert {item["Key"] for item in listed["Contents"]} == wanted


def test_nobody_reads_the_bucket_itself(stage: Stage) -> None:
    access = stage.aws.client("s3").get_public_access_block(Bucket=stage.outputs["WebBucketName"])
    assert all(access["PublicAccessBlockConfiguration"].values())
    policy = stage.aws.client("s3").get_bucket_policy(Bucket=stage.outputs["WebBucketName"])
    statements = json.loads(policy["Policy"])["Statement"]
    (statement,) = [each for each in statements if each["Effect"] == "Allow"]
    assert statement["Condition"]["StringEquals"]["AWS:SourceArn"].endswith(
        f":distribution/{stage.ids['WebDistribution']}"
    )
