"""A static web site, served from a folder."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from sam_offline.server import FileAnswer, Handler

__all__ = ["StaticFiles"]


class StaticFiles:
    """Answers with the files below a folder, as they are at that moment.

    Parameters
    ----------
    headers
        Headers of every answer with a file.
    made
        Files that are not in the folder: their texts by their paths.
    is_page
        Tells which paths are pages of the client, which are all answered with index.html.
    otherwise
        Answers every request that is not for a file.
    """

    def __init__(
        self,
        folder: Path,
        *,
        headers: Mapping[str, str],
        made: Mapping[str, str],
        is_page: Callable[[str], bool],
        otherwise: Handler,
    ) -> None:
        self._folder = folder.resolve()
        self._headers = {**headers, "Cache-Control": "no-cache"}
        self._made = made
        self._is_page = is_page
        self._otherwise = otherwise

    def answer(self, request: Request, body: bytes) -> Response:
        """Return the file of a path."""
        path = request.scope["path"]
        if request.method in {"GET", "HEAD"}:
            if path in self._made:
                return self._content(request, self._made[path].encode(), path)
            if file := self._file("/index.html" if self._is_page(path) else path):
                return self._content(request, file.read_bytes(), file.name)
        return self._otherwise(request, body)

    def _content(self, request: Request, content: bytes, name: str) -> Response:
        """A file, or word that a browser has it: a page asks for dozens each time it is loaded."""
        tag = f'"{sha256(content).hexdigest()[:32]}"'
        headers = {**self._headers, "ETag": tag}
        if request.headers.get("if-none-match") == tag:
            return FileAnswer(b"", 304, headers)
        return FileAnswer(content, 200, headers, guess_type(name)[0])

    def _file(self, path: str) -> Path | None:
        if "\0" in path:
            return None
        file = self._folder.joinpath(*path.split("/")[1:]).resolve()
        return file if file.is_relative_to(self._folder) and file.is_file() else None
