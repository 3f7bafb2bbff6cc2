"""Static files, as a host of pages serves them."""

from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from sam_offline.static_files import StaticFiles

ELSEWHERE = Response(b"elsewhere", 404)


@pytest.fixture
def files(tmp_path: Path) -> StaticFiles:
    folder = tmp_path / "pages"
    (folder / "parts").mkdir(parents=True)
    (folder / "index.html").write_text("<p>page")
    (folder / "parts" / "a b.js").write_text("code")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return StaticFiles(
        folder,
        headers={"X-Frame-Options": "DENY"},
        made={"/made.json": "{}"},
        is_page=lambda path: "." not in path,
        otherwise=lambda _request, _body: ELSEWHERE,
    )


def ask(files: StaticFiles, path: str, method: str = "GET", known: str = "") -> Response:
    """Return what is answered to a path, which a server has decoded; `known` is an ETag."""
    headers = [(b"if-none-match", known.encode())] if known else []
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    return files.answer(Request(scope), b"")


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/", "text/html", b"<p>page"),
        ("/some/page", "text/html", b"<p>page"),
        ("/parts/a b.js", "text/javascript", b"code"),
        ("/made.json", "application/json", b"{}"),
    ],
)
def test_a_file_comes_with_its_type_and_the_headers_of_all(
    files: StaticFiles, path: str, kind: str, body: bytes
) -> None:
    answer = ask(files, path)
    assert (answer.status_code, answer.body) == (200, body)
    assert answer.headers["content-type"].startswith(kind)
    assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "path",
    [
        "/none.js",
        "/../secret.txt",
        "/parts/..",
        "/link.txt",
        "//etc/fstab.d",
        "/parts/\0.js",
    ],
)
def test_what_is_no_file_of_the_folder_is_answered_elsewhere(files: StaticFiles, path: str) -> None:
    assert ask(files, path) is ELSEWHERE


def test_pages_are_only_read(files: StaticFiles) -> None:
    assert ask(files, "/", "POST") is ELSEWHERE


def test_a_file_that_changes_is_served_as_it_is(files: StaticFiles, tmp_path: Path) -> None:
    known = ask(files, "/").headers["etag"]
    (tmp_path / "pages" / "index.html").write_text("<p>other")
    assert ask(files, "/", known=known).body == b"<p>other"


@pytest.mark.parametrize("path", ["/", "/parts/a b.js", "/made.json"])
def test_what_a_browser_has_is_not_sent_again(files: StaticFiles, path: str) -> None:
    answer = ask(files, path, known=ask(files, path).headers["etag"])
    assert (answer.status_code, answer.body) == (304, b"")
    assert answer.headers["x-frame-options"] == "DENY"
