"""A first deployment that fails leaves nothing behind that would be in the way of the next."""

import pytest

from tests.rehearse.stage import STACK, TABLE, Stage


@pytest.fixture(scope="module", autouse=True)
def deployed_in_vain(stage: Stage) -> None:
    """Deploy with a database that does not answer, so that its schema cannot be loaded."""
    stage.deploy(fails=True, DatabaseUrl="postgresql://127.0.0.1:1/cruddur")


def events(stage: Stage, name: str) -> list[tuple[str, str]]:
    """What happened to a resource, oldest first: status and reason."""
    pages = stage.aws.client("cloudformation").get_paginator("describe_stack_events")
    found = [e for page in pages.paginate(StackName=STACK) for e in page["StackEvents"]]
    return [
        (event["ResourceStatus"], event.get("ResourceStatusReason", ""))
        for event in reversed(found)
        if event["LogicalResourceId"] == name
    ]


def test_it_is_rolled_back_with_the_reason(stage: Stage) -> None:
    assert stage.describe()["StackStatus"] == "ROLLBACK_COMPLETE"
    failures = [reason for status, reason in events(stage, "Schema") if status == "CREATE_FAILED"]
    assert ["administer_directory failed" in reason for reason in failures] == [True]


def test_what_it_made_is_gone(stage: Stage) -> None:
    statuses = [status for status, _ in events(stage, "MessagesTable")]
    assert statuses[-2:] == ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
    assert "CREATE_COMPLETE" in statuses
    assert TABLE not in stage.aws.client("dynamodb").list_tables()["TableNames"]
    assert not stage.aws.client("cognito-idp").list_user_pools(MaxResults=60)["UserPools"]


def test_the_failed_stack_makes_way_for_the_next(stage: Stage) -> None:
    """As docs/deploy.md has it; the tests that follow deploy again under the same names."""
    stage.project.delete(STACK)
    names = [
        stack["StackName"]
        for stack in stage.aws.client("cloudformation").list_stacks(
            StackStatusFilter=["ROLLBACK_COMPLETE", "DELETE_FAILED", "DELETE_IN_PROGRESS"]
        )["StackSummaries"]
    ]
    assert STACK not in names
