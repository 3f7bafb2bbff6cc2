"""Lays out what `sam build` made as Lambda does: ``/var/task`` and ``/opt/python``."""

import datetime
import os
import subprocess
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.settings import ROOT
from sam_offline.ministack import CREDENTIALS
from sam_offline.stack import Function

BUILT = ROOT / ".aws-sam" / "build"
RUNTIME = ROOT / ".build" / "runtime" / "bin" / "python"

_SAM_PYTHON = ROOT / ".build" / "sam" / "bin" / "python"
# sam's own function makes the zips, since it decides on the dates of the files.
_ZIP = """
import sys
from samcli.lib.package.utils import make_zip
for name, folder in zip(sys.argv[1::2], sys.argv[2::2]):
    make_zip(name, folder)
"""


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A function on Lambda's disk.

    Attributes
    ----------
    task
        Its own folder, for ``/var/task``.
    opt
        The folder of its layers, for ``/opt``.
    """

    name: str
    task: Path
    opt: Path
    variables: Mapping[str, str]

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment variables that Lambda starts it with, and `more`."""
        return {
            **self.variables,
            **CREDENTIALS,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "PYTHONPATH": os.pathsep.join([str(self.task), str(self.opt / "python")]),
            # Lambda's disk cannot be written.
            "PYTHONDONTWRITEBYTECODE": "1",
            **more,
        }


def deploy(functions: Mapping[str, Function], folder: Path) -> dict[str, Deployed]:
    """Zip what was built as sam does, and unpack it below `folder` as Lambda does.

    `functions` are those of the built template, by their names in it.
    """
    sources = {function.code for function in functions.values()}
    sources.update(layer for function in functions.values() for layer in function.layers)
    zips = _zip(sources, folder)
    deployed = {}
    for name, function in functions.items():
        task, opt = folder / name / "task", folder / name / "opt"
        _unpack(zips[function.code], task)
        for layer in function.layers:
            _unpack(zips[layer], opt)
        deployed[name] = Deployed(name=name, task=task, opt=opt, variables=function.environment)
    return deployed


def _zip(sources: Iterable[Path], folder: Path) -> dict[Path, Path]:
    names = {source: folder / source.name for source in sources}
    folder.mkdir(parents=True, exist_ok=True)
    words = [str(path) for source, name in names.items() for path in (name, source)]
    subprocess.run([_SAM_PYTHON, "-c", _ZIP, *words], check=True)
    return {source: name.with_suffix(".zip") for source, name in names.items()}


def _unpack(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            path = opened.extract(member, folder)
            date = datetime.datetime(*member.date_time).timestamp()  # noqa: DTZ001  # as unzip does
            os.utime(path, (date, date))
