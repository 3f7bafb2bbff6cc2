"""The page that is made of the OpenAPI document."""

import re

from commands.web.api_document import page
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
    assert not re.findall(r"<script|<style|<img|(?:href|src)=.?(?:https?:|//)", made)
