"""The local cloud does what `make conformance` asks of every deployment.

It does so with functions that may do with the table what their roles in template.yaml allow, and
no more: see `RoleProxy`.
"""

import os
import re
import subprocess
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from messaging import keys
from tests.fakes.calls import Call, needs, rights_on_the_table
from tests.fakes.iam import Iam
from tests.fakes.template import DATABASE, read_stack
from tests.local.conftest import ROOT, RunningCloud
from tests.local.role_proxy import RoleProxy

# Rights that are needed when an index is behind, a record is parked or a connection has ended:
# tests/integration/test_roles.py.
OF_BAD_DAYS = {
    ("UpdateMessageGroups", "dynamodb:GetItem", "MEMBERS#*"),
    ("UpdateMessageGroups", "dynamodb:PutItem", "FAILED"),
    *(
        (function, "dynamodb:DeleteItem", partition)
        for function in ("KeepLive", "SendHints")
        for partition in ("CONNECTION#*", "CONNECTIONS#*")
    ),
}


def test_the_local_cloud_conforms_by_its_roles_alone(
    cloud: RunningCloud, tell: Callable[[str], None]
) -> None:
    given = {"TOKEN": cloud.token("bayko"), "OTHER_TOKEN": cloud.token("harbor")}
    given |= {"API": cloud.stack["ApiUrl"], "LOG": str(cloud.process.log), "NO_PROXY": "*"}
    done = subprocess.run(
        [ROOT / "bin" / "python", "-m", "pytest", "--quiet", "tests/conformance"],
        cwd=ROOT,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    source = (ROOT / "tests" / "conformance" / "test_conformance.py").read_text()
    sentences = re.findall(r'^def test_.*\n    """(.*)"""', source, re.MULTILINE)
    assert len(sentences) > 10
    for sentence in sentences:
        assert f"  yes  {sentence}" in done.stdout
    assert cloud.roles
    made, denied = cloud.roles.seen()
    assert not denied
    stack = read_stack(parameters=DATABASE)
    iam = Iam(stack)
    unused = {
        (function, right.action, right.leading_key)
        for function in stack.functions()
        for right in rights_on_the_table(iam, function)
        if not any(needs(call, right) for call in made.get(function, ()))
    }
    tell(f"rights that nothing needed: {sorted(unused)}")
    assert unused <= OF_BAD_DAYS


def test_each_function_is_denied_what_others_may(cloud: RunningCloud) -> None:
    """By the wire: what any function may do with the table, asked by all who may not."""
    proxy = RoleProxy()
    proxy.lead_to(cloud.stack["EndpointUrl"])
    rights = {name: set(rights_on_the_table(proxy.iam, name)) for name in proxy.functions}
    everything = set().union(*rights.values())
    tried = 0
    for function, own in rights.items():
        client = boto3.client(
            "dynamodb",
            endpoint_url=proxy.url,
            region_name=cloud.stack["Region"],
            aws_access_key_id=cloud.stack["AccessKeyId"],
            aws_secret_access_key=cloud.stack["SecretAccessKey"],
            aws_session_token=f"arn:aws:lambda:us-east-1:000000000000:function:{function}",
        )
        for right in everything - own:
            with pytest.raises(client.exceptions.ClientError) as refused:
                ask(client, right, cloud.stack["TableName"])
            assert refused.value.response["Error"]["Code"] == "AccessDeniedException", (
                function,
                right,
            )
            tried += 1
    proxy.stop()
    assert not any(proxy.made.values())
    assert tried > 100


def ask(client: Any, right: Call, table_name: str) -> None:
    """Make a call that this right would allow."""
    pk = {"S": right.leading_key.replace("*", "of nobody")}
    key = {"pk": pk, "sk": {"S": "x"}}
    _, _, index = right.resource.partition("/index/")
    hash_key = "message_group_uuid" if index == keys.ROWS_INDEX else "pk"
    match right.action:
        case "dynamodb:Query":
            client.query(
                TableName=table_name,
                **({"IndexName": index} if index else {}),
                KeyConditionExpression=f"{hash_key} = :p",
                ExpressionAttributeValues={":p": pk},
            )
        case "dynamodb:BatchGetItem":
            client.batch_get_item(RequestItems={table_name: {"Keys": [key]}})
        case "dynamodb:PutItem":
            client.put_item(TableName=table_name, Item=key)
        case "dynamodb:UpdateItem":
            client.update_item(TableName=table_name, Key=key)
        case "dynamodb:DeleteItem":
            client.delete_item(TableName=table_name, Key=key)
        case "dynamodb:GetItem":
            client.get_item(TableName=table_name, Key=key)
        case action:
            pytest.fail(f"nobody has said how to ask for {action}")
