"""Who asks, under `sam local`: it runs no JWT authorizer, so its events do not say.

Nothing here has an effect in the cloud, where ``AWS_SAM_LOCAL`` is never set.
"""

import base64
import binascii
import json
import os
from typing import Any


def claims(authorization: str | None, *, now: float) -> dict[str, Any]:
    """Return the claims of a bearer token that has not expired; none outside `sam local`.

    Its signature, issuer and client are not checked: that takes keys and RSA, which have no
    place in a deployed layer, to protect data that anyone on the same machine can reach.
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
