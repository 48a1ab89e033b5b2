"""What an environment holds, by its files: no interpreter is started."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
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

_MAX_MODULES = 1000
#: The folders of a standard library that are imported from at each start, or by keyring and what it depends on.
_IMPORTED = ("collections", "email", "encodings", "http", "importlib", "json", "lib-dynload", "logging", "re", "urllib")
#: What keyring depends on wherever it runs, by what is imported (25.7.0, pyproject.toml), and the modules' bytecode.
_BESIDES = {"__pycache__", "backports", "importlib_metadata", "jaraco", "more_itertools", "zipp"}
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
_ADDED = re.compile(r"import +site *; *site\.addsitedir\((['\"])((?:(?!\1)[^\\])*)\1\s*\);?\s*")


class Budget:
    """What may be looked at before the answer is "not known": folders, files and bytes, by what they cost."""

    left = 20000  #: Microseconds, on a machine of 2026.


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


def decoded(data: bytes) -> str:
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
        data = here.read_head(os.path.join(root, "pyvenv.cfg"))
    except OSError:
        return {}
    return {name.lower(): value for _, name, value in options(data.decode("utf-8", "replace"))}


def is_library(folder: str) -> bool:
    """Tell whether a folder is a standard library, by what CPython knows it by (3.11, Modules/getpath.py)."""
    return any(os.path.isfile(os.path.join(folder, name)) for name in ("os.py", "os.pyc"))


def modules(folders: Iterable[str], judge: trust.Trust) -> list[str]:
    """Return what of a standard library that is among some folders has to be asked about: what a start imports."""
    libraries = [*filter(is_library, folders)]
    for library in (one for one in libraries if one not in judge.libraries):  # tools often have one Python
        above, name = os.path.split(library)
        beside = (f"lib{name}.so.1.0", f"lib{name}.dylib", f"{name.replace('.', '')}.zip")  # loaded before all others
        found = [*filter(os.path.lexists, (os.path.join(above, one) for one in beside))]
        for folder in (os.path.join(one, below) for one in ("", *_IMPORTED) for below in ("", "__pycache__")):
            with contextlib.suppress(OSError), os.scandir(os.path.join(library, folder)) as entries:
                # no tool of ours runs with -O
                used = (entry for entry in entries if ".opt-" not in entry.name)
                found += judge.suspects(itertools.islice(used, _MAX_MODULES))
        judge.libraries[library] = found
    return [one for library in libraries for one in judge.libraries[library]]


def read(folders: Iterable[str], budget: Budget, judge: trust.Trust | None = None) -> Content:
    """Return what site-packages folders hold, and those that their .pth files add. Never raises.

    Several can share a budget. `judge` says which files have to be asked about.
    """
    scan = _Scan(budget, judge)
    unreadable = scan.add(folders, follow=True)
    files = scan.files() if judge else ()
    content = scan.content()
    complete = content.complete and not unreadable
    return content._replace(complete=complete, unreadable=None if content.folders else unreadable, files=files)


def read_path(folders: Iterable[str]) -> Content:
    """Return what the folders of ``sys.path`` hold. Never raises."""
    scan = _Scan(Budget())
    scan.add(folders, follow=False)  # zip files cannot be listed
    return scan.content()


class _Scan:
    def __init__(self, budget: Budget, judge: trust.Trust | None = None) -> None:
        self._budget = budget
        self._judge = judge
        self._keyring = ""
        self._providers: dict[Provider, None] = {}
        self._names: dict[str, list[str]] = {}
        self._seen: set[tuple[int, int] | None] = set()
        self._suspects: list[str] = []
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
                    todo += self._add_distribution(f"{folder}{os.sep}{name}{os.sep}entry_points.txt", name)
                elif name.endswith((".egg", ".egg-link")):  # what has its metadata elsewhere, or in an archive
                    self._complete = False
                elif has_pth and name.endswith(".pth"):
                    todo += self._linked(os.path.join(folder, name))
        return reason

    def files(self) -> tuple[str, ...]:
        """Return what has to be asked about in the folders, and in the packages of keyring and the providers."""
        tops = {"keyring", *_BESIDES, *(provider.module.partition(".")[0] for provider in self._providers)}
        packages = (os.path.join(one, name) for one, names in self._names.items() for name in tops.intersection(names))
        todo = list(filter(os.path.isdir, packages))
        for folder in itertools.takewhile(lambda _: self._budget.left > 0, todo):  # which grows meanwhile
            with contextlib.suppress(OSError):  # what cannot be listed cannot be imported
                todo += [entry.path for entry in self._list(folder) if entry.is_dir()]
        return tuple(self._suspects)

    def _list(self, folder: str) -> list[os.DirEntry[str]]:
        """Return what is in a folder; OSError: it cannot be listed."""
        with os.scandir(folder) as entries:
            found = list(itertools.islice(entries, max(self._budget.left, 0) // _NAME))
        self._spend(_FOLDER + len(found) * _NAME, folder)
        self._suspects += self._judge.suspects(found) if self._judge else ()
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
        for line in decoded(self._read(path)).splitlines():
            if not self._spend(_LINE, path):
                break
            named, whole = line.rstrip(), False
            if line.startswith(("import ", "import\t")):
                added = _ADDED.fullmatch(line)
                named, whole = added[2] if added else "", True
                harmless = any(mark in line for mark in _HARMLESS_CODE) and not any(mark in line for mark in _PATH_CODE)
                self._complete = self._complete and (harmless or bool(named))
                if "_editable" in line:
                    yield from self._mapped(os.path.join(os.path.dirname(path), line.split()[1].rstrip(";") + ".py"))
            if named and not named.startswith("#"):
                linked = os.path.join(os.path.dirname(path), named)
                if os.path.isdir(linked):
                    yield linked, whole
                elif os.path.isfile(linked):  # an archive: an egg
                    self._complete = False
                    self._suspects.append(linked)
                elif self._spend(_FOLDER, path):  # whoever can make it
                    self._suspects += itertools.islice(filter(os.path.isdir, trust.folders_above(linked)), 1)

    def _mapped(self, path: str) -> Iterator[tuple[str, bool]]:
        """Yield the folders of what an editable distribution's finder maps (setuptools 80.9, editable_wheel.py)."""
        text = decoded(self._read(path, decides=False))
        for one in (text.split("'") if "MAPPING" in text else ())[1::2]:
            folder = os.path.dirname(one.replace("\\\\", "\\"))
            if os.path.isabs(folder) and os.path.isdir(folder):
                yield folder, False

    def _add_distribution(self, entry_points: str, folder: str) -> list[tuple[str, bool]]:
        """Add what a folder with metadata tells; return where a provider is if it is elsewhere."""
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
            return self._sources(os.path.dirname(entry_points))
        return []

    def _sources(self, metadata: str) -> list[tuple[str, bool]]:
        """Return where a distribution is that is installed as editable (PEP 610): a finder of its own may import it."""
        data = self._read(os.path.join(metadata, "direct_url.json"), decides=False)
        if b"editable" not in data:
            return []
        import json
        from urllib.parse import unquote

        with contextlib.suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
            told = json.loads(data)
            root = unquote(told["url"].partition("file://")[2]) if told["dir_info"]["editable"] is True else ""
            root = root[1:] if root[2:3] == ":" else root  # file:///C:/
            folders = (root, os.path.join(root, "src")) if os.path.isabs(root) else ()
            return [(one, False) for one in filter(os.path.isdir, folders)]
        return []

    def _read(self, path: str, *, decides: bool = True) -> bytes:
        """Return what a file holds, if there is one; whether it decides what is run."""
        if not self._spend(_FILE, path):
            return b""
        try:
            data = here.read_head(path)
        except OSError as error:
            self._complete = self._complete and isinstance(error, (FileNotFoundError, NotADirectoryError))
            return b""
        if len(data) >= here.HEAD_BYTES:
            self._stop(path if decides else None)
        return data
