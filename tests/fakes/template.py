"""template.yaml for tests that start nothing: what it comes to, without an engine.

The local cloud leaves intrinsic functions to its engine's CloudFormation. This knows those that
the template has; what is created by nobody here can be told by `with_created`.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sam_offline.stack import Stack as Resolved
from sam_offline.tables import table_arguments
from sam_offline.template import ACCOUNT, Template, translate

__all__ = ["DATABASE", "Stack", "create_table_arguments", "read_stack", "time_to_live"]

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
# Of the database only that it is there.
DATABASE = {"DatabaseUrl": "postgresql://somewhere/cruddur"}
_NO_VALUE = object()


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The translated template; every method resolves what it returns."""

    template: Template
    created: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        """What the local cloud reads of a template: functions, routes, mappings and so on."""
        return getattr(self._read, name)

    @cached_property
    def _read(self) -> Resolved:
        return Resolved(
            resolved=self.resolve(self.template.asked()),
            folder=self.template.path.parent,
            region=self.template.region,
        )

    @property
    def document(self) -> Mapping[str, Any]:
        return self.template.document

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        declared = self.document["Parameters"]
        lists = {n for n in declared if declared[n]["Type"] == "CommaDelimitedList"}
        values = self.template.parameters.items()
        return {name: text.split(",") if name in lists else text for name, text in values}

    def with_created(self, name: str, **attributes: str) -> "Stack":
        """Know a resource: `Ref` and the attributes that !GetAtt gives (dots as underscores)."""
        return dataclasses.replace(self, created={**self.created, name: attributes})

    def resources(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Logical id and unresolved properties of the resources of a type, conditions applied."""
        for name, resource in self.document["Resources"].items():
            condition = resource.get("Condition")
            if resource["Type"] == kind and (condition is None or self.condition(condition)):
                yield name, resource.get("Properties", {})

    def the_one(self, kind: str) -> tuple[str, dict[str, Any]]:
        """The only resource of a type, resolved."""
        ((name, properties),) = self.resources(kind)
        return name, self.resolve(properties)

    def resolve(self, value: Any) -> Any:  # noqa: PLR0911 - one for each intrinsic
        match value:
            case {"Ref": str(name)}:
                return self._ref(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._attribute(name, attribute)
            case {"Fn::GetAtt": str(path)}:
                return self._attribute(*path.split(".", 1))
            case {"Fn::Sub": [str(text), dict(names)]}:
                return self._substitute(text, names)
            case {"Fn::Sub": str(text)}:
                return self._substitute(text, {})
            case {"Fn::If": [str(condition), then, otherwise]}:
                return self.resolve(then if self.condition(condition) else otherwise)
            case {"Fn::Join": [str(separator), items]}:
                return separator.join(map(str, self.resolve(items)))
            case dict():
                pairs = ((key, self.resolve(item)) for key, item in value.items())
                return {key: item for key, item in pairs if item is not _NO_VALUE}
            case list():
                items = [self.resolve(item) for item in value]
                return [item for item in items if item is not _NO_VALUE]
        return value

    def condition(self, condition: Any) -> bool:
        match condition:
            case str(name) | {"Condition": str(name)}:
                return self.condition(self.document["Conditions"][name])
            case {"Fn::Equals": [left, right]}:
                return bool(self.resolve(left) == self.resolve(right))
            case {"Fn::Not": [inner]}:
                return not self.condition(inner)
            case {"Fn::And": [*inner]}:
                return all(map(self.condition, inner))
        raise NotImplementedError(condition)

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::Region": self.template.region,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::StackName": "local",
            "AWS::NoValue": _NO_VALUE,
        }
        known = {**pseudo, **self.parameters}
        return known[name] if name in known else self._attribute(name, "Ref")

    def _attribute(self, name: str, attribute: str) -> Any:
        found = self.created.get(name, {}).get(attribute.replace(".", "_"))
        service = self.document["Resources"][name]["Type"].split("::")[1].lower()
        made = f"arn:aws:{service}:{name}.{attribute}"
        of_template = self.template.reference(name, attribute.removeprefix("Ref"), made)
        return of_template if found is None else found

    def _substitute(self, text: str, names: Mapping[str, Any]) -> str:
        def one(match: re.Match[str]) -> str:
            name, _, attribute = match[1].partition(".")
            if name in names:
                return str(self.resolve(names[name]))
            return str(self._attribute(name, attribute) if attribute else self._ref(name))

        return re.sub(r"\$\{([^!}]+)\}", one, text)


def read_stack(
    path: Path = TEMPLATE,
    *,
    parameters: Mapping[str, str] | None = None,
    region: str = "us-east-1",
) -> Stack:
    return Stack(template=translate(path, parameters=parameters, region=region))


def create_table_arguments(stack: Stack) -> dict[str, Any]:
    """Arguments of boto3's create_table for the template's table."""
    return table_arguments(stack.the_one("AWS::DynamoDB::Table")[1])


def time_to_live(stack: Stack) -> dict[str, Any]:
    """Its TimeToLiveSpecification, for update_time_to_live."""
    found: dict[str, Any] = stack.the_one("AWS::DynamoDB::Table")[1]["TimeToLiveSpecification"]
    return found
