"""The AWS engine as the local cloud runs it."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from sam_offline.ministack import CREDENTIALS, Ministack
from sam_offline.state import StateFolder
from tests.local.conftest import ROOT

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFolder]:
    state = StateFolder(tmp_path / "s")
    state.acquire()
    yield state
    state.release()


def _started(state: StateFolder) -> tuple[Ministack, "CognitoIdentityProviderClient"]:
    engine = Ministack(ROOT / ".build", state=state, region="us-east-1")
    engine.wait()
    cognito = boto3.client(
        "cognito-idp",
        endpoint_url=engine.url,
        region_name="us-east-1",
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )
    return engine, cognito


@pytest.mark.proof
def test_sign_ups_side_by_side_all_succeed_in_a_large_pool(state: StateFolder) -> None:
    """Each looks through all users while others add to them."""
    engine, cognito = _started(state)
    pool = cognito.create_user_pool(PoolName="people", UsernameAttributes=["email"])["UserPool"]
    client = cognito.create_user_pool_client(UserPoolId=pool["Id"], ClientName="web")
    client_id = client["UserPoolClient"]["ClientId"]

    def sign_up(number: int) -> str:
        username = f"person{number}@example.com"
        answer = cognito.sign_up(ClientId=client_id, Username=username, Password="Tide-1234")
        return answer["UserSub"]

    first = sign_up(-1)
    engine.stop()
    file = state.data / "aws" / "cognito.json"
    saved = json.loads(file.read_text())
    (stored,) = saved["payload"]["user_pools"]["data"].values()
    stored["_users"] |= {f"{first}-{number}": stored["_users"][first] for number in range(20_000)}
    file.write_text(json.dumps(saved))
    engine, cognito = _started(state)
    with ThreadPoolExecutor(8) as executor:
        assert len(set(executor.map(sign_up, range(80)))) == 80
    engine.stop()
