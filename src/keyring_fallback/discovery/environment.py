"""What an environment holds, by its files: no interpreter is started."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from ..hints import normalised
from ..records import Record

_GROUP = "keyring.backends"  # keyring 25.7.0, backend.py
#: keyring's own backends with a module that keyring does not depend on, or not everywhere (keyring 25.7.0,
#: backends/kwallet.py, libsecret.py, SecretService.py; pyproject.toml).
OPTIONAL = {
    "keyring.backends.kwallet": "dbus",
    "keyring.backends.libsecret": "gi",
    "keyring.backends.SecretService": "secretstorage",
}

#: What is looked at, at the most: if there is more, something may be missing.
_MAX_BYTES, _MAX_FOLDERS = 16 << 10, 100
#: In the names of .pth files whose code adds no folder: setuptools', virtualenv's, coverage's, pywin32's, old namespace
#: packages', and those of editable installs (PEP 660), which have a dist-info too.
_HARMLESS_PTH = ("distutils-precedence.", "_virtualenv.", "a1_coverage.", "pywin32.", "-nspkg.", "__editable__")


class Provider(Record):
    """A distribution's entry point for keyring; the value is as in ``package.module:Class``."""

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
        keyring: The version of keyring, or "".
        providers: The entry points of others than keyring and this project.
        optional: The modules of `OPTIONAL`'s values that are there.
        complete: Whether that is all; files do not tell everything.
        shares: Whether the base interpreter's packages and the user's are seen too.
        unreadable: Why nothing can be said, or "".
        folders: The site-packages folders, and those that their .pth files add.
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


def read_head(path: str, limit: int = _MAX_BYTES) -> bytes:
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


def text(data: bytes) -> str:
    """Return what a file holds that may begin with a BOM; the codec for that would have to be loaded."""
    return data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


def options(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield section, name and value of each line ``name = value`` of an INI file."""
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif "=" in line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield section, name.strip(), value.strip()


def settings_of(root: str) -> dict[str, str]:
    """Return the keys of an environment's pyvenv.cfg, in lower case, with their values (CPython, Lib/site.py)."""
    try:
        data = read_head(os.path.join(root, "pyvenv.cfg"))
    except OSError:
        return {}
    return {name.lower(): value for _, name, value in options(data.decode("utf-8", "replace"))}


def site_folders(root: str, platform: str) -> list[str]:
    """Return the site-packages folders (CPython's and PyPy's site.py), or the folder that hides them."""
    folder = os.path.join(root, "Lib", "site-packages")
    if platform == "win32" and os.path.isdir(folder):
        return [folder]
    library = os.path.join(root, "lib")
    try:
        names = sorted(os.listdir(library))
    except OSError:
        return [library]
    folders = (os.path.join(library, name, "site-packages") for name in names if name.startswith(("python", "pypy")))
    return list(filter(os.path.isdir, folders))


def read(root: str, platform: str) -> Content:
    """Return what an environment holds, and the folders in its .pth files. Never raises."""
    scan = _Scan()
    folders = site_folders(root, platform)
    unreadable = scan.add(folders)
    linked = list(dict.fromkeys(scan.linked()))
    shares = settings_of(root).get("include-system-site-packages", "").lower() == "true"
    doubts = scan.add(linked[:_MAX_FOLDERS]) or linked[_MAX_FOLDERS:] or unreadable or shares or not scan.complete
    content = scan.content()
    return content._replace(complete=not doubts, shares=shares, unreadable=unreadable, folders=(*folders, *linked))


def read_path(folders: Iterable[str]) -> Content:
    """Return what the folders of ``sys.path`` hold. Never raises."""
    scan = _Scan()
    scan.add(dict.fromkeys(folders))  # zip files cannot be listed
    return scan.content()


class _Scan:
    """Gathers what several folders hold."""

    def __init__(self) -> None:
        self._keyring = ""
        self._providers: dict[Provider, None] = {}
        self._optional: set[str] = set()
        self.complete = True
        self._pth_files: list[str] = []

    def content(self) -> Content:
        return Content(self._keyring, tuple(self._providers), frozenset(self._optional), self.complete)

    def add(self, folders: Iterable[str]) -> str:
        """Add folders; return why one of them cannot be listed, or ""."""
        reason = ""
        for folder in folders:
            try:
                names = os.listdir(folder)
            except OSError as error:
                reason = f"{folder} cannot be read ({error.strerror})"
                continue
            self._optional.update(set(OPTIONAL.values()).intersection(names))
            for name in names:
                stem, suffix = os.path.splitext(name)
                if suffix in (".dist-info", ".egg-info") and name[0] != "~":  # pip's leftovers
                    self._add_distribution(os.path.join(folder, name), stem)
                elif suffix == ".pth":
                    self._pth_files.append(os.path.join(folder, name))
                elif suffix == ".egg-link":
                    self.complete = False
        return reason

    def linked(self) -> Iterator[str]:
        """Yield the folders that .pth files add by plain lines; code is never run (CPython, site.py)."""
        for path in self._pth_files:
            folder, name = os.path.split(path)
            harmless = any(part in name for part in _HARMLESS_PTH)
            for line in text(self._read(path)).splitlines():
                if line.startswith(("import ", "import\t")):
                    self.complete = self.complete and harmless
                elif line.strip() and not line.startswith("#"):
                    linked = os.path.join(folder, line.strip())
                    if os.path.isdir(linked):
                        yield linked

    def _add_distribution(self, path: str, stem: str) -> None:
        name, _, version = stem.partition("-")
        name, version = normalised(name), version.partition("-py")[0]
        if name == "keyring":
            self._keyring = self._keyring or version or "?"
        elif name != "keyring-fallback":
            data = self._read(os.path.join(path, "entry_points.txt"))
            for section, _, value in options(data.decode("utf-8", "replace")):
                names = value.partition("[")[0].split(":", 1)
                if section == _GROUP and all(one.strip().replace(".", "_").isidentifier() for one in names):
                    self._providers[Provider(name, version, value)] = None

    def _read(self, path: str) -> bytes:
        """Return what a file holds, if there is one."""
        try:
            data = read_head(path)
        except (FileNotFoundError, NotADirectoryError):
            return b""
        except OSError:
            self.complete = False
            return b""
        self.complete = self.complete and len(data) < _MAX_BYTES
        return data
