"""A stage that is deployed, and what its stack is to have."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psycopg2

from seed.examples import PASSWORD
from tests import logs
from tests.fakes.gateway import Gateway
from tests.fakes.template import Stack, read_stack
from tests.rehearse.cloud import REGION, Aws, Project

STACK = "cruddur-rehearsal"
SECRET = "cruddur-rehearsal-owner"
TABLE = "cruddur-rehearsal-messages"
# What is written in the stage's one conversation.
FIRST = "The first of a rehearsal"
SECOND = "The second of a rehearsal"
# How the names of log groups begin, of whatever stack.
LOGS = "/cruddur/"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The stack and its surroundings."""

    aws: Aws
    project: Project
    database_url: str
    stack_name: str = STACK
    table_name: str = TABLE

    @cached_property
    def parameters(self) -> dict[str, str]:
        """What the stage is deployed with: on demand, with a PostgreSQL that is there."""
        return {
            "TableName": self.table_name,
            "DatabaseAuth": "url",
            "DatabaseUrl": self.database_url.replace("postgres@", ""),
            "DatabaseSecret": SECRET,
            "AlarmEmail": "operator@example.com",
            "WebClient": "true",
        }

    def keep_secret(self) -> None:
        """Give the account the secret of the database's owner, as whoever made it has done."""
        owner = {"username": "postgres", "password": PASSWORD}
        self.aws.client("secretsmanager").create_secret(Name=SECRET, SecretString=json.dumps(owner))

    def deploy(self, *, fails: bool = False, **parameters: str) -> None:
        """Build and deploy, with what the stage is deployed with and `parameters`."""
        self.project.build()
        self.project.deploy(self.stack_name, self.parameters | parameters, fails=fails)

    def deliver_first_messages_too(self) -> None:
        """Let the mapping pass every new message.

        To the emulator an attribute that is not there does not match, although the filter asks for
        it not to be there; it would pass none.
        """
        aws = self.aws.client("lambda")
        function = self.ids["UpdateMessageGroups"]
        (mapping,) = aws.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
        (pattern,) = map(json.loads, (f["Pattern"] for f in mapping["FilterCriteria"]["Filters"]))
        pattern["dynamodb"].pop("NewImage", None)
        aws.update_event_source_mapping(
            UUID=mapping["UUID"], FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]}
        )

    @cached_property
    def template(self) -> Stack:
        """The template that was deployed; what it refers to is known by its physical id."""
        stack = read_stack(parameters=self.parameters, region=REGION)
        pool, client = self.ids["UserPool"], self.ids["UserPoolClient"]
        return (
            stack.with_created("UserPool", Ref=pool)
            .with_created("UserPoolClient", Ref=client)
            .with_created(
                "MessagesTable", Ref=self.table_name, StreamArn=self.outputs["TableStreamArn"]
            )
            .with_created("FailedRecordsQueue", Ref="", Arn=self.queue_arn)
        )

    @cached_property
    def queue_arn(self) -> str:
        url = self.outputs["FailedRecordsQueueUrl"]
        attributes = self.aws.client("sqs").get_queue_attributes(
            QueueUrl=url, AttributeNames=["QueueArn"]
        )
        return str(attributes["Attributes"]["QueueArn"])

    def describe(self) -> dict[str, Any]:
        stacks = self.aws.client("cloudformation").describe_stacks(StackName=self.stack_name)
        return dict(stacks["Stacks"][0])

    @property
    def outputs(self) -> dict[str, str]:
        return {o["OutputKey"]: o["OutputValue"] for o in self.describe()["Outputs"]}

    @property
    def ids(self) -> dict[str, str]:
        """Physical ids of the stack's resources by logical id."""
        return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in self.resources()}

    def resources(self) -> list[dict[str, Any]]:
        pages = self.aws.client("cloudformation").get_paginator("list_stack_resources")
        return [
            r
            for page in pages.paginate(StackName=self.stack_name)
            for r in page["StackResourceSummaries"]
        ]

    def function(self, name: str) -> dict[str, Any]:
        """The configuration of a function."""
        found = self.aws.client("lambda").get_function_configuration(FunctionName=self.ids[name])
        return dict(found)

    def invoke(self, name: str, event: object) -> dict[str, Any]:
        """The answer of `lambda:Invoke`, its payload read."""
        answer = self.aws.client("lambda").invoke(
            FunctionName=self.ids[name], Payload=json.dumps(event).encode(), LogType="Tail"
        )
        return {**answer, "Payload": json.loads(answer["Payload"].read())}

    def logged(self) -> str:
        """What the functions of this account's stacks have logged."""
        client = self.aws.client("logs")
        lines = []
        for group in client.describe_log_groups(logGroupNamePrefix=LOGS)["logGroups"]:
            pages = client.get_paginator("filter_log_events")
            for page in pages.paginate(logGroupName=group["logGroupName"]):
                lines += [event["message"] for event in page["events"]]
        return "\n".join(lines)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What the database answers."""
        connection = psycopg2.connect(self.database_url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    @cached_property
    def gateway(self) -> "DeployedGateway":
        return DeployedGateway(
            routes=self.template.routes(),
            functions={name: f.code for name, f in self.template.functions().items()},
            stage=self,
        )


@dataclass(frozen=True, kw_only=True)
class DeployedGateway(Gateway):
    """The API of the template in front of the functions that were deployed."""

    stage: Stage

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        logs.note_body(event.get("body"))
        answer = self.stage.invoke(function, event)
        assert "FunctionError" not in answer, answer
        return answer["Payload"]
