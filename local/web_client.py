"""What `make run` serves beside the API: the web client, and what the API says of itself."""

import json

from commands.web.api_document import api_files
from commands.web.site import Person, Site, is_page
from local.settings import ROOT
from sam_offline import Offline
from sam_offline.server import message
from sam_offline.static_files import StaticFiles
from seed.examples import seed_users
from seed.writing import SeedReport

__all__ = ["web_client"]


def web_client(app: Offline, report: SeedReport) -> StaticFiles:
    """Return the pages, which offer the people of the seed with one click."""
    site = Site.from_outputs(
        app.outputs,
        sign_in_url=app.aws_url,
        people=[
            Person(handle=user.user.handle, display_name=user.user.display_name, email=user.email)
            for user in seed_users()
            if user.user.handle in report.handles
        ],
        password=report.password,
    )
    return StaticFiles(
        ROOT / "web",
        headers=site.headers(),
        made={
            "/config.json": json.dumps(site.config()),
            **{f"/{name}": text for name, text in api_files().items()},
        },
        # A route that the API does not have stays one, as at CloudFront.
        is_page=lambda path: not path.startswith("/api/") and is_page(path),
        otherwise=lambda _request, _body: message(404, "Not Found"),
    )
