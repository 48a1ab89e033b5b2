"""Reads what a Python environment holds from its files, without starting its interpreter."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

#: The group in which backends are registered (keyring 25.7.0, backend.py).
GROUP = "keyring.backends"
#: keyring's own backends that need a module which keyring does not depend on, or not everywhere
#: (keyring 25.7.0, backends/kwallet.py, libsecret.py, SecretService.py; pyproject.toml).
OPTIONAL = {
    "keyring.backends.kwallet": "dbus",
    "keyring.backends.libsecret": "gi",
    "keyring.backends.SecretService": "secretstorage",
}

_MAX_BYTES = 64 << 10
_MAX_LINKS = 40
#: .pth files with code that adds no folder: setuptools, virtualenv, coverage, editable installs (which leave a dist-info).
_HARMLESS_PTH = re.compile(r"distutils-precedence|_virtualenv|_?a1_coverage|__editable__", re.IGNORECASE)
_OURS = ("keyring", "keyring-fallback")


class Provider(NamedTuple):
    """A distribution's entry point for keyring: its name and version, and the value, as in ``package.module:Class``."""

    distribution: str
    version: str
    value: str

    @property
    def module(self) -> str:
        """The module that the entry point names."""
        return self.value.partition(":")[0].partition("[")[0].strip()


class Content(NamedTuple):
    """What site-packages hold.

    Attributes:
        keyring: The version of keyring, or "" if there is none.
        providers: The entry points of others than keyring and this project.
        optional: The modules of `OPTIONAL`'s values that are there.
        ours: Whether this project is installed there too.
        complete: Whether that is all; otherwise something that files do not tell may add folders.
    """

    keyring: str = ""
    providers: tuple[Provider, ...] = ()
    optional: frozenset[str] = frozenset()
    ours: bool = False
    complete: bool = True


def is_environment(root: str) -> bool:
    """Tell whether a folder is a virtual environment (PEP 405) or a conda environment."""
    return os.path.isfile(os.path.join(root, "pyvenv.cfg")) or os.path.isdir(os.path.join(root, "conda-meta"))


def interpreter(root: str, platform: str) -> str:
    """Return the path of an environment's interpreter, whether it exists or not."""
    names = ["bin/python"]
    if platform == "win32":  # virtual environments, conda environments, MSYS2 (pipx 1.18.4, util.py)
        names = ["Scripts/python.exe", "python.exe", "bin/python.exe"]
    paths = [os.path.join(root, *name.split("/")) for name in names]
    return next(filter(os.path.isfile, paths), paths[0])


def read_small(path: str, limit: int = _MAX_BYTES) -> str:
    """Return the first `limit` bytes of a regular file as text.

    Raises:
        OSError: It is not a file, or it cannot be read.
    """
    # a FIFO would block at open
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        return os.read(descriptor, limit).decode("utf-8", "surrogateescape")
    finally:
        os.close(descriptor)


def settings_of(root: str) -> dict[str, str]:
    """Return the keys of an environment's pyvenv.cfg, in lower case, with their values (CPython, Lib/site.py)."""
    try:
        text = read_small(os.path.join(root, "pyvenv.cfg"))
    except OSError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def site_folders(root: str, platform: str) -> list[str]:
    """Return the site-packages folders of an environment, found by listing (names as CPython's and PyPy's site.py)."""
    if platform == "win32" and os.path.isdir(os.path.join(root, "Lib", "site-packages")):
        return [os.path.join(root, "Lib", "site-packages")]
    library = os.path.join(root, "lib")
    try:
        names = [name for name in os.listdir(library) if name.lower().startswith(("python", "pypy"))]
    except OSError:
        return []
    folders = (os.path.join(library, name, "site-packages") for name in sorted(names))
    return [folder for folder in folders if os.path.isdir(folder)]


def read(root: str, platform: str) -> Content:
    """Return what an environment holds."""
    folders = site_folders(root, platform)
    content = read_folders(folders)
    if settings_of(root).get("include-system-site-packages", "").lower() == "true" or not folders:
        content = content._replace(complete=False)
    return content


def read_folders(folders: Iterable[str]) -> Content:
    """Return what some site-packages folders hold, one level of plain .pth lines included.

    Never raises; what cannot be read makes the result incomplete.
    """
    pending = list(folders)
    seen: list[str] = []
    version, providers, optional, ours, complete = "", [], set(), False, True
    first = len(pending)
    while pending and len(seen) < _MAX_LINKS:
        folder = pending.pop(0)
        seen.append(folder)
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            continue
        except OSError:
            complete = False
            continue
        optional |= {name for name in OPTIONAL.values() if name in names}
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix == ".pth" and len(seen) <= first:
                more, told = _linked(folder, name)
                pending += [path for path in more if path not in seen]
                complete = complete and told
            elif suffix == ".egg-link":
                complete = False
            elif suffix in (".dist-info", ".egg-info") and not name.startswith("~"):  # pip's leftovers
                distribution, _, rest = stem.partition("-")
                distribution = re.sub(r"[-_.]+", "-", distribution).lower()
                number = rest.split("-py")[0]
                if distribution == "keyring":
                    version = version or number or "?"
                ours = ours or distribution == "keyring-fallback"
                if distribution not in _OURS:
                    values = _entry_points(os.path.join(folder, name, "entry_points.txt"))
                    providers += [Provider(distribution, number, value) for value in values]
    return Content(version, tuple(dict.fromkeys(providers)), frozenset(optional), ours, complete)


def _entry_points(file: str) -> list[str]:
    try:
        text = read_small(file)
    except OSError:
        return []
    return list(parse_entry_points(text))


def parse_entry_points(text: str) -> Iterator[str]:
    """Yield the values of the `GROUP` section of an entry_points.txt (PyPA's entry points specification)."""
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif section == GROUP and line and line[0] not in "#;":
            _, _, value = line.partition("=")
            if re.fullmatch(r"[\w.]+\s*(:\s*[\w.]+)?\s*(\[.*\])?", value.strip()):
                yield value.strip()


def _linked(folder: str, name: str) -> tuple[list[str], bool]:
    """Return the folders that a .pth file adds by plain lines, and whether that is all that it does."""
    try:
        lines = read_small(os.path.join(folder, name)).splitlines()
    except OSError:
        return [], False
    code = any(line.startswith(("import ", "import\t")) for line in lines)  # as site.py tells them
    plain = [line.strip() for line in lines if line.strip() and not line.startswith(("#", "import ", "import\t"))]
    paths = [os.path.join(folder, line) for line in plain if "\0" not in line]
    return [path for path in paths if os.path.isdir(path)], not code or bool(_HARMLESS_PTH.match(name))
