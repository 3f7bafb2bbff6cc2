"""What `make run` serves beside the API: the web client, and the documentation of the API."""

import json

from commands.web.api_document import api_files
from commands.web.site import Person, Site, is_page
from local.settings import ROOT
from sam_offline import Offline
from sam_offline.server import message
from sam_offline.static_files import StaticFiles
from seed.examples import PASSWORD, seed_users

__all__ = ["web_client"]


def web_client(app: Offline) -> StaticFiles:
    """Return the pages, with a button to sign in as each person of the seed."""
    site = Site.from_outputs(
        app.outputs,
        sign_in_url=app.aws_url,
        people=[
            Person(handle=user.user.handle, display_name=user.user.display_name, email=user.email)
            for user in seed_users()
            if user.signs_in
        ],
        password=PASSWORD,
    )
    return StaticFiles(
        ROOT / "web",
        headers=site.headers(),
        made={
            "/config.json": json.dumps(site.config()),
            **{f"/{name}": text for name, text in api_files().items()},
        },
        # An unknown route of the API is not a page, as at CloudFront.
        is_page=lambda path: not path.startswith("/api/") and is_page(path),
        otherwise=lambda _request, _body: message(404, "Not Found"),
    )
