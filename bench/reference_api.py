"""A, B, C and D in the bootcamp's design, as a function, so that it can be compared with ours.

The bootcamp runs its backend in a container. This function makes client and connection when it is
imported; every request asks PostgreSQL who is calling.
"""

import json
import os
from types import SimpleNamespace
from typing import Any

import boto3
import psycopg2

from bench.reference import Reference

_CALLER = "SELECT uuid, handle, display_name FROM public.users WHERE cognito_user_id = %s"
_BOTH = (
    "SELECT uuid, handle, display_name FROM public.users "
    "WHERE cognito_user_id = %s OR handle = %s ORDER BY cognito_user_id = %s DESC"
)

_connection = psycopg2.connect(os.environ["DATABASE_URL"])
_connection.autocommit = True
_reference = Reference(client=boto3.client("dynamodb"), table=os.environ["TABLE_NAME"])


def lambda_handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Answer one of the four routes."""
    caller = event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"]
    match event["routeKey"]:
        case "GET /api/messages/{message_group_uuid}":
            _people(_CALLER, caller)
            answer: Any = _reference.list_rows(
                f"MSG#{event['pathParameters']['message_group_uuid']}"
            )
        case "GET /api/message_groups":
            (user,) = _people(_CALLER, caller)
            answer = _reference.list_rows(f"GRP#{user.uuid}")
        case "POST /api/message_groups":
            body = json.loads(event["body"])
            people = _people(_BOTH, caller, body["handle"], caller)
            answer = {"message_group_uuid": _reference.begin(people, body["message"])}
        case "POST /api/messages":
            body = json.loads(event["body"])
            (user,) = _people(_CALLER, caller)
            answer = _reference.write(user, body["message_group_uuid"], body["message"])
    return {"statusCode": 200, "body": json.dumps(answer)}


def _people(statement: str, *values: str) -> Any:
    with _connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [
            SimpleNamespace(uuid=uuid, handle=handle, display_name=name)
            for uuid, handle, name in cursor.fetchall()
        ]
