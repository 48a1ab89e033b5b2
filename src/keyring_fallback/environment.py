"""Reads what a Python environment holds from its files, without starting its interpreter."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from .records import Record

#: The group in which backends are registered (keyring 25.7.0, backend.py).
GROUP = "keyring.backends"
#: keyring's own backends that need a module which keyring does not depend on, or not everywhere
#: (keyring 25.7.0, backends/kwallet.py, libsecret.py, SecretService.py; pyproject.toml).
OPTIONAL = {
    "keyring.backends.kwallet": "dbus",
    "keyring.backends.libsecret": "gi",
    "keyring.backends.SecretService": "secretstorage",
}

#: What is read of a file at the most. Larger ones are not read to their end, and then something may be missing.
MAX_BYTES = 16 << 10
_MAX_FOLDERS = 100
#: .pth files whose code adds no folder: setuptools', virtualenv's, coverage's, pywin32's, those of old namespace
#: packages, and those of editable installs (PEP 660), which leave a dist-info with their entry points.
_HARMLESS_PTH = ("distutils-precedence.", "_virtualenv.", "a1_coverage.", "pywin32.", "__editable__")
_HARMLESS_PTH_END = "-nspkg.pth"
_OURS = ("keyring", "keyring-fallback")


class Provider(Record):
    """A distribution's entry point for keyring: its name and version, and the value, as in ``package.module:Class``."""

    distribution: str
    version: str
    value: str

    @property
    def module(self) -> str:
        """The module that the entry point names."""
        return self.value.partition(":")[0].partition("[")[0].strip()


class Content(Record):
    """What site-packages hold.

    Attributes:
        keyring: The version of keyring, or "" if there is none.
        providers: The entry points of others than keyring and this project.
        optional: The modules of `OPTIONAL`'s values that are there.
        complete: Whether that is all; otherwise something that files do not tell may add to it.
        shares: Whether the base interpreter's packages and the user's are seen there too.
        unreadable: Why nothing can be said, or "".
        folders: The site-packages folders.
    """

    keyring: str = ""
    providers: tuple[Provider, ...] = ()
    optional: frozenset[str] = frozenset()
    complete: bool = True
    shares: bool = False
    unreadable: str = ""
    folders: tuple[str, ...] = ()


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


def read_head(path: str, limit: int = MAX_BYTES) -> bytes:
    """Return the first bytes of a file, `limit` at the most.

    Raises:
        OSError: It is not a file, or it cannot be read.
    """
    # a FIFO would block at open
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        return os.read(descriptor, limit)
    finally:
        os.close(descriptor)


def settings_of(root: str) -> dict[str, str]:
    """Return the keys of an environment's pyvenv.cfg, in lower case, with their values (CPython, Lib/site.py)."""
    try:
        text = read_head(os.path.join(root, "pyvenv.cfg")).decode("utf-8", "replace")
    except OSError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def site_folders(root: str, platform: str) -> list[str]:
    """Return the site-packages folders of an environment, found by listing (names as CPython's and PyPy's site.py).

    Raises:
        OSError: The folder that they are in cannot be listed.
    """
    folder = os.path.join(root, "Lib", "site-packages")
    if platform == "win32" and os.path.isdir(folder):
        return [folder]
    library = os.path.join(root, "lib")
    names = sorted(name for name in os.listdir(library) if name.startswith(("python", "pypy")))
    folders = (os.path.join(library, name, "site-packages") for name in names)
    return [folder for folder in folders if os.path.isdir(folder)]


def read(root: str, platform: str) -> Content:
    """Return what an environment holds, one level of plain lines in .pth files included. Never raises."""
    scan = _Scan()
    linked: list[str] = []
    try:
        folders = site_folders(root, platform)
        for folder in folders:
            linked += scan.add(folder, follow=True)
    except OSError as error:
        return Content(complete=False, unreadable=f"{error.filename} cannot be read ({error.strerror})")
    for folder in dict.fromkeys(linked):
        try:
            scan.add(folder)
        except OSError:
            scan.complete = False
    shares = settings_of(root).get("include-system-site-packages", "").lower() == "true"
    return scan.content()._replace(complete=scan.complete and not shares, shares=shares, folders=tuple(folders))


def read_path(folders: Iterable[str]) -> Content:
    """Return what the folders of ``sys.path`` hold. Never raises."""
    scan = _Scan()
    for folder in dict.fromkeys(folders):
        try:
            scan.add(folder)
        except OSError:  # a zip file, or nothing at all
            pass
    return scan.content()


class _Scan:
    """Gathers what several folders hold."""

    def __init__(self) -> None:
        self.keyring = ""
        self.providers: dict[Provider, None] = {}
        self.optional: set[str] = set()
        self.complete = True
        self._left = _MAX_FOLDERS

    def content(self) -> Content:
        return Content(self.keyring, tuple(self.providers), frozenset(self.optional), self.complete)

    def add(self, folder: str, *, follow: bool = False) -> list[str]:
        """Add a folder; return the folders that its .pth files add, if these are to be followed.

        Raises:
            OSError: It cannot be listed.
        """
        self._left -= 1
        if self._left < 0:
            self.complete = False
            return []
        linked: list[str] = []
        names = os.listdir(folder)
        self.optional.update(set(OPTIONAL.values()).intersection(names))
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix in (".dist-info", ".egg-info") and not name.startswith("~"):  # what an uninstalling pip left
                self._add_distribution(os.path.join(folder, name), stem)
            elif suffix == ".pth" and follow:
                linked += self._followed(folder, name)
            elif suffix == ".egg-link":
                self.complete = False
        return linked

    def _add_distribution(self, path: str, stem: str) -> None:
        name, _, rest = stem.partition("-")
        name = "-".join(filter(None, name.replace("_", "-").replace(".", "-").split("-"))).lower()
        version = rest.partition("-py")[0]
        if name == "keyring":
            self.keyring = self.keyring or version or "?"
        if name in _OURS:
            return
        try:
            text = read_head(os.path.join(path, "entry_points.txt"))
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError:
            self.complete = False
            return
        self.complete = self.complete and len(text) < MAX_BYTES
        for value in parse_entry_points(text.decode("utf-8", "replace")):
            self.providers[Provider(name, version, value)] = None

    def _followed(self, folder: str, name: str) -> list[str]:
        """Return the folders that a .pth file adds by plain lines; lines with code are never run (CPython, site.py)."""
        try:
            text = read_head(os.path.join(folder, name))
        except OSError:
            self.complete = False
            return []
        lines = text.decode("utf-8-sig", "surrogateescape").splitlines()
        code = [line for line in lines if line.startswith(("import ", "import\t"))]
        if len(text) >= MAX_BYTES or (
            code and not name.startswith(_HARMLESS_PTH) and not name.endswith(_HARMLESS_PTH_END)
        ):
            self.complete = False
        plain = (line.strip() for line in lines if line not in code and not line.startswith("#"))
        paths = (os.path.join(folder, line) for line in plain if line)
        return [path for path in paths if os.path.isdir(path)]


def parse_entry_points(text: str) -> Iterator[str]:
    """Yield the values of the `GROUP` section of an entry_points.txt (PyPA's entry points specification)."""
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif section == GROUP and line and line[0] not in "#;":
            value = line.partition("=")[2].strip()
            names = value.partition("[")[0].split(":", 1)
            if all(name.strip().replace(".", "_").isidentifier() for name in names):
                yield value
