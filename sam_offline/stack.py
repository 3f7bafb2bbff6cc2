"""What a template describes: functions, routes, authorizers, stream mappings, triggers, tables.

The engine's CloudFormation resolves the template. It leaves numbers and truth values as they are in
the template, or makes them text; here they get their types.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sam_offline.errors import OfflineError, TemplateError
from sam_offline.template import BUCKET, RESOLVED, UNSERVED, Template, function_arn
from sam_offline.values import is_true, text_of

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

__all__ = [
    "Authorizer",
    "Function",
    "Route",
    "Stack",
    "StreamMapping",
    "WebSocket",
    "bring_up",
]

_STACK_NAME = "local"
_ANY_METHOD = "x-amazon-apigateway-any-method"


@dataclass(frozen=True, kw_only=True)
class Function:
    """A Lambda function: `timeout` in seconds, `memory` in MB, folders absolute."""

    name: str
    arn: str
    handler: str
    code: Path
    layers: tuple[Path, ...]
    timeout: int
    memory: int
    environment: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One route of the HTTP API.

    `method` is ANY for a route of all methods; `authorizer` is None for a route open to everybody.
    """

    method: str
    path: str
    function: str
    authorizer: str | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class WebSocket:
    """A WebSocket API.

    Attributes
    ----------
    routes
        The function of each route.
    selected_by
        A message names its route by this key of its body.
    """

    stage: str
    routes: Mapping[str, str]
    selected_by: str


@dataclass(frozen=True, kw_only=True)
class Authorizer:
    """A JWT authorizer; `header` is the request header with the token."""

    issuer: str
    audience: tuple[str, ...]
    header: str


@dataclass(frozen=True, kw_only=True)
class StreamMapping:
    """An event source mapping; a limit of -1 means that there is none, as on AWS."""

    name: str
    function: str
    stream_arn: str
    starting_position: str
    batch_size: int = 100
    window_seconds: int = 0
    reports_failures: bool = False
    filters: tuple[str, ...] = ()
    bisect: bool = False
    retries: int = -1
    record_age_seconds: int = -1
    on_failure_arn: str | None = None

    @property
    def function_arn(self) -> str:
        """The ARN of the function, which is in the region of its stream."""
        return function_arn(self.function, self.stream_arn.split(":")[3])


@dataclass(frozen=True, kw_only=True)
class Stack:
    """What is known of a running stack; `resolved` are the values of `Template.asked`."""

    resolved: Mapping[str, Any]
    folder: Path
    region: str

    def functions(self) -> dict[str, Function]:
        """All functions by logical id."""
        layers = {
            name: self._folder(name, properties["Content"])
            for name, properties in self.resolved["Lambda::LayerVersion"].items()
        }
        return {
            name: Function(
                name=name,
                arn=function_arn(name, self.region),
                handler=properties["Handler"],
                code=self._folder(name, properties["Code"]),
                layers=tuple(layers[layer] for layer in properties.get("Layers", ())),
                timeout=int(properties.get("Timeout", 3)),
                memory=int(properties.get("MemorySize", 128)),
                environment={
                    key: text_of(value)
                    for key, value in properties.get("Environment", {}).get("Variables", {}).items()
                },
            )
            for name, properties in self.resolved["Lambda::Function"].items()
        }

    def routes(self) -> tuple[Route, ...]:
        """All routes of the HTTP API."""
        return tuple(
            _route(path, method, operation)
            for path, methods in self._api().get("paths", {}).items()
            for method, operation in methods.items()
            if "x-amazon-apigateway-integration" in operation
        )

    def web_socket(self) -> WebSocket | None:
        """The WebSocket API, None without one."""
        apis = self._apis("WEBSOCKET")
        if not apis:
            return None
        (name, properties), *_ = apis.items()
        integrations = self.resolved["ApiGatewayV2::Integration"]
        stages = self.resolved["ApiGatewayV2::Stage"].values()
        return WebSocket(
            stage=next(stage["StageName"] for stage in stages if stage["ApiId"] == name),
            routes={
                route["RouteKey"]: _function_in(
                    integrations[route["Target"].rpartition("/")[2]]["IntegrationUri"]
                )
                for route in self.resolved["ApiGatewayV2::Route"].values()
            },
            selected_by=properties["RouteSelectionExpression"].removeprefix("$request.body."),
        )

    def authorizers(self) -> dict[str, Authorizer]:
        """The JWT authorizers by name."""
        schemes = self._api().get("components", {}).get("securitySchemes", {})
        authorizers = {}
        for name, scheme in schemes.items():
            settings = scheme["x-amazon-apigateway-authorizer"]
            source = settings.get("identitySource", "")
            if settings["type"] != "jwt" or not source.startswith("$request.header."):
                raise TemplateError(
                    f"The template's authorizer {name} is not served here: only JWT authorizers "
                    "that read a header are."
                )
            authorizers[name] = Authorizer(
                issuer=settings["jwtConfiguration"]["issuer"],
                audience=tuple(settings["jwtConfiguration"]["audience"]),
                header=source.removeprefix("$request.header.").lower(),
            )
        return authorizers

    def cors(self) -> dict[str, Any]:
        """The API's CORS settings by AWS's names, without those that are off."""
        settings = self._api().get("x-amazon-apigateway-cors", {})
        return {name: value for name, value in settings.items() if value not in (False, "false")}

    def stream_mappings(self) -> tuple[StreamMapping, ...]:
        """The enabled event source mappings of DynamoDB streams."""
        found = self.resolved["Lambda::EventSourceMapping"].items()
        return tuple(_mapping(name, p) for name, p in found if is_true(p.get("Enabled", True)))

    def triggers(self) -> dict[str, str]:
        """The user pool's triggers: {"PreSignUp": function, …}."""
        (pool,) = self.resolved["Cognito::UserPool"].values() or [{}]
        return {name: _function_of(arn) for name, arn in pool.get("LambdaConfig", {}).items()}

    def tables(self) -> dict[str, dict[str, Any]]:
        """The properties of the DynamoDB tables by logical id."""
        ids = self.resolved["ids"]
        tables = self.resolved["DynamoDB::Table"]
        return {name: {**table, "TableName": ids[name]} for name, table in tables.items()}

    def outputs(self) -> dict[str, str]:
        """The template's outputs, without those that refer to what is not served here."""
        outputs = {name: text_of(value) for name, value in self.resolved["outputs"].items()}
        return {name: text for name, text in outputs.items() if UNSERVED not in text}

    def id_of(self, kind: str) -> str:
        """Return what !Ref gives for the first resource of a kind, such as "Cognito::UserPool"."""
        return str(next((self.resolved["ids"][name] for name in self.resolved[kind]), ""))

    def _api(self) -> Mapping[str, Any]:
        for properties in self._apis("HTTP").values():
            body: Mapping[str, Any] = properties.get("Body", {})
            return body
        return {}

    def _apis(self, protocol: str) -> dict[str, Mapping[str, Any]]:
        """Return the API of a protocol by its logical id; more than one is refused."""
        found = {
            name: properties
            for name, properties in self.resolved["ApiGatewayV2::Api"].items()
            if properties.get("ProtocolType", "HTTP") == protocol
        }
        if len(found) > 1:
            raise TemplateError(
                f"The template has {len(found)} {protocol} APIs: only one is served here."
            )
        return found

    def _folder(self, name: str, code: Mapping[str, Any]) -> Path:
        if code.get("S3Bucket") != BUCKET:
            raise TemplateError(f"The code of {name} is not a folder beside the template.")
        return self.folder / str(code["S3Key"])


def _route(path: str, method: str, operation: Mapping[str, Any]) -> Route:
    uri = str(operation["x-amazon-apigateway-integration"]["uri"])
    # The translator writes NONE for a route without an authorizer.
    security = [entry for entry in operation.get("security", []) if entry and "NONE" not in entry]
    authorizer, scopes = next(iter(security[0].items())) if security else (None, [])
    return Route(
        method="ANY" if method == _ANY_METHOD else method.upper(),
        path=path,
        function=_function_in(uri),
        authorizer=authorizer,
        scopes=tuple(scopes),
    )


def _mapping(name: str, properties: Mapping[str, Any]) -> StreamMapping:
    source = str(properties.get("EventSourceArn", ""))
    why = "it has a tumbling window" if properties.get("TumblingWindowInSeconds") else ""
    if ":dynamodb:" not in source:
        why = f"{source or 'its source'} is no stream of a DynamoDB table"
    if why:
        raise TemplateError(f"The template's mapping {name} is not served here: {why}.")
    on_failure = properties.get("DestinationConfig", {}).get("OnFailure", {})
    return StreamMapping(
        name=name,
        function=_function_of(properties["FunctionName"]),
        stream_arn=source,
        starting_position=properties["StartingPosition"],
        batch_size=int(properties.get("BatchSize", 100)),
        window_seconds=int(properties.get("MaximumBatchingWindowInSeconds", 0)),
        reports_failures="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", ()),
        filters=tuple(
            f["Pattern"] for f in properties.get("FilterCriteria", {}).get("Filters", ())
        ),
        bisect=is_true(properties.get("BisectBatchOnFunctionError")),
        retries=int(properties.get("MaximumRetryAttempts", -1)),
        record_age_seconds=int(properties.get("MaximumRecordAgeInSeconds", -1)),
        on_failure_arn=on_failure.get("Destination"),
    )


def bring_up(template: Template, cloudformation: "CloudFormationClient") -> Stack:
    """Make what the engine serves of a template, or update what was kept; return the stack.

    Raise OfflineError for what the engine refuses, and for a reference to what is not served here.
    """
    _create_or_update(template, cloudformation)
    outputs = _outputs_when_complete(cloudformation)
    resolved = json.loads(outputs[RESOLVED])
    _refuse_unserved(resolved)
    return Stack(resolved=resolved, folder=template.path.parent, region=template.region)


def _create_or_update(template: Template, cloudformation: "CloudFormationClient") -> None:
    arguments: Any = {
        "StackName": _STACK_NAME,
        "TemplateBody": json.dumps(template.for_engine()),
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in template.parameters.items()
        ],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    }
    try:
        try:
            cloudformation.create_stack(**arguments)
        except cloudformation.exceptions.AlreadyExistsException:
            cloudformation.update_stack(**arguments)
    except ClientError as error:
        if "No updates" not in error.response["Error"]["Message"]:
            raise OfflineError(f"The engine refuses what the template says: {error}") from error


def _outputs_when_complete(cloudformation: "CloudFormationClient") -> dict[str, str]:
    """Wait for the stack, and return its outputs."""
    described: Any = {"StackStatus": "CREATE_IN_PROGRESS"}
    while described["StackStatus"].endswith("_IN_PROGRESS"):
        time.sleep(0.02)
        (described,) = cloudformation.describe_stacks(StackName=_STACK_NAME)["Stacks"]
    if described["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        events: Any = cloudformation.describe_stack_events(StackName=_STACK_NAME)["StackEvents"]
        failed = [e for e in events if e["ResourceStatus"].endswith("_FAILED")]
        why = [f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason')}" for e in failed[-1:]]
        raise OfflineError(f"The engine cannot make what the template says: {''.join(why)}")
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def _refuse_unserved(resolved: Mapping[str, Any]) -> None:
    """Raise TemplateError if a value, other than an output, refers to what is not served here."""
    for kind in resolved.keys() - {"outputs", "ApiGatewayV2::Api"}:
        for name, properties in resolved[kind].items():
            if unserved := re.search(rf"{UNSERVED}[^)]*\)", json.dumps(properties)):
                raise TemplateError(
                    f"The template needs what is {unserved[0]} (in {name}). Where a parameter can "
                    "stand for it, give --parameter-overrides."
                )


def _function_in(integration_uri: str) -> str:
    return _function_of(integration_uri.partition("/functions/")[2].partition("/")[0])


def _function_of(arn_or_name: str) -> str:
    return arn_or_name.rsplit(":", 1)[-1]
