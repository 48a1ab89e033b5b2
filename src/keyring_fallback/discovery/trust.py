"""Whether a file that was found may be run: who can have put it there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from .tool import Kind, Reason

#: Files and folders that mark a project's root.
_MARKS = (".git", "pyproject.toml", "setup.py")
_CACHE_MARK = "CACHEDIR.TAG"  # bford.info/cachedir
_MAX_LINKS = 40


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


def _identities(path: str) -> set[tuple[int, int] | None]:
    """Return the identities of a path and of all folders above it."""
    return set(map(identity, (path, *folders_above(path)))) - {None}


def _steps(path: str) -> list[str]:
    """Return a path and where it leads to, link by link: each decides what is run."""
    found = [path]
    try:
        while os.path.islink(found[-1]) and len(found) < _MAX_LINKS:
            found.append(os.path.join(os.path.dirname(found[-1]), os.readlink(found[-1])))
    except OSError:
        pass  # gone meanwhile
    if os.path.exists(path):  # realpath follows any number of links, until a RecursionError (CPython 3.11)
        found.append(os.path.realpath(path))
    return list(dict.fromkeys(found))


def project_root(folder: str, home: str) -> str:
    """Return the nearest folder at or above with a project's marks, "" at the home folder and above."""
    beyond = _identities(home) if home else ()
    for one in (folder, *folders_above(folder)):
        if identity(one) in beyond:
            break
        if any(os.path.exists(os.path.join(one, mark)) for mark in _MARKS):
            return one
    return ""


def project_reason(path: str, cwd: str, prefix: str, home: str) -> Reason | None:
    """Return why a path may have come with a project, or None.

    A working directory at or above the home folder says nothing about what is in the home folder.

    Args:
        path: An absolute path.
        cwd: The working directory, or "".
        prefix: The root of this environment if it is a virtual one, or "".
        home: The user's home folder, or "".
    """
    ways = [_identities(step) for step in _steps(path)]
    for folder, kind in (
        (cwd, Kind.IN_WORKING_DIRECTORY),
        (cwd and project_root(cwd, home), Kind.IN_PROJECT),
        (prefix and project_root(os.path.dirname(prefix), home), Kind.IN_PROJECT_OF_ENVIRONMENT),
    ):
        root = identity(folder) if folder and os.path.dirname(folder) != folder else None
        harmless = identity(home) if home and root in _identities(home) else None
        if root and any(root in way and harmless not in way for way in ways):
            return Reason(kind, folder)
    return None


def is_cached(root: str) -> bool:
    """Tell whether an environment will not last: it lies in a cache, as those of ``uvx``."""
    # uv marks each environment too: the root's own mark says nothing
    return any(os.path.isfile(os.path.join(folder, _CACHE_MARK)) for folder in folders_above(root))


def permission_reasons(paths: Iterable[str], uid: int) -> tuple[Reason | None, Reason | None]:
    """Return why others than the user and root can have written one of the paths, by owner and by mode, or None, None.

    A path, what it leads to and the folder of a file must belong to the user or root and be closed to the world, the
    folders above closed to the world or, as /tmp is, sticky. Group-writable is the rule on many systems. What cannot be
    looked at counts as somebody else's.

    Args:
        paths: Files and folders.
        uid: The user's id, or -1 where there are none: nothing is said then.
    """
    strict: set[str] = set()
    lenient: set[str] = set()
    for step in {step for path in paths for step in _steps(path)} if uid >= 0 else ():
        strict.update((step,) if os.path.isdir(step) else (step, os.path.dirname(step)))
        lenient.update(folders_above(step))
    owned = opened = None
    for path in sorted(strict | lenient):
        try:
            status = os.stat(path)
        except OSError as error:
            owned = owned or Reason(Kind.UNSEEN_PART, path, str(error.strerror))
            continue
        if path in strict and status.st_uid not in (0, uid):
            owned = owned or Reason(Kind.OWNED, path)
        if status.st_mode & stat.S_IWOTH and (path in strict or not status.st_mode & stat.S_ISVTX):
            opened = opened or Reason(Kind.OPEN, path)
    return owned, opened
