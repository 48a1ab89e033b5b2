"""What an environment holds, by its files: no interpreter is started."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator

from .. import here
from ..hints import normalised
from . import trust
from .tool import Content, Kind, Provider, Reason

_GROUP = "keyring.backends"  # keyring 25.7.0, backend.py
#: keyring's own backends with a module that keyring does not depend on, or not everywhere (keyring 25.7.0,
#: backends/kwallet.py, libsecret.py, SecretService.py; pyproject.toml).
OPTIONAL = {
    "keyring.backends.kwallet": "dbus",
    "keyring.backends.libsecret": "gi",
    "keyring.backends.SecretService": "secretstorage",
}

_MAX_BYTES = 16 << 10
_MAX_MODULES = 1000
#: What code in .pth files has in it that brings no distribution, or one whose metadata lie beside it.
_HARMLESS_CODE = (
    "SETUPTOOLS_USE_DISTUTILS",  # setuptools, distutils-precedence.pth (setup.py, 80.9)
    "import _virtualenv",  # virtualenv (create/via_global_ref/_virtualenv.py, 20.35)
    "coverage.process_startup(",  # coverage (pth_file.py, 7.13) and its documentation
    "COV_CORE_",  # pytest-cov (src/pytest-cov.embed, 6.0)
    "import pywin32_bootstrap",
    ".f_locals['sitedir'], *(",  # setuptools' namespace packages (namespaces.py): matplotlib's, Google's
    "_editable",  # PEP 660: setuptools, scikit-build-core, meson-python
    "certifi.where()",  # what adds a company's certificates to certifi's
)
_PATH_CODE = ("addsitedir", "sys.path")


class Budget:
    """What may be looked at before the answer is "not known": folders, files and bytes, by what they cost."""

    def __init__(self, microseconds: int = 20000) -> None:
        """Grant so much, on a machine of 2026."""
        self.left = microseconds


#: What is spent, in microseconds: for a folder with packages, whose whole path has to be trusted, for another one, for
#: a name in one, for a file, for a line of a .pth file, for eight bytes of entry points.
_SITE, _FOLDER, _NAME, _FILE, _LINE = 200, 20, 1, 10, 8


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
    """Return the first bytes of a file, `limit` at the most; what is raised is that of `here.read_head`."""
    return here.read_head(path, limit)


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


def modules(folders: Iterable[str]) -> list[str]:
    """Return what is in those of some folders that are a standard library: all that is imported at a start."""
    found = []
    for folder in folders:
        if os.path.isfile(os.path.join(folder, "os.py")):
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                found += [entry.path for entry in itertools.islice(entries, _MAX_MODULES)]
    return found


def read(folders: Iterable[str], budget: Budget) -> Content:
    """Return what site-packages folders hold, and those that their .pth files add. Never raises.

    Args:
        folders: The folders.
        budget: What may be looked at; several can share it.
    """
    scan = _Scan(budget)
    unreadable = scan.add(folders, follow=True)
    files = scan.files()
    content = scan.content()
    complete = content.complete and not unreadable
    return content._replace(complete=complete, unreadable=None if content.folders else unreadable, files=files)


def read_path(folders: Iterable[str]) -> Content:
    """Return what the folders of ``sys.path`` hold. Never raises."""
    scan = _Scan(Budget())
    scan.add(folders, follow=False)  # zip files cannot be listed
    return scan.content()


class _Scan:
    """Gathers what several folders hold."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._keyring = ""
        self._providers: dict[Provider, None] = {}
        self._names: dict[str, list[str]] = {}
        self._seen: set[tuple[int, int] | None] = set()
        self._pth_files: list[str] = []
        self._complete = True
        self._cut: str | None = None

    def content(self) -> Content:
        """Return what was found, but for the files."""
        optional = frozenset(OPTIONAL.values()).intersection(itertools.chain(*self._names.values()))
        found = Content(self._keyring, tuple(self._providers), optional, self._complete)
        return found._replace(folders=tuple(self._names), cut=self._cut)

    def add(self, folders: Iterable[str], *, follow: bool) -> Reason | None:
        """Add folders and, if wanted, those in their .pth files; return why one of them cannot be listed, or None."""
        reason = None
        todo = [(folder, follow) for folder in folders]
        for folder, has_pth in todo:  # which grows meanwhile
            if (one := trust.identity(folder)) in self._seen and one:
                continue
            self._seen.add(one)
            if not self._spend(_SITE, folder):
                break
            try:
                names = self._names[folder] = [entry.name for entry in self._list(folder)]
            except OSError as error:
                reason = reason or Reason(Kind.UNREADABLE, folder, str(error.strerror))
                continue
            for name in itertools.takewhile(lambda _: self._budget.left > 0, names):
                if name.endswith((".dist-info", ".egg-info")) and name[0] != "~":  # pip's leftovers
                    self._add_distribution(f"{folder}{os.sep}{name}{os.sep}entry_points.txt", name)
                elif name.endswith((".egg", ".egg-link")):  # what has its metadata elsewhere, or in an archive
                    self._complete = False
                elif has_pth and name.endswith(".pth"):
                    self._pth_files.append(os.path.join(folder, name))
                    todo += self._linked(self._pth_files[-1])
        return reason

    def files(self) -> tuple[str, ...]:
        """Return the .pth files, and the packages of keyring and the providers with all that is in them."""
        found = [*self._pth_files]
        tops = {"keyring", "sitecustomize", "usercustomize"}
        tops.update(provider.module.partition(".")[0] for provider in self._providers)
        for folder, names in self._names.items():
            found += (os.path.join(folder, name) for name in names if name.partition(".")[0] in tops)
        todo = list(filter(os.path.isdir, found))
        for folder in itertools.takewhile(lambda _: self._budget.left > 0, todo):  # which grows meanwhile
            with contextlib.suppress(OSError):  # what cannot be listed cannot be imported
                for entry in self._list(folder):
                    found.append(entry.path)
                    todo += [entry.path] if entry.is_dir() else ()
        return tuple(found)

    def _list(self, folder: str) -> list[os.DirEntry[str]]:
        """Return what is in a folder.

        Raises:
            OSError: It cannot be listed.
        """
        with os.scandir(folder) as entries:
            found = list(itertools.islice(entries, max(self._budget.left, 0) // _NAME))
        self._spend(_FOLDER + len(found) * _NAME, folder)
        return found

    def _spend(self, microseconds: int, path: str) -> bool:
        """Tell whether there is so much left in the budget for a path, and take it off."""
        self._budget.left -= microseconds
        if self._budget.left <= 0:
            self._stop(path)
        return self._budget.left > 0

    def _stop(self, path: str | None) -> None:
        """Note that more is there than may be looked at, and what of it decides what is run."""
        self._complete = False
        self._cut = self._cut or path

    def _linked(self, path: str) -> Iterator[tuple[str, bool]]:
        """Yield the folders that a .pth file adds, and whether their own count too (CPython, site.py, addpackage)."""
        for line in text(self._read(path)).splitlines():
            if not self._spend(_LINE, path):
                break
            named, whole = line.rstrip(), False
            if line.startswith(("import ", "import\t")):
                named, whole = _added(line), True
                harmless = any(mark in line for mark in _HARMLESS_CODE) and not any(mark in line for mark in _PATH_CODE)
                self._complete = self._complete and (harmless or bool(named))
            if named and not named.startswith("#"):
                linked = os.path.join(os.path.dirname(path), named)
                if os.path.isdir(linked):
                    yield linked, whole
                elif os.path.isfile(linked):  # an archive: an egg
                    self._complete = False
                    self._pth_files.append(linked)

    def _add_distribution(self, entry_points: str, folder: str) -> None:
        stem, _, version = folder.rpartition(".")[0].partition("-")
        version = version.partition("-py")[0]
        name = normalised(stem) if stem[:7].lower() == "keyring" else ""
        if name == "keyring":
            self._keyring = self._keyring or version or "?"
        elif name != "keyring-fallback" and _GROUP.encode() in (data := self._read(entry_points, decides=False)):
            name = normalised(stem)
            self._spend(len(data) // 8, entry_points)
            for section, _, value in options(data.decode("utf-8", "replace")):
                names = value.partition("[")[0].split(":", 1)
                if section == _GROUP and all(one.strip().replace(".", "_").isidentifier() for one in names):
                    self._providers[Provider(name, version, value)] = None

    def _read(self, path: str, *, decides: bool = True) -> bytes:
        """Return what a file holds, if there is one; whether it decides what is run."""
        if not self._spend(_FILE, path):
            return b""
        try:
            data = read_head(path)
        except (FileNotFoundError, NotADirectoryError):
            return b""
        except OSError:
            self._complete = False
            return b""
        if len(data) >= _MAX_BYTES:
            self._stop(path if decides else None)
        return data


def _added(code: str) -> str:
    """Return the folder that a line ``import site; site.addsitedir('...')`` names, or "" if it is none."""
    before, _, rest = code.partition("site.addsitedir(")
    named, _, after = rest[1:].partition(rest[:1] or " ")
    plain = rest[:1] in ("'", '"') and "\\" not in named
    return named if plain and before.replace(" ", "") == "importsite;" and after.strip() in (")", ");") else ""
