"""Creates what the template describes in the engines; what is there already is found again."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.errors import LocalError, TemplateError
from local.template import ACCOUNT, Stack, create_table_arguments, time_to_live

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_sqs import SQSClient

__all__ = ["Clients", "create_resources"]

# What a pool's resource says that its create call does not take, and what goes with it.
_POOL_NAMES = {"UserPoolName": "PoolName"}
_PLAYED_HERE = {"LambdaConfig"}  # the engine would look for the functions itself


@dataclass(frozen=True, kw_only=True)
class Clients:
    """boto3 clients of the engines, signing with the local keys."""

    dynamodb: "DynamoDBClient"
    streams: "DynamoDBStreamsClient"
    cognito: "CognitoIdentityProviderClient"
    sqs: "SQSClient"

    @classmethod
    def of(cls, *, aws_url: str, dynamodb_url: str, streams_url: str, region: str) -> "Clients":
        """Clients for engines at these addresses."""
        config = Config(connect_timeout=2, read_timeout=15, retries={"total_max_attempts": 2})

        def client(service: Any, url: str) -> Any:
            return boto3.client(service, endpoint_url=url, region_name=region, config=config)

        return cls(
            dynamodb=client("dynamodb", dynamodb_url),
            streams=client("dynamodbstreams", streams_url),
            cognito=client("cognito-idp", aws_url),
            sqs=client("sqs", aws_url),
        )


def create_resources(stack: Stack, clients: Clients) -> Stack:
    """Create queues, table, pool and client; the stack that knows them. LocalError if refused."""
    try:
        for name, properties in list(stack.resources("AWS::SQS::Queue")):
            stack = _queue(stack, name, stack.resolve(properties), clients.sqs)
        stack = _table(stack, clients.dynamodb)
        stack = _pool(stack, clients.cognito)
        return _client(stack, clients.cognito)
    except (BotoCoreError, ClientError) as error:
        raise LocalError(f"The engines refuse what template.yaml describes: {error}") from error


def _queue(stack: Stack, name: str, properties: dict[str, Any], sqs: "SQSClient") -> Stack:
    queue_name = properties.pop("QueueName", name)
    properties.pop("Tags", None)
    attributes: Any = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in properties.items()
    }
    url = sqs.create_queue(QueueName=queue_name, Attributes=attributes)["QueueUrl"]
    arn = f"arn:aws:sqs:{stack.region}:{ACCOUNT}:{queue_name}"
    return stack.with_created(name, Ref=url, Arn=arn, QueueName=queue_name, QueueUrl=url)


def _table(stack: Stack, dynamodb: "DynamoDBClient") -> Stack:
    name, _ = stack.the_one("AWS::DynamoDB::Table")
    arguments = create_table_arguments(stack)
    table_name = arguments["TableName"]
    try:
        dynamodb.create_table(**arguments)
    except dynamodb.exceptions.ResourceInUseException:
        pass  # kept from an earlier run
    else:
        dynamodb.get_waiter("table_exists").wait(
            TableName=table_name, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
        )
        expiry = time_to_live(stack)
        if expiry:
            dynamodb.update_time_to_live(
                TableName=table_name,
                TimeToLiveSpecification={
                    "AttributeName": expiry["AttributeName"],
                    "Enabled": expiry["Enabled"],
                },
            )
    table = dynamodb.describe_table(TableName=table_name)["Table"]
    if "LatestStreamArn" not in table:
        raise LocalError(
            f"The table {table_name} is there, but without a stream: it was not made from "
            "template.yaml; remove it, or give the engine an empty database."
        )
    return stack.with_created(
        name, Ref=table_name, Arn=table["TableArn"], StreamArn=table["LatestStreamArn"]
    )


def _pool(stack: Stack, cognito: "CognitoIdentityProviderClient") -> Stack:
    name, properties = stack.the_one("AWS::Cognito::UserPool")
    arguments = _arguments(
        cognito,
        "CreateUserPool",
        name,
        {_POOL_NAMES.get(key, key): value for key, value in properties.items()},
    )
    arguments.setdefault("PoolName", name)
    pages = cognito.get_paginator("list_user_pools").paginate(PaginationConfig={"PageSize": 60})
    known = {pool["Name"]: pool["Id"] for page in pages for pool in page["UserPools"]}
    pool_id = known.get(arguments["PoolName"])
    if pool_id is None:
        pool_id = cognito.create_user_pool(**arguments)["UserPool"]["Id"]
    provider = f"cognito-idp.{stack.region}.amazonaws.com/{pool_id}"
    return stack.with_created(
        name,
        Ref=pool_id,
        UserPoolId=pool_id,
        Arn=f"arn:aws:cognito-idp:{stack.region}:{ACCOUNT}:userpool/{pool_id}",
        ProviderName=provider,
        ProviderURL=f"https://{provider}",
    )


def _client(stack: Stack, cognito: "CognitoIdentityProviderClient") -> Stack:
    name, properties = stack.the_one("AWS::Cognito::UserPoolClient")
    arguments = _arguments(cognito, "CreateUserPoolClient", name, properties)
    arguments.setdefault("ClientName", name)
    listing = cognito.list_user_pool_clients(UserPoolId=arguments["UserPoolId"], MaxResults=60)
    known = {entry["ClientName"]: entry["ClientId"] for entry in listing["UserPoolClients"]}
    client_id = known.get(arguments["ClientName"])
    if client_id is None:
        created = cognito.create_user_pool_client(**arguments)["UserPoolClient"]
        client_id = created["ClientId"]
    return stack.with_created(name, Ref=client_id, ClientId=client_id)


def _arguments(
    client: Any, operation: str, name: str, properties: dict[str, Any]
) -> dict[str, Any]:
    """A resource's properties as arguments of its create call, which has the same names."""
    members = client.meta.service_model.operation_model(operation).input_shape.members
    unknown = set(properties) - set(members) - _PLAYED_HERE
    if unknown:
        raise TemplateError(
            f"template.yaml: {name} has {', '.join(sorted(unknown))}, "
            f"which {operation} does not take."
        )
    return {key: value for key, value in properties.items() if key not in _PLAYED_HERE}
