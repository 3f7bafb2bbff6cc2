"""template.yaml, read through the SAM translator: the only list of what this stack consists of.

`read_stack` gives a frozen Stack. What refers to a resource that does not exist yet (a stream's
ARN, the pool in the authorizer's issuer) can be asked for once `Stack.with_created` knows it.
Whatever the local cloud cannot follow is a TemplateError that names it, never a silent None.
"""

import dataclasses
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse
from yaml import YAMLError

from local.errors import TemplateError
from local.settings import TEMPLATE

__all__ = [
    "ACCOUNT",
    "Authorizer",
    "Cors",
    "Function",
    "Route",
    "Stack",
    "StreamMapping",
    "create_table_arguments",
    "read_stack",
    "time_to_live",
]

ACCOUNT = "000000000000"
_BUCKET = "local"
_NO_VALUE = object()
_METHODS = {"get", "post", "put", "patch", "delete", "head", "options"}
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
    """One route of the HTTP API; `method` is ANY for all, `authorizer` None for everybody."""

    method: str
    path: str
    function: str
    authorizer: str | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Authorizer:
    """A JWT authorizer; `header` is the request header with the token."""

    issuer: str
    audience: tuple[str, ...]
    header: str


@dataclass(frozen=True, kw_only=True)
class Cors:
    """The API's answer to browsers; `max_age` in seconds."""

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    max_age: int | None
    credentials: bool


@dataclass(frozen=True, kw_only=True)
class StreamMapping:
    """An event source mapping; -1 stands for "without limit" where AWS has it so."""

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
    parallelization: int = 1
    on_failure_arn: str | None = None


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The translated template. Every method resolves what it returns."""

    document: Mapping[str, Any]
    parameters: Mapping[str, Any]
    region: str
    folder: Path
    created: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    def with_created(self, name: str, **attributes: str) -> "Stack":
        """Know a resource: `Ref` and the attributes that !GetAtt gives (dots as underscores)."""
        return dataclasses.replace(self, created={**self.created, name: attributes})

    def resources(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Logical id and unresolved properties of the resources of a type, conditions applied."""
        for name, resource in self.document["Resources"].items():
            condition = resource.get("Condition")
            if resource["Type"] == kind and (condition is None or self._condition(condition)):
                yield name, resource.get("Properties", {})

    def the_one(self, kind: str) -> tuple[str, dict[str, Any]]:
        """The only resource of a type, resolved; TemplateError when there are none or more."""
        found = list(self.resources(kind))
        if len(found) != 1:
            raise TemplateError(
                f"template.yaml has {len(found)} {kind}; the local cloud needs one."
            )
        name, properties = found[0]
        return name, self.resolve(properties)

    def functions(self) -> dict[str, Function]:
        """All functions by logical id."""
        layers = {
            self._arn(name): self._folder(name, properties["Content"])
            for name, properties in self.resources("AWS::Lambda::LayerVersion")
        }
        functions = {}
        for name, properties in self.resources("AWS::Lambda::Function"):
            wanted = {key: properties.get(key) for key in ("Handler", "Layers", "Timeout")}
            settings = self.resolve({**wanted, "MemorySize": properties.get("MemorySize", 128)})
            variables = self.resolve(properties.get("Environment", {}).get("Variables", {}))
            functions[name] = Function(
                name=name,
                arn=self._arn(name),
                handler=settings["Handler"],
                code=self._folder(name, properties["Code"]),
                layers=tuple(layers[arn] for arn in settings["Layers"] or () if arn in layers),
                timeout=int(settings["Timeout"] or 3),
                memory=int(settings["MemorySize"]),
                environment={key: _text(value) for key, value in variables.items()},
            )
        return functions

    def api_name(self) -> str:
        """Logical id of the HTTP API."""
        return self._api()[0]

    def routes(self) -> tuple[Route, ...]:
        """All routes of the HTTP API."""
        routes = []
        for path, methods in self._api()[1]["paths"].items():
            for method, operation in methods.items():
                if method not in _METHODS and method != _ANY_METHOD:
                    continue
                uri = self.resolve(operation["x-amazon-apigateway-integration"]["uri"])
                # NONE is how the translator writes that a route has no authorizer.
                listed = operation.get("security", [])
                security = [entry for entry in listed if entry and "NONE" not in entry]
                authorizer, scopes = next(iter(security[0].items())) if security else (None, [])
                routes.append(
                    Route(
                        method="ANY" if method == _ANY_METHOD else method.upper(),
                        path=path,
                        function=_function_of(uri.split("/functions/")[-1].split("/")[0]),
                        authorizer=authorizer,
                        scopes=tuple(scopes),
                    )
                )
        return tuple(routes)

    def authorizers(self) -> dict[str, Authorizer]:
        """The JWT authorizers by name; the pool and its client must have been created."""
        schemes = self._api()[1].get("components", {}).get("securitySchemes", {})
        authorizers = {}
        for name, scheme in schemes.items():
            settings = self.resolve(scheme["x-amazon-apigateway-authorizer"])
            source = settings.get("identitySource", "")
            if settings["type"] != "jwt" or not source.startswith("$request.header."):
                raise TemplateError(
                    f"template.yaml: authorizer {name}: only JWT authorizers that read a header "
                    "are served locally."
                )
            authorizers[name] = Authorizer(
                issuer=settings["jwtConfiguration"]["issuer"],
                audience=tuple(settings["jwtConfiguration"]["audience"]),
                header=source.removeprefix("$request.header.").lower(),
            )
        return authorizers

    def cors(self) -> Cors | None:
        """The API's CORS settings, None without any."""
        settings = self.resolve(self._api()[1].get("x-amazon-apigateway-cors"))
        if not settings:
            return None
        return Cors(
            origins=tuple(settings.get("allowOrigins", ())),
            methods=tuple(settings.get("allowMethods", ())),
            headers=tuple(name.lower() for name in settings.get("allowHeaders", ())),
            exposed=tuple(name.lower() for name in settings.get("exposeHeaders", ())),
            max_age=settings.get("maxAge"),
            credentials=bool(settings.get("allowCredentials")),
        )

    def stream_mappings(self) -> tuple[StreamMapping, ...]:
        """The enabled event source mappings of DynamoDB streams; the table must exist."""
        mappings = []
        for name, unresolved in self.resources("AWS::Lambda::EventSourceMapping"):
            properties = self.resolve(unresolved)
            if not properties.get("Enabled", True):
                continue
            if properties.get("TumblingWindowInSeconds"):
                raise TemplateError(
                    f"template.yaml: {name}: tumbling windows are not served locally."
                )
            filters = properties.get("FilterCriteria", {}).get("Filters", ())
            on_failure = properties.get("DestinationConfig", {}).get("OnFailure", {})
            mappings.append(
                StreamMapping(
                    name=name,
                    function=_function_of(properties["FunctionName"]),
                    stream_arn=properties["EventSourceArn"],
                    starting_position=properties["StartingPosition"],
                    batch_size=int(properties.get("BatchSize", 100)),
                    window_seconds=int(properties.get("MaximumBatchingWindowInSeconds", 0)),
                    reports_failures="ReportBatchItemFailures"
                    in properties.get("FunctionResponseTypes", ()),
                    filters=tuple(entry["Pattern"] for entry in filters),
                    bisect=bool(properties.get("BisectBatchOnFunctionError", False)),
                    retries=int(properties.get("MaximumRetryAttempts", -1)),
                    record_age_seconds=int(properties.get("MaximumRecordAgeInSeconds", -1)),
                    parallelization=int(properties.get("ParallelizationFactor", 1)),
                    on_failure_arn=on_failure.get("Destination"),
                )
            )
        return tuple(mappings)

    def triggers(self) -> dict[str, str]:
        """The user pool's triggers: {"PreSignUp": function, …}."""
        _, properties = self.the_one("AWS::Cognito::UserPool")
        return {name: _function_of(arn) for name, arn in properties.get("LambdaConfig", {}).items()}

    def outputs(self) -> dict[str, str]:
        """The template's outputs; everything that they name must have been created."""
        outputs = self.document.get("Outputs", {})
        return {
            name: _text(self.resolve(output["Value"]))
            for name, output in outputs.items()
            if "Condition" not in output or self._condition(output["Condition"])
        }

    def resolve(self, value: Any) -> Any:  # noqa: PLR0911, PLR0912 - one for each intrinsic
        """Replace the intrinsic functions in a value by what they give.

        The translator has resolved references to parameters in properties already.
        """
        match value:
            case {"Ref": str(name)}:
                return self._ref(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._attribute(name, attribute)
            case {"Fn::GetAtt": str(path)} | {"Fn::GetAtt": [str(path)]}:
                return self._attribute(*path.split(".", 1))
            case {"Fn::Sub": [str(text), dict(names)]}:
                return self._substitute(text, names)
            case {"Fn::Sub": str(text)}:
                return self._substitute(text, {})
            case {"Fn::If": [str(condition), then, otherwise]}:
                return self.resolve(then if self._condition(condition) else otherwise)
            case {"Fn::Join": [str(separator), items]}:
                return separator.join(map(_text, self.resolve(items)))
            case {"Fn::Select": [index, items]}:
                return self.resolve(items)[int(index)]
            case {"Fn::Split": [str(separator), text]}:
                return self.resolve(text).split(separator)
            case {"Fn::FindInMap": [name, top, second]}:
                table = self.document["Mappings"][self.resolve(name)]
                return table[self.resolve(top)][self.resolve(second)]
            case dict():
                unknown = [key for key in value if str(key).startswith("Fn::") or key == "Ref"]
                if unknown:
                    raise TemplateError(f"template.yaml: {unknown[0]} is not resolved locally.")
                pairs = ((key, self.resolve(item)) for key, item in value.items())
                return {key: item for key, item in pairs if item is not _NO_VALUE}
            case list():
                items = [self.resolve(item) for item in value]
                return [item for item in items if item is not _NO_VALUE]
        return value

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::Region": self.region,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": "local",
            "AWS::NoValue": _NO_VALUE,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        return self._attribute(name, "Ref")

    def _attribute(self, name: str, attribute: str) -> str:
        found = self.created.get(name, {}).get(attribute.replace(".", "_"))
        if found is not None:
            return found
        kind = self.document["Resources"].get(name, {}).get("Type")
        by_arn = {"AWS::Lambda::Function": "Arn", "AWS::Lambda::LayerVersion": "Ref"}
        if by_arn.get(kind) == attribute:
            return self._arn(name)
        if (kind, attribute) == ("AWS::Lambda::Function", "Ref"):
            return name
        wanted = f"!Ref {name}" if attribute == "Ref" else f"!GetAtt {name}.{attribute}"
        raise TemplateError(
            f"template.yaml needs {wanted} ({kind or 'no such resource'}), "
            "which the local cloud does not provide."
        )

    def _arn(self, name: str) -> str:
        kind = self.document["Resources"][name]["Type"]
        family = "layer" if kind == "AWS::Lambda::LayerVersion" else "function"
        return f"arn:aws:lambda:{self.region}:{ACCOUNT}:{family}:{name}"

    def _substitute(self, text: str, names: Mapping[str, Any]) -> str:
        def one(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in names:
                return _text(self.resolve(names[name]))
            if "." in name:
                return self._attribute(*name.split(".", 1))
            return _text(self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", one, text)

    def _condition(self, condition: Any) -> bool:
        match condition:
            case str(name):
                return self._condition(self.document["Conditions"][name])
            case {"Condition": str(name)}:
                return self._condition(name)
            case {"Fn::Equals": [left, right]}:
                return bool(self.resolve(left) == self.resolve(right))
            case {"Fn::Not": [inner]}:
                return not self._condition(inner)
            case {"Fn::And": [*inner]}:
                return all(map(self._condition, inner))
            case {"Fn::Or": [*inner]}:
                return any(map(self._condition, inner))
        raise TemplateError(f"template.yaml: the condition {condition} is not understood locally.")

    def _api(self) -> tuple[str, dict[str, Any]]:
        found = list(self.resources("AWS::ApiGatewayV2::Api"))
        if len(found) != 1:
            raise TemplateError(
                f"template.yaml has {len(found)} HTTP APIs; the local cloud needs one."
            )
        return found[0][0], found[0][1]["Body"]

    def _folder(self, name: str, code: Mapping[str, Any]) -> Path:
        if code.get("S3Bucket") != _BUCKET:
            raise TemplateError(
                f"template.yaml: the code of {name} is not a folder of this project."
            )
        return self.folder / str(code["S3Key"])


def read_stack(
    path: Path = TEMPLATE,
    *,
    parameters: Mapping[str, str] | None = None,
    region: str = "us-east-1",
) -> Stack:
    """Read a SAM template with its parameters' defaults, `parameters` before them.

    Raise TemplateError for a file that the translator refuses and for an unknown parameter.
    """
    os.environ.setdefault("AWS_DEFAULT_REGION", region)  # the translator asks boto3 for it
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    try:
        document = yaml_parse(path.read_text())
    except (OSError, YAMLError) as error:
        raise TemplateError(f"{path.name} cannot be read: {error}") from error
    declared = document.get("Parameters", {})
    unknown = set(parameters or {}) - set(declared)
    if unknown:
        raise TemplateError(f"{path.name} has no parameter {', '.join(sorted(unknown))}.")
    values: dict[str, Any] = {}
    for name, declaration in declared.items():
        value = (parameters or {}).get(name, declaration.get("Default"))
        if value is None:
            raise TemplateError(f"{path.name}: the parameter {name} has no default.")
        # A list's elements are CORS origins and the like; the translator takes them as a list.
        is_list = declaration["Type"] == "CommaDelimitedList" or "List<" in declaration["Type"]
        values[name] = [part.strip() for part in value.split(",")] if is_list else value
    # The translator takes code that was uploaded; the object's key stays the folder's name.
    for resource in document["Resources"].values():
        for key in ("CodeUri", "ContentUri"):
            location = resource.get("Properties", {}).get(key)
            if isinstance(location, str) and not location.startswith("s3://"):
                resource["Properties"][key] = f"s3://{_BUCKET}/{location}"
    try:
        translated = transform(document, values, _NoManagedPolicies())
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(f"{path.name}: {causes}") from error
    return Stack(
        document=json.loads(json.dumps(translated)),  # plain strings instead of the translator's
        parameters=values,
        region=region,
        folder=path.resolve().parent,
    )


def create_table_arguments(stack: Stack) -> dict[str, Any]:
    """Arguments of boto3's create_table for the stack's table: keys, indexes, billing, stream.

    Backups, encryption and deletion protection are the cloud's business; for expiry see
    `time_to_live`, since no table is created with it.
    """
    name, properties = stack.the_one("AWS::DynamoDB::Table")
    kept = (
        *("AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema"),
        *("LocalSecondaryIndexes", "ProvisionedThroughput", "TableName"),
    )
    arguments = {key: properties[key] for key in kept if key in properties}
    arguments.setdefault("TableName", name)
    for index in arguments.get("GlobalSecondaryIndexes", ()):
        index.pop("ContributorInsightsSpecification", None)
    if "StreamSpecification" in properties:
        view = properties["StreamSpecification"]["StreamViewType"]
        arguments["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": view}
    return arguments


def time_to_live(stack: Stack) -> dict[str, Any] | None:
    """The TimeToLiveSpecification of the stack's table for update_time_to_live, None without."""
    _, properties = stack.the_one("AWS::DynamoDB::Table")
    return cast(dict[str, Any] | None, properties.get("TimeToLiveSpecification"))


class _NoManagedPolicies:
    """Roles mean nothing locally, so the names of AWS's managed policies need no ARN."""

    def load(self) -> dict[str, str]:
        return {}


def _function_of(arn_or_name: str) -> str:
    return arn_or_name.rsplit(":", 1)[-1]


def _text(value: Any) -> str:
    """A value as CloudFormation writes it into a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value)
