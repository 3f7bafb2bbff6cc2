"""A stand-in for Lambda's base image, for machines that reach no image registry.

It is made of this machine's own parts: the programs that `sam` runs when it adds its emulator and
the layers, the CPython that runs this file, the shared libraries of both, and Lambda's runtime
client, which `bin/setup stand-in` has put into .build/stand-in.
"""

import io
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / ".build" / "stand-in"
TAG = "cruddur-stand-in:python3.13"

LIBRARIES = "var/lang/lib"
PROGRAMS = ("sh", "cp", "rm", "mv", "chmod")
# What the layers' packages may expect of a system; getaddrinfo loads its part by itself.
SYSTEM = (
    *("libstdc++.so.6", "libgcc_s.so.1", "libdl.so.2", "libpthread.so.0", "librt.so.1"),
    *("libutil.so.1", "libresolv.so.2", "libcrypt.so.1", "libnss_dns.so.2", "libnss_files.so.2"),
)
LEFT_OUT = {"test", "idlelib", "ensurepip", "tkinter", "site-packages", "turtledemo"}

# As in the image that it stands for: the function first, then its layers, then the runtime.
BOOTSTRAP = """#!/bin/sh
export PYTHONPATH=/var/task:/opt/python:/var/runtime
exec /var/lang/bin/python3.13 -m awslambdaric "$_HANDLER"
"""
SETTINGS = (
    f"ENV LD_LIBRARY_PATH=/{LIBRARIES}",
    "ENV PATH=/var/lang/bin:/bin",
    "ENV LAMBDA_TASK_ROOT=/var/task",
    "ENV LAMBDA_RUNTIME_DIR=/var/runtime",
    "ENV LANG=C.UTF-8",
    "ENV TZ=:UTC",
    "WORKDIR /var/task",
)


def build() -> str:
    """Import the image into Docker, and return its tag."""
    if platform.system() != "Linux":
        raise RuntimeError("only a Linux machine has the parts of the stand-in image")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as image:
        for source, name in _files():
            image.add(source, name, recursive=False)
        for name in ("tmp", "var/task", "opt", "etc"):
            _add_folder(image, name, mode=0o777 if name == "tmp" else 0o755)
        _add_text(image, "var/runtime/bootstrap", BOOTSTRAP, mode=0o755)
        _add_text(image, "etc/passwd", "root:x:0:0:root:/tmp:/bin/sh\n")
        _add_text(image, "etc/nsswitch.conf", "hosts: files dns\n")
    changes = [word for setting in SETTINGS for word in ("--change", setting)]
    subprocess.run(
        ["docker", "import", *changes, "-", TAG],
        input=archive.getvalue(),
        check=True,
        capture_output=True,
    )
    return TAG


def _files() -> Iterator[tuple[Path, str]]:
    """Yield what the image consists of, each with its place there; links are followed."""
    python = Path(sys.executable).resolve()
    standard_library = Path(sysconfig.get_path("stdlib"))
    programs = [Path(found).resolve() for name in PROGRAMS if (found := shutil.which(name))]
    yield python, "var/lang/bin/python3.13"
    for name, program in zip(PROGRAMS, programs, strict=True):
        yield program, f"bin/{name}"
    for path in _tree(standard_library):
        yield path, f"{LIBRARIES}/python3.13/{path.relative_to(standard_library)}"
    for path in _tree(PACKAGES):
        yield path, f"var/runtime/{path.relative_to(PACKAGES)}"
    extensions = [*standard_library.rglob("*.so"), *PACKAGES.rglob("*.so")]
    yield from _libraries([python, *programs, *extensions])


def _tree(folder: Path) -> Iterator[Path]:
    for path, folders, names in folder.walk():
        folders[:] = [name for name in folders if name not in LEFT_OUT and "config-" not in name]
        yield from (path / name for name in names)


def _libraries(binaries: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Yield the shared libraries of `binaries`, and the loader at the path they name."""
    listed = subprocess.run(
        ["ldd", *binaries], check=False, capture_output=True, text=True
    ).stdout  # its status is 1 when one of them is static
    found = dict(re.findall(r"^\s*(\S+) => (/\S+) ", listed, re.MULTILINE))
    places = [Path(path).parent for path in found.values()]
    for name in SYSTEM:
        for place in places:
            if (place / name).exists():
                found.setdefault(name, str(place / name))
    for name, path in sorted(found.items()):
        yield Path(path).resolve(), f"{LIBRARIES}/{name}"
    for loader in set(re.findall(r"^\s*(/\S*/ld-\S+) ", listed, re.MULTILINE)):
        yield Path(loader).resolve(), loader.lstrip("/")


def _add_folder(image: tarfile.TarFile, name: str, *, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    image.addfile(entry)


def _add_text(image: tarfile.TarFile, name: str, text: str, *, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(text), mode
    image.addfile(entry, io.BytesIO(text.encode()))
