"""``bin/ddb/schema-load``, ``list-tables`` and ``drop``: make, list and delete tables."""

import json
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from commands.command import Run
from commands.errors import CommandError
from commands.output import quantity
from commands.targets import Target
from commands.terminal import note
from sam_offline.tables import make_table, table_arguments

_STREAM_IS_LOST = (
    "The running local cloud reads the stream of the former table. Restart it, so that lists "
    "follow new messages."
)


def schema_load(run: Run) -> None:
    """Make the table as template.yaml describes it.

    An existing table is only compared. Refused on AWS, where the stack makes the table.
    """
    if run.target.on_aws:
        raise CommandError(
            "On AWS the stack makes the table: deploy it (sam deploy) instead of loading a schema."
        )
    name = run.target.output("TableName")
    # The local cloud has read them from template.yaml.
    properties = {**json.loads(run.target.output("Table")), "TableName": name}
    dynamodb = run.target.client("dynamodb")
    made = make_table(dynamodb, properties)
    if made:
        run.output.result(f"Made the table {name}.", table=name, made=True)
        note(_STREAM_IS_LOST)
        return
    _compare(dynamodb.describe_table(TableName=name)["Table"], table_arguments(properties))
    run.output.result(f"The table {name} is there.", table=name, made=False)


def _compare(table: Any, wanted: Any) -> None:
    def shape(description: Any) -> Any:
        indexes = description.get("GlobalSecondaryIndexes", [])
        named = sorted((index["IndexName"], str(index["KeySchema"])) for index in indexes)
        return str(description["KeySchema"]), named

    if shape(table) != shape(wanted):
        raise CommandError(
            f"The table {wanted['TableName']} is there with other keys or indexes than "
            "template.yaml has: drop it first."
        )


def list_tables(run: Run) -> None:
    """List the tables."""
    pages = run.target.client("dynamodb").get_paginator("list_tables").paginate()
    own = run.target.outputs.get("TableName")
    rows = [
        {"table": name, "of": "this stack" if name == own else None}
        for page in pages
        for name in page["TableNames"]
    ]
    run.output.table(rows, ["table", "of"], empty="There is no table.")


def drop(
    run: Run, table: Annotated[str, typer.Argument(metavar="TABLE", help="The table to delete.")]
) -> None:
    """Delete a table with all its items.

    On AWS a table that a stack owns is refused; one that a deleted stack left can be dropped.
    """
    target = run.target
    dynamodb = target.client("dynamodb")
    try:
        items = dynamodb.describe_table(TableName=table)["Table"].get("ItemCount", 0)
    except dynamodb.exceptions.ResourceNotFoundException as error:
        raise CommandError(f"There is no table {table}: see bin/ddb/list-tables.") from error
    if target.on_aws:
        _refuse_what_a_stack_owns(target, table)
    about = "about " if target.on_aws else ""
    what = f"This deletes the table {table} with {about}{quantity(items, 'item')}."
    run.confirm(what)
    note(what)
    dynamodb.delete_table(TableName=table)
    dynamodb.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig={"Delay": 1})
    run.output.result(f"Deleted the table {table}.", table=table, items=items)
    if table == target.outputs.get("TableName"):
        note(_STREAM_IS_LOST)


def _refuse_what_a_stack_owns(target: Target, name: str) -> None:
    try:
        found = target.client("cloudformation").describe_stack_resources(PhysicalResourceId=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return  # no stack has it
    stack = found["StackResources"][0]["StackName"]
    raise CommandError(f"The table {name} belongs to the stack {stack}: delete that instead.")
