"""What both the helper and we use: standard library only, Python 3.8."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:  # the typing module costs a start some milliseconds
    from collections.abc import Iterable

#: Characters of a provider's message that are passed on.
MESSAGE_LENGTH = 500


def processes() -> list[tuple[int, int, int]]:
    """Return (process, parent, group) of all processes on POSIX: from /proc (ps may be missing there), or else from ps.

    Raises:
        OSError: There is no ps.
        ValueError, IndexError: It printed something else.
        subprocess.SubprocessError: It takes longer than two seconds.
    """
    found = []
    if not os.path.exists("/proc/self/stat"):
        import subprocess  # the helper has deferred it

        command = ["/bin/ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "pgid="]
        null = subprocess.DEVNULL  # its complaints are none of the caller's
        listing = subprocess.run(command, stdin=null, stdout=subprocess.PIPE, stderr=null, timeout=2.0, check=False)  # noqa: S603
        for row in listing.stdout.splitlines():
            words = row.split()
            found.append((int(words[0]), int(words[1]), int(words[2])))
        return found
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                words = file.read().rpartition(b")")[2].split()
        except OSError:
            continue  # ended meanwhile
        found.append((int(name), int(words[1]), int(words[2])))
    return found


def one_line(message: str, struck: Iterable[str] = ()) -> str:
    """Return a message in one line, not too long, with some words struck out."""
    for word in struck:
        message = message.replace(word, "***")
    message = "".join(c if c.isprintable() else " " for c in message)
    message = " ".join(message.split())
    return message if len(message) <= MESSAGE_LENGTH else message[: MESSAGE_LENGTH - 3] + "..."
