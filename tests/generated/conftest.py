"""Requests that are generated from the contract, sent to the running application.

Only with `make contract`, which sets up what they need and sets CONTRACT.
"""

import os

from tests.local.conftest import cloud, start_cloud

__all__ = ["cloud", "start_cloud"]

collect_ignore_glob = [] if os.environ.get("CONTRACT") else ["test_*.py"]
