"""docs/openapi.yaml, and whether an answer is one that it describes.

A status, a code, a field or one of its headers that stands where the document does not have it is
a fault. The HTTP clients of the tests hold every answer that they get against it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml
from openapi_schema_validator import OAS31Validator

__all__ = ["DOCUMENT", "METHODS", "Contract", "contract", "hold"]

DOCUMENT = Path(__file__).parents[1] / "docs" / "openapi.yaml"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class Contract:
    """An OpenAPI document whose schemas can be asked."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        # The most specific path first: literal segments before parameters.
        self._paths = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), item)
            for path, item in sorted(document["paths"].items(), key=lambda path: path[0].count("{"))
        ]
        self._headers = {
            name.lower()
            for _, _, operation in self.operations()
            for response in operation["responses"].values()
            for name in self.resolved(response).get("headers", {})
        }

    def operations(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Every method and path, and what the document says of them."""
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield method.upper(), path, item[method]

    def resolved(self, value: Any) -> Any:
        """What `value` stands for, if it is a reference."""
        while isinstance(value, Mapping) and "$ref" in value:
            found: Any = self.document
            for part in value["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            value = found
        return value

    def faults(
        self, method: str, path: str, status: int, headers: Mapping[str, str], content: str
    ) -> list[str]:
        """What an answer has that the document does not have, and the other way round."""
        if method == "OPTIONS":
            return [] if status == httpx.codes.NO_CONTENT else [f"status {status} of a preflight"]
        responses = self._responses(method, path)
        if str(status) not in responses:
            return [f"status {status}"]
        response = self.resolved(responses[str(status)])
        kind = headers.get("content-type", "").partition(";")[0]
        if kind not in response["content"]:
            return [f"content type {kind!r} of {status}"]
        faults = list(self._faults_of_headers(response.get("headers", {}), headers))
        try:
            body = json.loads(content)
        except ValueError:
            return [*faults, "a body that is not JSON"]
        return faults + self.differences(response["content"][kind].get("schema", {}), body)

    def differences(self, schema: Mapping[str, Any], value: Any) -> list[str]:
        """Where `value` is not as the schema says."""
        # References point into the document, of which only this part has schemas.
        validator = OAS31Validator(
            {**schema, "components": self.document["components"]},
            format_checker=OAS31Validator.FORMAT_CHECKER,
        )
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def _responses(self, method: str, path: str) -> Mapping[str, Any]:
        for pattern, item in self._paths:
            if pattern.fullmatch(path) and method.lower() in item:
                responses: Mapping[str, Any] = item[method.lower()]["responses"]
                return responses
        return {"404": {"$ref": "#/components/responses/NoSuchRoute"}}

    def _faults_of_headers(
        self, described: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Iterator[str]:
        known = {name.lower(): self.resolved(header) for name, header in described.items()}
        yield from (f"header {name}" for name in self._headers - known.keys() if name in headers)
        for name, header in known.items():
            if name in headers:
                is_number = header["schema"].get("type") == "integer"
                value = int(headers[name]) if is_number else headers[name]
                yield from self.differences(header["schema"], value)
            elif header.get("required"):
                yield f"no header {name}"


@cache
def contract() -> Contract:
    """The contract of this project."""
    return Contract(yaml.load(DOCUMENT.read_text(), Loader=yaml.CSafeLoader))


def hold(answer: httpx.Response) -> None:
    """Fail for an answer that the contract does not have; a response hook of httpx's clients."""
    answer.read()
    request = answer.request
    path = urlsplit(str(request.url)).path
    found = contract().faults(request.method, path, answer.status_code, answer.headers, answer.text)
    assert not found, f"{request.method} {path} {answer.status_code} is not in {DOCUMENT}: {found}"
