"""A SAM template: translated for CloudFormation, and then reduced for the AWS engine's own.

The engine makes the resources that it makes as AWS does (`SERVED`). One output of the reduced
template holds everything else that has to be known, so that the engine resolves its intrinsic
functions, conditions and parameters.

    python -m sam_offline.template template.yaml NAME=VALUE…     # prints the translated template
"""

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import intrinsics_multi_constructor

from sam_offline.errors import TemplateError

__all__ = ["ACCOUNT", "BUCKET", "SERVED", "Template", "function_arn", "read", "translate"]

ACCOUNT = "000000000000"
SERVED = {
    "AWS::DynamoDB::Table",
    "AWS::SQS::Queue",
    "AWS::Cognito::UserPool",
    "AWS::Cognito::UserPoolClient",
}
# The name of that output. A reference in it to what is not served begins with `UNSERVED`.
RESOLVED = "Resolved"
UNSERVED = "not served here: "
_FUNCTION = "AWS::Lambda::Function"
_LAYER = "AWS::Lambda::LayerVersion"
_API = "AWS::ApiGatewayV2::Api"
_INTEGRATION = "AWS::ApiGatewayV2::Integration"
# The properties that have to be known, by kind of resource; an empty set stands for all of them.
# Role and network of a function mean nothing here, and refer to what is not made.
_ASKED: dict[str, set[str]] = {
    "Lambda::Function": {"Code", "Environment", "Handler", "Layers", "MemorySize", "Timeout"},
    "Lambda::LayerVersion": {"Content"},
    "Lambda::EventSourceMapping": set(),
    "ApiGatewayV2::Api": {"Body", "ProtocolType", "RouteSelectionExpression"},
    "ApiGatewayV2::Integration": {"IntegrationUri"},
    "ApiGatewayV2::Route": {"RouteKey", "Target"},
    "ApiGatewayV2::Stage": {"ApiId", "StageName"},
    "Cognito::UserPool": {"LambdaConfig"},
    "Cognito::UserPoolClient": {"ClientName"},
    "DynamoDB::Table": set(),
}
_NO_VALUE = {"Ref": "AWS::NoValue"}
BUCKET = "local"


@dataclass(frozen=True, kw_only=True)
class Template:
    """The translated template, with the values of its parameters."""

    document: Mapping[str, Any]
    parameters: Mapping[str, str]
    region: str
    path: Path
    api_url: str = ""

    def asked(self) -> dict[str, Any]:
        """What has to be known of the template; `sam_offline.stack` reads its resolved form."""
        outputs = self.document.get("Outputs", {})
        asked = {
            kind: {
                name: _if(resource, _some(resource.get("Properties", {}), wanted))
                for name, resource in self._of(f"AWS::{kind}").items()
            }
            for kind, wanted in _ASKED.items()
        }
        asked |= {
            "ids": {name: {"Ref": name} for name in self._of(*SERVED)},
            "outputs": {name: _if(output, output["Value"]) for name, output in outputs.items()},
        }
        return {kind: self._literal(value) for kind, value in asked.items()}

    def for_engine(self) -> dict[str, Any]:
        """Return the reduced template: what the engine makes, and an output with what is asked."""
        resources = {}
        for name, unresolved in self._of(*SERVED).items():
            resource = self._literal(unresolved)
            # `sam_offline.aws_endpoint` calls the triggers. The engine would look for functions.
            resource.get("Properties", {}).pop("LambdaConfig", None)
            resource.pop("DependsOn", None)
            resources[name] = resource
        return {
            "Transform": "AWS::LanguageExtensions",
            **{
                section: self.document[section]
                for section in ("Parameters", "Mappings", "Conditions")
                if section in self.document
            },
            "Resources": resources,
            "Outputs": {RESOLVED: {"Value": {"Fn::ToJsonString": self.asked()}}},
        }

    def _of(self, *kinds: str) -> dict[str, Any]:
        resources = self.document["Resources"]
        return {name: resource for name, resource in resources.items() if resource["Type"] in kinds}

    def _literal(self, value: Any) -> Any:
        """Return `value`, with text in place of references to what the engine does not make."""
        match value:
            case {"Ref": str(name)}:
                return self.reference(name, "", value)
            case {"Fn::GetAtt": path}:
                name, *attributes = path.split(".") if isinstance(path, str) else path
                return self.reference(name, ".".join(attributes), value)
            case {"Fn::Sub": [str(text), dict(names)]}:
                return {"Fn::Sub": [self._substituted(text, names), self._literal(names)]}
            case {"Fn::Sub": str(text)}:
                return {"Fn::Sub": self._substituted(text, {})}
            case dict():
                return {key: self._literal(item) for key, item in value.items()}
        return [self._literal(item) for item in value] if isinstance(value, list) else value

    def _substituted(self, text: str, names: Mapping[str, Any]) -> str:
        def one(match: re.Match[str]) -> str:
            name, _, attribute = match[1].partition(".")
            return match[0] if name in names else str(self.reference(name, attribute, match[0]))

        return re.sub(r"\$\{([\w.]+)\}", one, text)

    def reference(self, name: str, attribute: str, otherwise: Any) -> Any:
        """Return the text that a reference stands for, `otherwise` if the engine resolves it."""
        kind = self.document["Resources"].get(name, {}).get("Type")
        if kind is None or kind in SERVED:
            return otherwise
        known = {
            (_FUNCTION, ""): name,
            (_FUNCTION, "Arn"): function_arn(name, self.region),
            (_LAYER, ""): name,
            (_INTEGRATION, ""): name,
            (_API, ""): name,
            (_API, "ApiEndpoint"): self._endpoint(name),
        }
        wanted = f"!GetAtt {name}.{attribute}" if attribute else f"!Ref {name}"
        return known.get((kind, attribute), f"{UNSERVED}{wanted} ({kind})")

    def _endpoint(self, api: str) -> str:
        protocol = self.document["Resources"][api].get("Properties", {}).get("ProtocolType")
        if protocol != "WEBSOCKET":
            return self.api_url
        # Without an API nothing listens at this address.
        return (self.api_url or "http://127.0.0.1").replace("http", "ws", 1)


def function_arn(name: str, region: str) -> str:
    """Return the ARN of a function."""
    return f"arn:aws:lambda:{region}:{ACCOUNT}:function:{name}"


def _if(declaration: Mapping[str, Any], value: Any) -> Any:
    """Return `value`, made conditional if the declaration has a condition."""
    condition = declaration.get("Condition")
    return {"Fn::If": [condition, value, _NO_VALUE]} if condition else value


def _some(properties: Mapping[str, Any], wanted: set[str]) -> dict[str, Any]:
    """Return the wanted properties; all of them if `wanted` is empty."""
    return {name: value for name, value in properties.items() if not wanted or name in wanted}


class _Loader(yaml.CSafeLoader):
    """Knows CloudFormation's short forms, such as !Ref; reads ten times as fast as yaml's own."""


_Loader.add_multi_constructor("!", intrinsics_multi_constructor)


def read(path: Path) -> dict[str, Any]:
    """Return what is in a template's file, with its short forms written out.

    Raise TemplateError for a file that is not there or no YAML.
    """
    try:
        document: dict[str, Any] = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 - safe
    except (OSError, yaml.YAMLError) as error:
        raise TemplateError(f"{path.name} cannot be read: {error}") from error
    return document


def translate(
    path: Path,
    *,
    parameters: Mapping[str, str] | None = None,
    region: str = "us-east-1",
    api_url: str = "",
) -> Template:
    """Read and translate a SAM template; `parameters` come before the defaults.

    Raise TemplateError for a file that the translator refuses and for an unknown parameter.
    """
    os.environ.setdefault("AWS_DEFAULT_REGION", region)  # the translator asks boto3 for it
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    document = read(path)
    declared = document.get("Parameters", {})
    values = _values(path.name, declared, parameters or {})
    # For the translator a list, such as of CORS origins, has to be one.
    lists = {
        name: [word.strip() for word in values[name].split(",")]
        for name, one in declared.items()
        if "List" in one["Type"]
    }
    _pretend_uploads(document)
    try:
        # Roles mean nothing here, so the names of AWS's managed policies need no ARN.
        translated = transform(document, values | lists, SimpleNamespace(load=dict))
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(f"{path.name}: {causes}") from error
    return Template(
        document=json.loads(json.dumps(translated)),  # plain strings instead of the translator's
        parameters=values,
        region=region,
        path=path.resolve(),
        api_url=api_url,
    )


def _values(file: str, declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Return the value of every parameter."""
    if unknown := given.keys() - declared:
        raise TemplateError(f"{file} has no parameter {', '.join(sorted(unknown))}.")
    values = {name: given.get(name, one.get("Default")) for name, one in declared.items()}
    for name, value in values.items():
        if value is None:
            raise TemplateError(f"{file}: the parameter {name} has no default.")
    return {name: str(value) for name, value in values.items()}


def _pretend_uploads(document: Mapping[str, Any]) -> None:
    """Make every folder of code an object of a bucket, named by the folder.

    The translator takes only code that was uploaded.
    """
    resources = [resource.get("Properties", {}) for resource in document["Resources"].values()]
    for properties in (*resources, *document.get("Globals", {}).values()):
        for key in ("CodeUri", "ContentUri"):
            location = properties.get(key)
            if isinstance(location, str) and not location.startswith("s3://"):
                properties[key] = f"s3://{BUCKET}/{location}"


if __name__ == "__main__":
    file, *words = sys.argv[1:]
    overrides = dict(word.split("=", 1) for word in words)
    template = translate(Path(file), parameters=overrides)
    declared = template.document["Parameters"]
    # Whoever reads the result is given no parameters, only their defaults.
    declared.update({n: {**declared[n], "Default": v} for n, v in template.parameters.items()})
    json.dump(template.document, sys.stdout, indent=2)
