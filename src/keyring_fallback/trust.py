"""Whether a file that was found may be run: who can have put it there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

#: Files and folders that mark a project's root.
_MARKS = (".git", "pyproject.toml", "setup.py")


def project_root(folder: str, home: str) -> str:
    """Return the nearest folder at or above that has a project's marks, "" if it is the home folder or above that."""
    while folder and not _within(home, folder):
        if any(os.path.exists(os.path.join(folder, mark)) for mark in _MARKS):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            break
        folder = parent
    return ""


def project_reason(path: str, cwd: str, prefix: str, home: str) -> str:
    """Return why a path may have come with a project that the user only looks at, or "".

    What lies below the working directory, or the project of it or of this environment, is not the user's tool. A
    working directory at or above the home folder says nothing about what is in the home folder.

    Args:
        path: An absolute path.
        cwd: The working directory, or "".
        prefix: The root of this environment if it is a virtual one, or "".
        home: The user's home folder, or "".
    """
    for form in {path, os.path.realpath(path)}:
        for folder, what in (
            (cwd, "the working directory"),
            (project_root(cwd, home), "the project"),
            (project_root(os.path.dirname(prefix), home), "the project of this environment"),
        ):
            if not folder or os.path.dirname(folder) == folder or not _within(form, folder):
                continue
            if home and _within(home, folder) and _within(form, home):
                continue
            return f"it lies in {what}"
    return ""


def permission_reason(paths: Iterable[str], uid: int) -> str:
    """Return why others than the user and root can have written one of the paths, or "" (also on Windows).

    Group-writable is the rule on many systems and stays allowed.

    Args:
        paths: Files and folders; links are followed. Folders above them are looked at for being world-writable.
        uid: The user's id, or -1 where there are none.
    """
    if uid < 0:
        return ""
    for path in dict.fromkeys(form for one in paths for form in (one, os.path.realpath(one))):
        try:
            status = os.stat(path)
        except OSError as error:
            return f"{path} cannot be looked at ({error.strerror})"
        if status.st_uid not in (0, uid):
            return f"{path} belongs to another user"
        folder = path
        while True:
            mode = os.stat(folder).st_mode
            # in a world-writable folder with the sticky bit (/tmp) others cannot replace what is not theirs
            if mode & stat.S_IWOTH and (folder == path or not mode & stat.S_ISVTX):
                return f"everybody can write to {folder}"
            parent = os.path.dirname(folder)
            if parent == folder:
                break
            folder = parent
    return ""


def _within(path: str, folder: str) -> bool:
    """Tell whether a path is a folder or lies below it, by name."""
    return bool(folder) and (path == folder or path.startswith(folder.rstrip(os.sep) + os.sep))
