"""Tables of DynamoDB, made with boto3 from the properties that a template gives them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sam_offline.values import is_true

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["make_table", "table_arguments"]


def table_arguments(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of boto3's create_table: keys, indexes, billing and stream.

    Backups, encryption and deletion protection have no meaning on one machine.
    """
    kept = (
        *("AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema"),
        *("LocalSecondaryIndexes", "ProvisionedThroughput", "TableName"),
    )
    arguments: dict[str, Any] = {key: properties[key] for key in kept if key in properties}
    arguments["GlobalSecondaryIndexes"] = [
        {key: value for key, value in index.items() if key != "ContributorInsightsSpecification"}
        for index in properties.get("GlobalSecondaryIndexes", ())
    ]
    if "StreamSpecification" in properties:
        view = properties["StreamSpecification"]["StreamViewType"]
        arguments["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": view}
    return {key: value for key, value in arguments.items() if value}


def make_table(dynamodb: "DynamoDBClient", properties: Mapping[str, Any]) -> bool:
    """Make a table, unless it is there, and let its items expire; return whether it was made."""
    name = properties["TableName"]
    try:
        dynamodb.create_table(**table_arguments(properties))
        made = True
    except dynamodb.exceptions.ResourceInUseException:
        made = False
    # The engine's CloudFormation makes tables without it.
    expiry = properties.get("TimeToLiveSpecification")
    known = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if expiry and is_true(expiry["Enabled"]) and known.get("TimeToLiveStatus") != "ENABLED":
        wanted: Any = {"AttributeName": expiry["AttributeName"], "Enabled": True}
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)
    return made
