"""A SAM template: as CloudFormation gets it, and as the AWS engine's CloudFormation gets it here.

The engine makes what it makes rightly (`SERVED`), and says in one output what everything else in
the template comes to, with all intrinsic functions, conditions and parameters resolved.

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

__all__ = ["ACCOUNT", "SERVED", "Template", "read", "translate"]

ACCOUNT = "000000000000"
SERVED = {
    "AWS::DynamoDB::Table",
    "AWS::SQS::Queue",
    "AWS::Cognito::UserPool",
    "AWS::Cognito::UserPoolClient",
}
# The name of the output that has everything, and how a value begins in it that is not served.
RESOLVED = "Resolved"
UNSERVED = "not served here: "
_FUNCTION = "AWS::Lambda::Function"
_LAYER = "AWS::Lambda::LayerVersion"
_API = "AWS::ApiGatewayV2::Api"
_INTEGRATION = "AWS::ApiGatewayV2::Integration"
# Of which resources which properties are asked for: of functions neither role nor network, since
# these mean nothing here and refer to what is not made.
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
_BUCKET = "local"


@dataclass(frozen=True, kw_only=True)
class Template:
    """The translated template, with the values of its parameters."""

    document: Mapping[str, Any]
    parameters: Mapping[str, str]
    region: str
    path: Path
    api_url: str = ""

    def asked(self) -> dict[str, Any]:
        """What has to be known of the template; `sam_offline.stack` reads what it comes to."""
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
        """The template for the engine: what it makes, and an output with all that is asked."""
        resources = {}
        for name, unresolved in self._of(*SERVED).items():
            resource = self._literal(unresolved)
            # The triggers are played here: the engine would look for the functions itself.
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
        """`value` with every reference to what the engine does not make put in as text."""
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
        """The text of a reference; `otherwise` for one that the engine resolves."""
        kind = self.document["Resources"].get(name, {}).get("Type")
        if kind is None or kind in SERVED:
            return otherwise
        known = {
            (_FUNCTION, ""): name,
            (_FUNCTION, "Arn"): f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{name}",
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
        # Where nobody listens, if there is no API.
        return (self.api_url or "http://127.0.0.1").replace("http", "ws", 1)


def _if(declaration: Mapping[str, Any], value: Any) -> Any:
    """`value`, or none where the declaration's condition is false."""
    condition = declaration.get("Condition")
    return {"Fn::If": [condition, value, _NO_VALUE]} if condition else value


def _some(properties: Mapping[str, Any], wanted: set[str]) -> dict[str, Any]:
    """The wanted properties, all where none is named."""
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
    """Read a SAM template with its parameters' defaults, `parameters` before them.

    Raise TemplateError for a file that the translator refuses and for an unknown parameter.
    """
    os.environ.setdefault("AWS_DEFAULT_REGION", region)  # the translator asks boto3 for it
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    document = read(path)
    declared = document.get("Parameters", {})
    given = dict(parameters or {})
    if unknown := given.keys() - declared:
        raise TemplateError(f"{path.name} has no parameter {', '.join(sorted(unknown))}.")
    values = {name: given.get(name, one.get("Default")) for name, one in declared.items()}
    for name, value in values.items():
        if value is None:
            raise TemplateError(f"{path.name}: the parameter {name} has no default.")
    # The translator takes code that was uploaded; the object's key stays the folder's name.
    resources = [resource.get("Properties", {}) for resource in document["Resources"].values()]
    for properties in (*resources, *document.get("Globals", {}).values()):
        for key in ("CodeUri", "ContentUri"):
            location = properties.get(key)
            if isinstance(location, str) and not location.startswith("s3://"):
                properties[key] = f"s3://{_BUCKET}/{location}"
    # It takes a list, such as of CORS origins, as a list.
    texts = {name: str(value) for name, value in values.items()}
    lists = {
        name: [word.strip() for word in texts[name].split(",")]
        for name, one in declared.items()
        if "List" in one["Type"]
    }
    try:
        # Roles mean nothing here, so the names of AWS's managed policies need no ARN.
        translated = transform(document, texts | lists, SimpleNamespace(load=dict))
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(f"{path.name}: {causes}") from error
    return Template(
        document=json.loads(json.dumps(translated)),  # plain strings instead of the translator's
        parameters=texts,
        region=region,
        path=path.resolve(),
        api_url=api_url,
    )


if __name__ == "__main__":
    file, *words = sys.argv[1:]
    overrides = dict(word.split("=", 1) for word in words)
    template = translate(Path(file), parameters=overrides)
    declared = template.document["Parameters"]
    # What reads it elsewhere knows of a parameter no other value than its default.
    declared.update({n: {**declared[n], "Default": v} for n, v in template.parameters.items()})
    json.dump(template.document, sys.stdout, indent=2)
