"""Finds the lenders whose far ends have a socket here, by looking at files: nobody is called."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from ..here import Here
from . import environment, places
from .tool import Kind, Origin, Reason, Refusal, Tool

_ORIGIN = Origin("lender")


def find(here: Here) -> tuple[list[Tool], list[Refusal]]:
    """Return the lenders, and what was turned down; they are asked before all tools."""
    folders = places.lenders(here.environ, here.home, here.platform)
    found = [one for folder in folders for one in read(folder, here.uid)]
    return [one for one in found if isinstance(one, Tool)], [one for one in found if isinstance(one, Refusal)]


def read(folder: str, uid: int) -> Iterator[Tool | Refusal]:
    """Yield the lenders of a folder, and what was turned down: it must be the user's alone, and so must all in it.

    Beside each socket lies a file that says who lends, and which hosts. The far end holds a lock on it as long as it
    lives (``helper/far.py``): what a far end has left that was killed is passed over, and who lends nothing.
    """
    try:
        if not _is(os.lstat(folder), stat.S_IFDIR, uid):
            yield _refusal(folder, "a folder of mode 0700")
            return
        names = sorted(name for name in os.listdir(folder) if "." not in name)
    except OSError as error:
        yield Refusal(_ORIGIN, folder, Reason(Kind.UNSEEN, detail=error.strerror or ""))
        return
    for path in (os.path.join(folder, name) for name in names):
        try:
            lines = _read(path, uid)
            socket = not lines or _is(os.lstat(path + ".sock"), stat.S_IFSOCK, uid)
        except FileNotFoundError:
            continue  # it has ended meanwhile
        except OSError as error:
            yield Refusal(_ORIGIN, path, Reason(Kind.UNSEEN, detail=error.strerror or ""))
            continue
        if lines is None:
            yield _refusal(path, "a file of mode 0600")
        elif not socket:
            yield _refusal(path + ".sock", "a socket of mode 0600")
        elif lines[1:]:
            yield Tool(Origin(f"lent by {lines[0]}"), path + ".sock", "", "", lent=tuple(lines[1:]))


def _refusal(path: str, what: str) -> Refusal:
    return Refusal(_ORIGIN, path, Reason(Kind.NOT_OF_A_LENDER, detail=what))


def _read(path: str, uid: int) -> list[str] | None:
    """Return the lines of a file that somebody holds a lock on, or nothing; None if it is not the user's own file."""
    import fcntl

    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not _is(os.fstat(descriptor), stat.S_IFREG, uid):
            return None
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return environment.decoded(os.read(descriptor, 1 << 16)).splitlines()
    finally:
        os.close(descriptor)
    return []


def _is(status: os.stat_result, kind: int, uid: int) -> bool:
    """Tell whether a file is of a kind, and the user's alone."""
    return stat.S_IFMT(status.st_mode) == kind and status.st_uid == uid and not status.st_mode & 0o077
