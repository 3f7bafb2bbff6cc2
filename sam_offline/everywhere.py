"""Who listens at every address of a machine is asked by many names, and 0.0.0.0 is none of them.

From another machine 0.0.0.0 leads nowhere. So where an answer names it, such as the address of the
WebSocket API, it gets the name by which the request came.
"""

import re
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from sam_offline.server import Handler

__all__ = ["EVERYWHERE", "named_as_asked"]

EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - asked for, if somebody sets HOST to it

_NAME = re.compile(r"\[[^]]*\]|[^:]*")


def named_as_asked(handler: Handler, *urls: str) -> Handler:
    """`handler`, whose answers name those of `urls` that are everywhere as they were asked.

    In headers, and in JSON where a whole string is such an address, alone or with a stage: what
    people have written stays as it is.
    """
    places = [urlsplit(url).netloc for url in urls if urlsplit(url).hostname in EVERYWHERE]
    if not places:
        return handler
    place = "|".join(map(re.escape, places))
    in_header = re.compile(rf"(\b(?:http|ws)://)({place})\b")
    in_json = re.compile(rf'("(?:http|ws)://)({place})(?=(?:/\w*)?")')

    def answer(request: Request, body: bytes) -> Response:
        response = handler(request, body)
        asked = _NAME.match(request.headers["host"])
        name = asked[0] if asked else ""

        def named(address: re.Match[str]) -> str:
            _, _, port = address[2].rpartition(":")
            return f"{address[1]}{name}:{port}"

        for header, value in response.headers.items():
            response.headers[header] = in_header.sub(named, value)
        is_json = response.headers.get("content-type", "").startswith("application/json")
        if is_json and not isinstance(response, FileResponse):
            text = in_json.sub(named, bytes(response.body).decode())
            response.body = text.encode()
            response.headers["content-length"] = str(len(response.body))
        return response

    return answer
