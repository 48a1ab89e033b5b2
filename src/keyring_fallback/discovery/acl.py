"""Access control lists of Linux: who else may write a file whose mode says that its group may (acl(5))."""

from __future__ import annotations

import os
from collections.abc import Iterator

_NAME = "system.posix_acl_access"
#: The kinds of entries, and the right to write (linux/posix_acl.h).
_USER, _MASK, _WRITE = 0x02, 0x10, 0x02


def is_there(path: str) -> bool:
    """Tell whether a file has a list; where there is no file, or none can be told, it has none."""
    try:
        return _NAME in os.listxattr(path)
    except (AttributeError, OSError):  # another system, or another file system
        return False


def writers(path: str) -> Iterator[int]:
    """Yield the ids of the users that the list of a file or a folder, if it has one, lets write. Never raises."""
    try:
        data = os.getxattr(path, _NAME, follow_symlinks=False)
    except (AttributeError, OSError):  # another system, or there is none
        return
    import struct

    entries = [*struct.iter_unpack("<HHI", data[4 : 4 + (len(data) - 4) // 8 * 8])]
    mask = next((rights for kind, rights, _ in entries if kind == _MASK), 0)
    yield from (user for kind, rights, user in entries if kind == _USER and rights & mask & _WRITE)
