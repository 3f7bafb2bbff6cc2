"""CloudFormation's custom resource, which loads the schema when a stack is deployed.

Outside the VPC, since it reads the owner's password from Secrets Manager and answers
CloudFormation; ``administer_directory`` inside does the work. CloudFormation gets an answer
whatever happens, or a deployment would hang for an hour. Nothing is dropped when the stack is
deleted. The event holds a signed address and is never logged.
"""

import json
import os
from http import HTTPStatus
from typing import Any
from urllib.request import Request, urlopen

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from runtime.errors import ForeignEventError

logger = Logger()

PHYSICAL_ID = "schema"
# Time that is left for the answer when the work takes too long.
MARGIN_SECONDS = 10


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Load the schema for a Create or an Update, and answer in every case."""
    match event:
        case {"RequestType": str(request), "ResponseURL": str()}:
            reason = "" if request == "Delete" else _load(context)
            _answer(event, context, reason)
        case _:
            raise ForeignEventError("the event of a custom resource")


def _load(context: LambdaContext) -> str:
    """Invoke ``administer_directory``; return what went wrong, or nothing."""
    seconds = context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
    try:
        config = Config(read_timeout=max(1, seconds), retries={"total_max_attempts": 1})
        answer = boto3.client("lambda", config=config).invoke(
            FunctionName=os.environ["ADMINISTER_DIRECTORY_FUNCTION"],
            Payload=json.dumps(_owner()).encode(),
        )
        payload = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            return f"administer_directory failed: {payload.get('errorType')}, see its log"
        logger.info("schema is loaded", extra={"applied": payload["applied"]})
    except Exception as error:  # noqa: BLE001  # CloudFormation has to hear of every one
        logger.error("schema is not loaded", extra={"error": type(error).__name__})  # noqa: TRY400  # the message may hold a secret
        return f"{type(error).__name__}, see the log of provide_schema"
    return ""


def _owner() -> dict[str, str]:
    """Return user and password of the database's owner."""
    client = boto3.client("secretsmanager", config=Config(connect_timeout=3, read_timeout=5))
    value = json.loads(
        client.get_secret_value(SecretId=os.environ["DATABASE_SECRET"])["SecretString"]
    )
    return {"username": value["username"], "password": value["password"]}


def _answer(event: dict[str, Any], context: LambdaContext, reason: str) -> None:
    body = {
        "Status": "FAILED" if reason else "SUCCESS",
        "Reason": reason or "done",
        "PhysicalResourceId": PHYSICAL_ID,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"LogStream": context.log_stream_name},
    }
    request = Request(  # noqa: S310  # the address is CloudFormation's
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT"
    )
    # The signature of the address is only valid without a content type.
    request.add_header("Content-Type", "")
    with urlopen(request, timeout=MARGIN_SECONDS - 2) as answer:  # noqa: S310  # see above
        if answer.status != HTTPStatus.OK:
            logger.error("CloudFormation did not take the answer", extra={"status": answer.status})
