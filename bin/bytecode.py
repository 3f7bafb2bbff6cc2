"""Compile what `sam build` made, so that a cold start does not have to; `bin/sam` runs this.

    bytecode.py build [SAM'S OPTIONS]

Lambda's disk cannot be written, so that without this every cold start compiles every module again.
Bytecode that is checked by the date of its source would not be used: all files in sam's zips are of
1980. Tracebacks name the files as they are called in Lambda.
"""

import argparse
import compileall
import sys
from pathlib import Path
from py_compile import PycInvalidationMode


def compile_all(build: Path) -> bool:
    """Compile every function and layer of a build; tell whether all could be compiled."""
    parts = list(build.glob("*/"))
    # What is in the folder python/ of a layer is in /opt/python for its functions.
    places = {part: "/opt" if (part / "python").is_dir() else "/var/task" for part in parts}
    return all(
        compileall.compile_dir(
            part,
            maxlevels=20,
            force=True,
            quiet=1,
            stripdir=part,
            prependdir=place,
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )
        for part, place in places.items()
    )


def main() -> int:
    """Find the folder in sam's options, and compile what is in it."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--build-dir", "-b", type=Path, default=Path(".aws-sam", "build"))
    options, _ = parser.parse_known_args()
    return 0 if compile_all(options.build_dir) else 1


if __name__ == "__main__":
    sys.exit(main())
