"""Rules about the files of the web client, which nothing builds or checks before a browser does."""

import gzip
import hashlib
import re
from pathlib import Path

from commands.web.site import is_page

WEB = Path(__file__).parents[2] / "web"
VENDORED = WEB / "vendor" / "lit-html"
FILES = [path for path in sorted(WEB.rglob("*")) if path.is_file()]
MODULES = [path for path in FILES if path.suffix == ".js"]
OURS = [path for path in MODULES if not path.is_relative_to(VENDORED)]
PAGE = (WEB / "index.html").read_text()
MOST_BYTES = 60_000


def imports(module: Path) -> list[str]:
    return re.findall(r'(?:^|[;}\s])(?:import|from)\s*"([^"]+)"', module.read_text())


def test_all_that_a_browser_loads_is_small() -> None:
    named = re.findall(r'(?:href|src)="/([^"]+)"', PAGE)
    drawn = {path for path in FILES if path.suffix == ".svg"}
    loaded = {WEB / "index.html", *drawn, *(WEB / name for name in named if name != "config.json")}
    assert loaded > set(MODULES)
    assert sum(len(gzip.compress(path.read_bytes())) for path in loaded) <= MOST_BYTES


def test_the_vendored_library_is_what_its_maker_published() -> None:
    lines = (VENDORED / "sha256.txt").read_text().splitlines()
    written = {name: digest for digest, name in map(str.split, lines)}
    found = {
        path.relative_to(VENDORED).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in MODULES
        if path.is_relative_to(VENDORED)
    }
    assert found == written
    assert "BSD 3-Clause License" in (VENDORED / "LICENSE.txt").read_text()


def test_modules_import_files_that_are_there_by_relative_paths() -> None:
    for module in MODULES:
        for target in imports(module):
            assert target.startswith("."), f"{module.name} imports {target}"
            assert (module.parent / target).is_file(), f"{module.name} imports {target}"


def test_the_page_loads_each_module_at_once_instead_of_one_after_the_other() -> None:
    preloaded = re.findall(r'rel="modulepreload" href="/([^"]+)"', PAGE)
    modules = [path.relative_to(WEB).as_posix() for path in MODULES]
    (first,) = re.findall(r'<script type="module" src="/([^"]+)"', PAGE)
    assert preloaded == [name for name in modules if name != first]


def test_every_file_of_the_page_is_there_and_no_file_is_taken_for_a_page() -> None:
    for target in re.findall(r'(?:href|src)="/([^"]+)"', PAGE):
        assert target == "config.json" or (WEB / target).is_file(), target
    for path in FILES:
        assert not is_page(f"/{path.relative_to(WEB).as_posix()}"), path


def test_nothing_that_people_write_can_become_markup_or_code() -> None:
    dangerous = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|unsafe|eval\(|Function\("
    for module in OURS:
        assert not re.search(dangerous, module.read_text()), module.name
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?! type=\"module\" src=)", PAGE)


def test_an_element_has_a_file_with_its_name() -> None:
    for module in OURS:
        for name in re.findall(r'customElements\.define\("([^"]+)"', module.read_text()):
            assert (module.parent.name, module.stem) == ("elements", name)


def test_one_module_calls_the_api() -> None:
    callers = {module.name for module in OURS if "fetch(" in module.read_text()}
    assert callers == {"api.js", "cognito.js", "cruddur-app.js"}
    assert [module.name for module in OURS if '"/api/' in module.read_text()] == ["api.js"]
