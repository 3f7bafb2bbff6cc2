"""The SQL statements, each in a file. Values are always bound, never part of the text."""

from functools import cache
from importlib.resources import files


@cache
def statement(name: str, *, package: str = "directory") -> str:
    """Return a statement of a package by its path below ``sql``, such as ``users/short``."""
    return files(package).joinpath("sql", f"{name}.sql").read_text()
