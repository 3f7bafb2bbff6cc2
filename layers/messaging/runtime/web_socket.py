"""The WebSocket side of a function: its event, and the way back to connected clients."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from runtime import aws, environment
from runtime.api import MARGIN_SECONDS
from runtime.deadline import deadline
from runtime.errors import ForeignEventError, RequestError, TryAgainError
from runtime.settings import required

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient

# What is told is soon old, so that it is tried twice and then dropped: two attempts of at most 1 s
# to connect and 2 s to be answered, and botocore's pause of up to 1 s between them.
CLIENT_CONFIG = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"total_max_attempts": 2, "mode": "standard"},
)
CALL_SECONDS = 7.0

logger = Logger()


@dataclass(frozen=True, kw_only=True)
class Event:
    """What happens on a connection, as a WebSocket API hands it on."""

    connection_id: str
    query: Mapping[str, str]

    @classmethod
    def of(cls, event: Any, route: str) -> "Event":
        """Return the event, which is for a route such as ``$connect``.

        Raises ForeignEventError when it is not one of this route of a WebSocket API.
        """
        match event:
            case {"requestContext": {"routeKey": str(key), "connectionId": str(connection_id)}}:
                if key == route:
                    query = event.get("queryStringParameters") or {}
                    return cls(connection_id=connection_id, query=query)
        raise ForeignEventError(f"an event of {route} of a WebSocket API")


class Outcome(Enum):
    """What became of something that was to be sent."""

    SENT = auto()
    GONE = auto()
    FAILED = auto()


class Channel:
    """The way to connected clients. What goes wrong there is logged and never raised."""

    def __init__(self, client: "ApiGatewayManagementApiClient") -> None:
        self._client = client

    def send(self, connection_id: str, body: Mapping[str, Any]) -> Outcome:
        """Send an object as JSON."""
        data = json.dumps(body).encode()
        return self._call(
            lambda: self._client.post_to_connection(ConnectionId=connection_id, Data=data)
        )

    def close(self, connection_id: str) -> Outcome:
        """Close a connection."""
        return self._call(lambda: self._client.delete_connection(ConnectionId=connection_id))

    def _call(self, call: Callable[[], object]) -> Outcome:
        try:
            deadline.require(CALL_SECONDS)
            call()
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.GONE:
                return Outcome.GONE
            logger.warning("not sent", extra={"error": error.response["Error"]["Code"]})
            return Outcome.FAILED
        except (BotoCoreError, TryAgainError) as error:
            logger.warning("not sent", extra={"error": type(error).__name__})
            return Outcome.FAILED
        return Outcome.SENT


def url() -> str:
    """Return where clients connect, ``wss://…`` with the stage."""
    return required(os.environ, "LIVE_URL")


@environment.once
def channel() -> Channel:
    """Return the channel of this environment. What clients connect to also takes what they get."""
    management_url = f"http{url().removeprefix('ws')}"
    client = aws.session().create_client(
        "apigatewaymanagementapi", endpoint_url=management_url, config=CLIENT_CONFIG
    )
    return Channel(cast("ApiGatewayManagementApiClient", client))


type Handler = Callable[[Any, LambdaContext], dict[str, Any]]


def handles(route: str) -> Callable[[Callable[[Event], None]], Handler]:
    """Make a Lambda handler of a function that takes the events of one route.

    A client whose connection is refused gets the status of the error. Every other error is raised:
    nobody waits for an answer, and a crash is counted.
    """

    def decorate(take: Callable[[Event], None]) -> Handler:
        @wraps(take)
        def lambda_handler(event: Any, context: LambdaContext) -> dict[str, Any]:
            taken = Event.of(event, route)
            deadline.start(context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS)
            try:
                take(taken)
            except RequestError as error:
                return {"statusCode": error.status.value}
            return {"statusCode": HTTPStatus.OK.value}

        lambda_handler.web_socket_route = route  # type: ignore[attr-defined]  # for who compares it with the template
        return lambda_handler

    return decorate
