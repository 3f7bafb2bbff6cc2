"""Prints a template of the resources that template.yaml keeps when its stack is deleted.

    bin/python -m commands.retained > .build/retained.json

It is for importing them into a new stack (docs/deploy.md): an import takes no SAM template, and
every resource in its template has to be imported.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from commands.targets import ROOT
from sam_offline.template import read

__all__ = ["retained_template"]


def retained_template() -> dict[str, Any]:
    """Return that template: table and user pool, with the parameters and conditions they need."""
    document = read(ROOT / "template.yaml")
    resources = {
        name: {key: value for key, value in resource.items() if key != "Metadata"}
        for name, resource in document["Resources"].items()
        # The web client's bucket, which has a condition, is filled again and not imported.
        if resource.get("DeletionPolicy") == "RetainExceptOnCreate" and "Condition" not in resource
    }
    conditions = _named(document["Conditions"], resources)
    parameters = _named(document["Parameters"], [resources, conditions])
    template: dict[str, Any] = {
        "AWSTemplateFormatVersion": document["AWSTemplateFormatVersion"],
        "Description": document["Description"],
        "Parameters": parameters,
        "Conditions": conditions,
        "Resources": resources,
    }
    return template


def _named(declared: dict[str, Any], where: Any) -> dict[str, Any]:
    """Return the declarations whose names occur in `where`."""
    words = set(_strings(where))
    return {name: declaration for name, declaration in declared.items() if name in words}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, str):
        yield value


if __name__ == "__main__":
    json.dump(retained_template(), sys.stdout, indent=2)
