"""Who has sent a request under `sam local`, which runs no JWT authorizer.

In the cloud ``AWS_SAM_LOCAL`` is never set, and nothing here has an effect.
"""

import base64
import binascii
import json
import os
from typing import Any


def claims(authorization: str | None, *, now: float) -> dict[str, Any]:
    """Return the claims of a bearer token that has not expired; none outside `sam local`.

    The signature is not checked. The data is on the same machine, where anyone can reach it, and
    it would take keys and RSA in a layer that is deployed.
    """
    if os.environ.get("AWS_SAM_LOCAL") != "true":
        return {}
    token = (authorization or "").rpartition(" ")[2]
    try:
        _, payload, _ = token.split(".")
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        valid = isinstance(found, dict) and float(found["exp"]) > now
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
        return {}
    return found if valid else {}
