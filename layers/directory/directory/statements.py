"""The SQL statements, each in a file below ``sql``; parameters are always bound."""

from functools import cache
from importlib.resources import files


@cache
def statement(name: str) -> str:
    """Return a statement by its path, such as ``users/short``."""
    return files("directory").joinpath("sql", f"{name}.sql").read_text()
