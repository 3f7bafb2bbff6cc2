"""The local cloud does what `make conformance` asks of every deployment.

It does so with functions that may do on AWS what their roles in template.yaml allow, and no more:
see `RoleProxy`.
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from messaging import keys
from tests.fakes.calls import Call, needs, rights
from tests.fakes.iam import LIVE_API, Iam
from tests.fakes.template import DATABASE, read_stack
from tests.local.conftest import ROOT, RunningCloud
from tests.local.role_proxy import RoleProxy

# Rights that nothing needs here, and why; tests/integration/test_roles.py has who needs them.
ELSEWHERE = {
    "rds-db:connect": "functions sign in to the local PostgreSQL by its URL",
    "secretsmanager:GetSecretValue": "nothing is deployed here",
    "lambda:InvokeFunction": "nothing is deployed here",
    "sqs:SendMessage": "it is Lambda that sends what it gives up",
}
# Those that are needed when an index is behind, a clock is ahead, a record is parked, or a
# connection has ended or is the eleventh.
OF_BAD_DAYS = {
    ("ConnectLive", "execute-api:ManageConnections", "*"),
    ("MarkMessageGroup", "dynamodb:GetItem", "MSG#*"),
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
        for right in rights(iam, function)
        if not any(needs(call, right) for call in made.get(function, ()))
    }
    tell(f"{sum(map(len, made.values()))} kinds of calls held against roles")
    tell(f"rights that nothing needed: {sorted(unused)}")
    assert {right for right in unused if right[1] not in ELSEWHERE} <= OF_BAD_DAYS
    assert {action for _, action, _ in unused} >= ELSEWHERE.keys()


def test_each_function_is_denied_what_others_may(
    cloud: RunningCloud, tell: Callable[[str], None]
) -> None:
    """By the wire: what any function may do, asked by all who may not.

    And what each may do, on what is not this stack's.
    """
    proxy = RoleProxy()
    # The sign-in to the database is no call: tests/integration/test_roles.py has it.
    own = {
        name: {right for right in rights(proxy.iam, name) if right.action != "rds-db:connect"}
        for name in proxy.functions
    }
    everything = set().union(*own.values())
    tried = 0
    for function, may in own.items():

        def client(service: str, function: str = function, **where: str) -> Any:
            return boto3.client(
                service,  # type: ignore[call-overload]  # one overload a service
                **{"endpoint_url": cloud.stack["EndpointUrl"]} | where,
                region_name=cloud.stack["Region"],
                aws_access_key_id=cloud.stack["AccessKeyId"],
                aws_secret_access_key=cloud.stack["SecretAccessKey"],
                aws_session_token=f"arn:aws:lambda:us-east-1:000000000000:function:{function}",
                config=Config(proxies={"http": proxy.url}),
            )

        foreign = {other for right in may for other in elsewhere(right)}
        for right in (everything - may) | foreign:
            for call in asking(client, right):
                with pytest.raises(ClientError) as refused:
                    call()
                assert refused.value.response["Error"]["Code"] == "AccessDeniedException", (
                    function,
                    right,
                )
                tried += 1
    proxy.stop()
    assert not any(proxy.made.values())
    tell(f"{tried} calls denied")
    assert tried > 400


def elsewhere(right: Call) -> Iterator[Call]:
    """The same on what is not this stack's."""
    for ours, another in {
        "table/cruddur-messages": "table/another",
        f"{LIVE_API}/live": "another/live",
        "/live/": "/another/",
        ":AdministerDirectory": ":Another",
        "secret:": "secret:another",
        ":failed": ":another",
    }.items():
        if ours in right.resource:
            yield replace(right, resource=right.resource.replace(ours, another))


def asking(client: Callable[..., Any], right: Call) -> Iterator[Callable[[], object]]:
    """Yield the calls that this right would allow."""
    service, _, action = right.action.partition(":")
    name = right.resource.rpartition(":")[2]
    match service:
        case "dynamodb":
            yield partial(ask_the_table, client(service), action, right)
        case "execute-api":
            api, stage, _ = name.split("/")
            url = f"http://{api}.execute-api.us-east-1.amazonaws.com/{stage}"
            connections = client("apigatewaymanagementapi", endpoint_url=url)
            yield partial(connections.post_to_connection, ConnectionId="one=", Data=b"{}")
            yield partial(connections.delete_connection, ConnectionId="one=")
            yield partial(connections.get_connection, ConnectionId="one=")
        case "lambda":
            yield partial(client(service).invoke, FunctionName=name)
        case "secretsmanager":
            yield partial(client(service).get_secret_value, SecretId=right.resource)
        case "sqs":
            yield partial(client(service).send_message, QueueUrl=f"http://{name}", MessageBody="x")
        case _:
            pytest.fail(f"nobody has said how to ask for {right.action}")


def ask_the_table(client: Any, action: str, right: Call) -> None:
    pk = {"S": right.leading_key.replace("*", "of nobody")}
    key = {"pk": pk, "sk": {"S": "x"}}
    table_name, _, index = right.resource.partition("table/")[2].partition("/index/")
    hash_key = "message_group_uuid" if index == keys.ROWS_INDEX else "pk"
    match action:
        case "Query":
            client.query(
                TableName=table_name,
                **({"IndexName": index} if index else {}),
                KeyConditionExpression=f"{hash_key} = :p",
                ExpressionAttributeValues={":p": pk},
            )
        case "BatchGetItem":
            client.batch_get_item(RequestItems={table_name: {"Keys": [key]}})
        case "PutItem":
            client.put_item(TableName=table_name, Item=key)
        case "UpdateItem":
            client.update_item(TableName=table_name, Key=key)
        case "DeleteItem":
            client.delete_item(TableName=table_name, Key=key)
        case "GetItem":
            client.get_item(TableName=table_name, Key=key)
        case _:
            pytest.fail(f"nobody has said how to ask for {right.action}")
