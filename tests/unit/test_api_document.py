"""The page that `make run` makes of the OpenAPI document."""

import re

from starlette.requests import Request

from local.api_document import answer, page
from tests.contract import contract
from tests.unit.test_contract import documented_codes, responses


def test_the_page_has_every_route_and_every_code() -> None:
    made = page(contract().document)
    for method, path, operation in contract().operations():
        assert f"{method} {path}" in made
        assert operation["summary"] in made
    for code, _ in documented_codes():
        assert code in made
    assert len(re.findall("<summary>", made)) == len(list(responses()))


def test_the_page_needs_nothing_from_anywhere() -> None:
    made = page(contract().document)
    assert not re.findall(r"<script|<link|<img|@import|url\(|(?:href|src)=.?(?:https?:|//)", made)


def test_what_is_neither_page_nor_document_is_not_found() -> None:
    def get(path: str, method: str = "GET") -> int:
        scope = {"type": "http", "method": method, "path": path, "headers": []}
        return answer(Request(scope), b"").status_code

    assert get("/openapi.html") == get("/openapi.json") == 200
    assert get("/openapi.yaml") == get("/") == get("/openapi.json", "POST") == 404
