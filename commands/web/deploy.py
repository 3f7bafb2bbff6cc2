"""``bin/web/deploy``: uploads web/, config.json and the API's document for CloudFront.

``bin/web/config``: prints the configuration for a client on another host.
"""

import json
import uuid
from collections.abc import Iterator
from mimetypes import guess_type
from pathlib import Path
from typing import Annotated

import typer

from commands.command import Run
from commands.errors import CommandError
from commands.output import quantity
from commands.targets import ROOT
from commands.web.api_document import api_files
from commands.web.site import Site

WEB = ROOT / "web"
# A browser asks each time whether its copy is the newest. CloudFront answers from its cache, which
# a deployment invalidates. So names of files need no hash.
_CACHE = "max-age=0, must-revalidate, s-maxage=86400"


def deploy(run: Run) -> None:
    """Put the web client where CloudFront serves it, for a stack with WebClient=true.

    It can be repeated; files that are no longer part of the client are removed.
    """
    target = run.target
    if not target.on_aws:
        raise CommandError("The local cloud serves web/ by itself: name a stack, or give --aws.")
    url = target.outputs.get("WebUrl")
    if url is None:
        raise CommandError(f"{target.name} serves no web client: deploy it with WebClient=true.")
    bucket, distribution = target.output("WebBucketName"), target.output("WebDistributionId")
    files = dict(site_files(Site.from_outputs(target.outputs)))
    run.confirm(f"This puts {quantity(len(files), 'file')} in place of the client at {url}.")
    s3 = target.client("s3")
    for name, content in files.items():
        s3.put_object(
            Bucket=bucket,
            Key=name,
            Body=content,
            ContentType=content_type(name),
            CacheControl=_CACHE,
        )
    cloudfront = target.client("cloudfront")
    made = cloudfront.create_invalidation(
        DistributionId=distribution,
        InvalidationBatch={
            "Paths": {"Quantity": 1, "Items": ["/*"]},
            "CallerReference": str(uuid.uuid4()),
        },
    )
    cloudfront.get_waiter("invalidation_completed").wait(
        DistributionId=distribution, Id=made["Invalidation"]["Id"]
    )
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    there = {item["Key"] for page in pages for item in page.get("Contents", ())}
    old = sorted(there - set(files))
    for name in old:
        s3.delete_object(Bucket=bucket, Key=name)
    run.output.result(f"The web client is at {url}.", url=url, files=list(files), removed=old)


def config(
    run: Run,
    *,
    headers: Annotated[
        bool, typer.Option("--headers", help="Print the headers that come with every file.")
    ] = False,
) -> None:
    """Print the config.json of a web client that another host serves.

    That host's origin has to be one of the stack's AllowedOrigins.
    """
    target = run.target
    site = Site.from_outputs(
        target.outputs, api_url=target.output("ApiUrl"), sign_in_url=target.endpoint_url or ""
    )
    if headers:
        for name, value in site.headers().items():
            run.output.line(f"{name}: {value}", {"name": name, "value": value}, cut=False)
    else:
        run.output.line(json.dumps(site.config(), indent=2), site.config(), cut=False)


def site_files(site: Site) -> Iterator[tuple[str, bytes]]:
    """Yield the path and content of every file of the site; a file comes after those it refers to.

    A file without a suffix, such as a licence, is not one of the site.
    """
    modules = sorted(path for path in WEB.rglob("*.*") if path.is_file())
    for path in sorted(modules, key=lambda path: path.suffix == ".html"):
        yield path.relative_to(WEB).as_posix(), path.read_bytes()
    for name, text in api_files().items():
        yield name, text.encode()
    yield "config.json", json.dumps(site.config()).encode()


def content_type(name: str) -> str:
    """Return the media type of a file. Browsers do not run a script without it.

    Raises
    ------
    CommandError
        Nothing is known of files with this suffix.
    """
    kind, _ = guess_type(name)
    if kind is None:
        raise CommandError(
            f"The media type of {Path(name).suffix} files is not known: {name} is not uploaded."
        )
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
