"""The documentation of the API: its OpenAPI document, and a page of it for people.

The page needs no script and nothing from another host.
"""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import yaml

from commands.targets import ROOT

__all__ = ["api_files", "page"]


def api_files() -> dict[str, str]:
    """Return document and page as files of the web client: their texts by their names."""
    text = (ROOT / "docs" / "openapi.yaml").read_text()
    document: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return {
        "openapi.json": json.dumps(document, ensure_ascii=False),
        "openapi.html": page(document),
    }


def page(document: Mapping[str, Any]) -> str:
    """Return the page of an OpenAPI document."""
    return "".join(_Page(document).parts())


class _Page:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def parts(self) -> Iterator[str]:
        info = self._document["info"]
        title = escape(info["title"])
        yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        yield '<meta name=viewport content="width=device-width">'
        yield "<link rel=stylesheet href=/styles/api.css>"
        yield f"<h1>{title} {escape(info['version'])}</h1>"
        yield f"{_text(info['description'])}<p><a href=/openapi.json>As JSON</a></p><ul>"
        for name, _, operation in self._operations():
            yield f"<li><a href=#{operation['operationId']}><code>{escape(name)}</code></a> "
            yield escape(operation["summary"])
        yield "</ul>"
        for name, item, operation in self._operations():
            yield from self._operation(name, item, operation)

    def _operations(self) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
        for path, item in self._document["paths"].items():
            for method, operation in item.items():
                if method != "parameters":
                    yield f"{method.upper()} {path}", item, operation

    def _operation(
        self, name: str, item: Mapping[str, Any], operation: Mapping[str, Any]
    ) -> Iterator[str]:
        yield f"<section id={operation['operationId']}><h2><code>{escape(name)}</code></h2>"
        yield f"<p><b>{escape(operation['summary'])}</b></p>{_text(operation.get('description'))}"
        parameters = item.get("parameters", []) + operation.get("parameters", [])
        if parameters:
            yield "<h3>Parameters</h3><table>"
            for parameter in map(self._resolved, parameters):
                where = f"{parameter['name']} ({parameter['in']})"
                yield _row(where, self._kind(parameter["schema"]), parameter.get("description"))
            yield "</table>"
        if "requestBody" in operation:
            yield "<h3>Body</h3>"
            yield from self._media(operation["requestBody"]["content"]["application/json"])
        yield "<h3>Answers</h3>"
        for status, response in operation["responses"].items():
            found = self._resolved(response)
            yield f"<details><summary><b>{status}</b> {_text(found['description'], 'span')}"
            yield "</summary>"
            for header in found.get("headers", {}):
                yield f"<p>Header <code>{escape(header)}</code>: "
                yield escape(self._resolved(found["headers"][header])["description"]) + "</p>"
            for kind, media in found["content"].items():
                yield f"<p><code>{escape(kind)}</code></p>"
                yield from self._media(media)
            yield "</details>"
        yield "</section>"

    def _media(self, media: Mapping[str, Any]) -> Iterator[str]:
        yield "<table>"
        for name, schema in self._fields(media["schema"]).items():
            yield _row(name, self._kind(schema), self._resolved(schema).get("description"))
        yield "</table>"
        if "example" in media:
            text = json.dumps(media["example"], indent=2, ensure_ascii=False)
            yield f"<pre>{escape(text)}</pre>"

    def _fields(self, schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """Return the fields of an object, or of an array's objects, through allOf and anyOf."""
        schema = self._resolved(schema)
        found: dict[str, Mapping[str, Any]] = {}
        parts = [*schema.get("allOf", []), *schema.get("anyOf", [])]
        for part in [*parts, *([schema["items"]] if "items" in schema else [])]:
            found |= self._fields(part)
        found |= schema.get("properties", {})
        return found

    def _kind(self, schema: Mapping[str, Any]) -> str:
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return " or ".join(self._kind(part) for part in schema["anyOf"])
        items = schema.get("items", {})
        if "enum" in items:
            return " ".join(items["enum"])
        kind = schema.get("type", "")
        words = [kind if isinstance(kind, str) else " or ".join(kind)]
        words += [f"{rule}: {json.dumps(schema[rule])}" for rule in _RULES if rule in schema]
        return ", ".join(filter(None, words))

    def _resolved(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in value:
            found: Any = self._document
            for part in value["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            value = found
        return value


_RULES = ("format", "enum", "const", "default", "minimum", "maximum", "maxLength", "pattern")


def _row(*cells: str | None) -> str:
    name, *others = (escape(cell or "") for cell in cells)
    return f"<tr><th><code>{name}</code></th>{''.join(f'<td>{cell}</td>' for cell in others)}</tr>"


def _text(text: str | None, tag: str = "p") -> str:
    return f"<{tag}>{escape(text)}</{tag}>" if text else ""
