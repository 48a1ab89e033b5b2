"""Windows as the Windows Subsystem for Linux (WSL) shows it: where its drives are, and whose profile is there.

A drive is known by its mount, since modes and owners are made up there: in WSL 1 its file system is ``drvfs``, in WSL 2
``9p`` with the option ``aname=drvfs`` (microsoft/WSL, src/linux/init/drvfs.cpp).
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys

from ..here import Here

#: The mounts of this process: Linux, Documentation/filesystems/proc.rst, 3.5.
MOUNTS = "/proc/self/mountinfo"


@functools.cache
def drives() -> dict[str, str]:
    """Return where Windows' drives are mounted, by their names, as ``C:``; none where this is not WSL."""
    if sys.platform != "linux" or not ("WSL_DISTRO_NAME" in os.environ or "microsoft" in os.uname().release.lower()):
        return {}
    found: dict[str, str] = {}
    rows: list[str] = []
    with contextlib.suppress(OSError), open(MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
        rows = file.read().splitlines()
    for row in rows:
        mount, _, system = row.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), [*mount.split(" "), *[""] * 5][4])
        drive = re.search(r"[ =]([A-Za-z]:)", system)
        if drive and point and (system.startswith("drvfs ") or "aname=drvfs" in system):
            found.setdefault(drive[1].upper(), point)
    return found


def profile(path: str) -> str:
    """Return the Windows user's home folder by the value of PATH, or "": Windows puts programs below its AppData there.

    Nobody is asked: that would start a process.
    """
    for entry in path.split(os.pathsep):
        root, below = _split(entry)
        if len(below) > 2 and (below[0].lower(), below[2].lower()) == ("users", "appdata"):  # noqa: PLR2004 - the third
            return os.path.join(root, *below[:2])
    return ""


def is_windows(path: str) -> bool:
    """Tell whether a path is on one of Windows' drives."""
    return bool(_split(path)[0])


def _split(path: str) -> tuple[str, list[str]]:
    """Return where the drive of a path is mounted, or "", and the path's parts below that."""
    for root in drives().values():
        if path.startswith(f"{root}/"):
            return root, os.path.normpath(path[len(root) + 1 :]).split("/")
    return "", []


def seen(path: str) -> str:
    r"""Return a path of Windows, as ``C:\Users\ann``, as Linux has it; another one as it is."""
    root = drives().get(path[:2].upper())
    return os.path.join(root, *re.split(r"[\\/]+", path[3:])) if root else path


def there(here: Here) -> Here:
    """Return what surrounds a tool of Windows' own: its platform and profile, and no ids, as nothing has an owner."""
    home = profile(here.environ.get("PATH", ""))
    drive = os.path.dirname(os.path.dirname(home))
    folders = {"ProgramFiles": f"{drive}/Program Files", "SystemRoot": f"{drive}/Windows"}
    return here._replace(platform="win32", home=home, environ=folders if home else {}, uid=-1)
