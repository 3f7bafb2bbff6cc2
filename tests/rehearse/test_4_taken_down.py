"""The stack is deleted, and set up again over what it left, as docs/deploy.md has it."""

import json
from typing import Any

import pytest

from commands.retained import retained_template
from tests.rehearse.stage import SECOND, STACK, TABLE, Stage


@pytest.fixture(scope="module", autouse=True)
def deleted(stage: Stage) -> dict[str, str]:
    """Delete the stack; the physical ids of what it had."""
    ids = stage.ids
    stage.project.delete(STACK)
    return ids


def test_table_pool_and_users_are_still_there(stage: Stage, deleted: dict[str, str]) -> None:
    items = stage.aws.client("dynamodb").scan(TableName=TABLE)["Items"]
    assert len(items) > 5
    pool = stage.aws.client("cognito-idp").describe_user_pool(UserPoolId=deleted["UserPool"])
    assert pool["UserPool"]["Id"] == deleted["UserPool"]
    assert len(stage.rows("SELECT handle FROM public.users")) == 2


def test_everything_else_is_gone(stage: Stage, deleted: dict[str, str]) -> None:
    aws = stage.aws
    assert not aws.client("lambda").list_functions()["Functions"]
    assert not aws.client("lambda").list_layers()["Layers"]
    assert not aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert not aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    groups = aws.client("logs").describe_log_groups(limit=50)["logGroups"]
    assert not [g for g in groups if "cruddur" in g["logGroupName"] and STACK in g["logGroupName"]]
    roles = aws.client("iam").list_roles()["Roles"]
    assert not [role for role in roles if STACK in role["RoleName"]]


def test_it_is_set_up_again_over_what_is_there(stage: Stage, deleted: dict[str, str]) -> None:
    cloudformation = stage.aws.client("cloudformation")
    template = retained_template()
    kept: dict[str, Any] = {
        "MessagesTable": {"TableName": TABLE},
        "UserPool": {"UserPoolId": deleted["UserPool"]},
    }
    assert set(kept) == set(template["Resources"])
    change_set = {"StackName": STACK, "ChangeSetName": "again"}
    cloudformation.create_change_set(
        **change_set,
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "TableName", "ParameterValue": TABLE}],
        ResourcesToImport=[
            {
                "ResourceType": template["Resources"][name]["Type"],
                "LogicalResourceId": name,
                "ResourceIdentifier": identifier,
            }
            for name, identifier in kept.items()
        ],
    )
    cloudformation.get_waiter("change_set_create_complete").wait(**change_set)
    cloudformation.execute_change_set(**change_set)
    cloudformation.get_waiter("stack_import_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1}
    )
    stage.deploy()
    assert stage.describe()["StackStatus"] == "UPDATE_COMPLETE"
    assert stage.ids["UserPool"] == deleted["UserPool"]
    rows = stage.gateway.get("/api/message_groups", by="grahams").body
    assert [row["message"] for row in rows] == [SECOND]
