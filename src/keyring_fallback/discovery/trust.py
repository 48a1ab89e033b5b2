"""Whether a file that was found may be run: who can have put it there, or can change it."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
from collections.abc import Iterable, Iterator

from ..here import Here
from ..records import Record
from . import acl
from .tool import Kind, Reason

#: Files and folders that mark a project's root: version control, what tools and version managers look for. No others'
#: that lie in the folder above one's projects, too: an editor's, a Makefile.
_MARKS = {
    *(".git", ".hg", ".svn", ".jj", "pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "tox.ini", "noxfile.py"),
    *("uv.toml", "uv.lock", "poetry.lock", "pdm.lock", "pixi.toml", "environment.yml", "manage.py", ".envrc"),
    *("mise.toml", ".mise.toml", ".tool-versions", ".python-version", "package.json", "Cargo.toml", "go.mod"),
}
_REQUIREMENTS = "requirements"  # requirements.txt, requirements-dev.txt, requirements/
_MAX_NAMES = 1000
#: What uv and pipx leave in the environment of a tool, and conda in all: what holds it need be no project.
_NO_PROJECTS_MARKS = ("uv-receipt.toml", "pipx_metadata.json", "conda-meta")
#: What the environment of a project is called.
_OF_PROJECTS = (".venv", "venv", ".env", "env")
_CACHE_MARK = "CACHEDIR.TAG"  # bford.info/cachedir
_MAX_LINKS = 40
#: The group of every user of macOS; its administrators' (80) may change what they like anyhow.
_STAFF = 20
#: What only administrators can write on Windows, and what the user's own programs are put into.
_WINDOWS_FOLDERS = ("ProgramFiles", "ProgramFiles(x86)", "ProgramW6432", "SystemRoot", "APPDATA", "LOCALAPPDATA")
#: Variables that say where an interpreter that is not isolated gets code from.
_IMPORTING = ("PYTHONUSERBASE", "PYTHONPYCACHEPREFIX")


def identity(path: str) -> tuple[int, int] | None:
    """Return what tells a file from all others, by any name, or None if there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def folders_above(path: str) -> list[str]:
    """Return the folder of a path, the one above it, and so on to the root."""
    found = [path, os.path.dirname(path)]
    while found[-1] != found[-2]:
        found.append(os.path.dirname(found[-1]))
    return found[1:-1]


def upwards(folder: str) -> list[str]:
    """Return a folder and all above it; none where there is none ("")."""
    return [folder, *folders_above(folder)] if folder else []


def _identities(path: str) -> set[tuple[int, int] | None]:
    """Return the identities of a path and of all folders above it."""
    return set(map(identity, upwards(path))) - {None}


def _is_marked(folder: str) -> bool:
    """Tell whether a folder has a project's marks; of a large one not all names are looked at."""
    names: list[str] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        names += [one.name for one in itertools.islice(entries, _MAX_NAMES)]
    if not _MARKS.isdisjoint(names) or any(name.startswith(_REQUIREMENTS) for name in names):
        return True
    whole = 0 < len(names) < _MAX_NAMES
    return not whole and any(os.path.lexists(os.path.join(folder, mark)) for mark in _MARKS)


def project_root(folder: str, home: str) -> str:
    """Return the outermost folder at or above with a project's marks, "" at the home folder and above."""
    beyond = _identities(home) if home else ()
    found = ""
    for one in upwards(folder):
        if identity(one) in beyond or os.path.dirname(one) == one:
            break
        found = one if _is_marked(one) else found
    return found


def is_cached(root: str) -> bool:
    """Tell whether an environment will not last: it lies in a cache, as those of ``uvx``."""
    # uv marks each environment too: the root's own mark says nothing
    return any(os.path.isfile(os.path.join(folder, _CACHE_MARK)) for folder in folders_above(root))


class _Way(Record):
    """How a path is followed."""

    real: str  #: Where it leads to.
    #: Each link on the way, in the folder that really holds it, and `real`: each decides where it leads to.
    hops: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()  #: Those of them that are the last part of their path.
    owned: Reason | None = None  #: Why another user can change it: a folder or a link on the way, or None.
    opened: Reason | None = None  #: Why everybody can, or None.


class Trust:
    """Who can have put files there, or can change them; what it has looked at it does not look at again."""

    def __init__(self, here: Here) -> None:
        self._here = here
        self._owners = {0, here.uid, *here.owners}
        # of darwin's groups only one is everybody's
        self._loose = {"win32": 0, "darwin": stat.S_IWOTH | stat.S_IWGRP}.get(here.platform, stat.S_IWOTH)
        self._ways: dict[str, _Way] = {}
        self.libraries: dict[str, list[str]] = {}  #: What of each standard library has to be asked about.
        self._status: dict[str, os.stat_result | OSError] = {}
        self._found_projects: list[tuple[Kind, str, tuple[int, int], tuple[int, int] | None]] | None = None
        # a copy of os.environ has upper-case names only
        values = (here.environ.get(one) or here.environ.get(one.upper(), "") for one in _WINDOWS_FOLDERS)
        windows = (here.home, here.prefix, here.base, *values) if here.platform == "win32" else ()
        self._allowed = {identity(folder) for folder in windows if folder} - {None}

    def project(self, path: str) -> Reason | None:
        """Return why an absolute path may have come with a project, or None.

        A working directory at or above the home folder says nothing of what is in that, unless it lies in a project.
        """
        if self._found_projects is None:
            self._found_projects = list(self._projects())
        ways = [_identities(hop) for hop in self._way(path).hops] if self._found_projects else ()
        for kind, folder, root, harmless in self._found_projects:
            if any(root in way and harmless not in way for way in ways):
                return Reason(kind, folder)
        return None

    def others(self, paths: Iterable[str]) -> tuple[Reason | None, Reason | None]:
        """Return why others can change one of the paths, by owner and by mode, or None and None.

        Trusted are the user, root, and the owners of this Python, this environment and this package, whose code runs in
        this process anyhow. All on the way to a path must belong to them and be closed to the world, or sticky, as /tmp
        is; the path itself, and the folder of a file, must be closed. Group-writable is the rule on many systems. What
        cannot be looked at counts as somebody else's. On Windows, whose lists of rights nobody reads without a process,
        the place decides: the user's profile, the system's program folders, this environment and its Python.
        """
        owned = opened = None
        for path in paths if self._here.uid >= 0 or self._here.platform == "win32" else ():
            way = self._way(path)
            if self._here.platform == "win32":
                outside = (one for one in way.hops if self._allowed.isdisjoint(_identities(one)))
                opened = opened or next((Reason(Kind.OUTSIDE, one) for one in outside), None)
                continue
            strict = [way.real]
            status = self._look(way.real)
            if not (isinstance(status, os.stat_result) and stat.S_ISDIR(status.st_mode)):
                strict += map(os.path.dirname, way.ends)
            found = [(way.owned, way.opened), *(self._judged(one, strict=True) for one in strict)]
            owned = owned or next(filter(None, (one for one, _ in found)), None)
            opened = opened or next(filter(None, (one for _, one in found)), None)
        return owned, opened

    def suspects(self, entries: Iterable[os.DirEntry[str]]) -> list[str]:
        """Return which of a trusted folder's files and folders have to be asked about by themselves."""
        found, loose, owners = [], self._loose, self._owners  # locals, for hundreds of files at each start
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # gone meanwhile
            mode = status.st_mode
            is_odd = mode & loose or status.st_uid not in owners or entry.is_symlink()
            if is_odd or (mode & stat.S_IWGRP and not owners.issuperset(acl.writers(entry.path))):
                found.append(entry.path)
        return found

    def _look(self, path: str) -> os.stat_result | OSError:
        if path not in self._status:
            try:
                self._status[path] = os.lstat(path)
            except (OSError, ValueError) as error:
                self._status[path] = error if isinstance(error, OSError) else OSError(errno.EINVAL, str(error))
        return self._status[path]

    def _judged(self, path: str, *, strict: bool = False) -> tuple[Reason | None, Reason | None]:
        """Return why others can change a folder, a file or a link, by owner and by mode, or None and None."""
        status = self._look(path)
        if isinstance(status, OSError):
            return Reason(Kind.UNSEEN_PART, path, str(status.strerror)), None
        mode = status.st_mode
        group = self._here.platform == "darwin" and status.st_gid == _STAFF and mode & stat.S_IWGRP
        opened = Kind.OPEN if mode & stat.S_IWOTH or group else None
        if mode & stat.S_IWGRP and not self._owners.issuperset(acl.writers(path)):
            opened = opened or Kind.SHARED
        owned = status.st_uid not in self._owners
        closed = stat.S_ISLNK(mode) or (mode & stat.S_ISVTX and not strict)
        return Reason(Kind.OWNED, path) if owned else None, Reason(opened, path) if opened and not closed else None

    def _way(self, path: str) -> _Way:
        """Return how an absolute path is followed, part by part."""
        if path in self._ways:
            return self._ways[path]
        if os.name == "nt":
            real = os.path.realpath(path)
            return self._ways.setdefault(path, _Way(real, (path, real), (path, real)))
        folder, name = os.path.split(path)
        way = self._ways.get(folder) if name else None
        pending = [name] if way else path.split(os.sep)[::-1]
        real, hops, ends, owned, opened = way or _Way(os.sep, (), (), *self._judged(os.sep))
        hops, ends, left = hops[:-1], (), _MAX_LINKS
        while pending:
            name = pending.pop()
            if name in ("", ".", ".."):
                real = os.path.dirname(real) if name == ".." else real
                continue
            one = os.path.join(real, name)
            status = self._look(one)
            if ends and isinstance(status, OSError) and status.errno == errno.ENOENT:
                break  # a link to nothing: who can write the folder that is left decides what it leads to
            others, open_to_all = self._judged(one)
            owned, opened = owned or others, opened or open_to_all
            if isinstance(status, OSError):
                real, pending = os.path.join(one, *pending[::-1]), []
            elif not stat.S_ISLNK(status.st_mode):
                real = one
            else:
                hops = (*hops, one)
                ends = ends if pending else (*ends, one)
                left -= 1
                target = ""
                with contextlib.suppress(OSError):  # gone meanwhile
                    target = os.readlink(one) if left else ""
                if not target:
                    owned, real = owned or Reason(Kind.UNSEEN_PART, one, os.strerror(errno.ELOOP)), one
                    break
                real = os.sep if os.path.isabs(target) else real
                pending += target.split(os.sep)[::-1]
        return self._ways.setdefault(path, _Way(real, (*hops, real), (*ends, real), owned, opened))

    def _projects(self) -> Iterator[tuple[Kind, str, tuple[int, int], tuple[int, int] | None]]:
        """Yield the folders that a project's files are in: what is said of them, their identity, and what is not."""
        here = self._here
        prefix = here.prefix if here.virtual or os.path.isdir(f"{here.prefix}{os.sep}conda-meta") else ""
        holder = os.path.dirname(prefix)
        home = here.home
        outer = {identity(project_root(folder, "")) for folder in (here.cwd, holder) if folder} - {None}
        if home and not outer.isdisjoint(_identities(os.path.dirname(home))):
            home = ""  # that is the project's
        above = _identities(home) if home else set()
        of_prefix = (prefix and project_root(holder, home)) or self._holder(prefix, holder, above)
        for folder, kind in (
            (here.cwd, Kind.IN_WORKING_DIRECTORY),
            (here.cwd and project_root(here.cwd, home), Kind.IN_PROJECT),
            (of_prefix, Kind.IN_PROJECT_OF_ENVIRONMENT),
        ):
            root = identity(folder) if folder and os.path.dirname(folder) != folder else None
            if root:
                yield kind, folder, root, identity(home) if root in above else None

    @staticmethod
    def _holder(prefix: str, holder: str, above: set[tuple[int, int] | None]) -> str:
        """Return the folder that holds this environment if it can be a project, or ""."""
        top = os.path.dirname(os.path.dirname(holder)) == os.path.dirname(holder)  # /opt holds many things
        several = any(os.path.lexists(os.path.join(prefix, mark)) for mark in _NO_PROJECTS_MARKS)
        common = identity(holder) in above or (top and not os.path.basename(prefix).startswith("."))
        if not prefix or several or common:
            return ""
        if os.path.basename(prefix) not in _OF_PROJECTS:  # as virtualenvwrapper's, beside others
            with contextlib.suppress(OSError), os.scandir(holder) as entries:
                beside = (one.path for one in itertools.islice(entries, _MAX_NAMES) if one.path != prefix)
                if any(os.path.isfile(os.path.join(one, "pyvenv.cfg")) for one in beside):
                    return ""
        return holder


def foreign_variables(here: Here, trust: Trust) -> list[str]:
    """Return the variables that would let a project, or the working directory, decide what an interpreter imports."""
    values = [(name, value) for name in _IMPORTING if (value := here.environ.get(name))]
    return [name for name, value in values if not os.path.isabs(value) or trust.project(value)]


def recheck(paths: Iterable[str], here: Here, *, named: bool) -> Reason | None:
    """Return why what is about to be started, with what decides it, may be others' by now, or None.

    Of what the user has named it is not asked who can change it, but whose it is.
    """
    owned, opened = Trust(here).others(paths)
    return owned or (None if named else opened)
