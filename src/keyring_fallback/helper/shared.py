"""What both the helper and we use: standard library only, Python 3.8."""

from __future__ import annotations

import errno
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any, Iterable, Iterator, Mapping
else:  # names for annotations, here and in the other modules: the typing module costs a start some milliseconds
    Any = Iterable = Iterator = Mapping = None

#: Characters of a provider's message that are passed on.
MESSAGE_LENGTH = 500
#: Bytes that an answer may have; a password of a megabyte fits, with every character escaped.
MAX_REPLY_BYTES = 8 << 20
#: What a lender is asked for, of keyring's methods.
METHODS = ("get_password", "get_credential")
#: What a question to a lender may have, with its line feed.
MAX_QUESTION_BYTES = 64 << 10


class Descriptor:
    """A descriptor of ours, from now on to be closed here, that is used again when its number may be another file's.

    The program that we live in may close all descriptors and open its own in between (python-daemon), and so may a
    provider. Between the check and what follows it nothing of Python's runs in this thread.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._identity = self._look()

    def _look(self) -> tuple[int, int, int]:
        status = os.fstat(self._number)  # pipes have neither device nor inode on Windows, and a type
        return status.st_dev, status.st_ino, status.st_mode >> 12

    def number(self) -> int:
        """Return its number, to be used at once; OSError: it is closed, or another file has the number now."""
        if self._look() != self._identity:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._number

    def read(self, size: int) -> bytes:
        return os.read(self.number(), size)

    def write(self, data: bytes) -> int:
        return os.write(self.number(), data)

    def is_ours(self) -> bool:
        try:
            return self.number() >= 0
        except OSError:
            return False

    def close(self) -> None:
        try:
            os.close(self.number())
        except OSError:
            pass
        self._number = -1


if sys.platform == "win32":
    import _winapi
    import msvcrt

    class Pipe:
        """A pipe that is no descriptor: who closes all of those does not close it, or wait until it has been read."""

        def __init__(self, number: int) -> None:
            me, same = _winapi.GetCurrentProcess(), _winapi.DUPLICATE_SAME_ACCESS
            self._handle = _winapi.DuplicateHandle(me, msvcrt.get_osfhandle(number), me, 0, False, same)  # noqa: FBT003
            os.close(number)

        def is_ours(self) -> bool:
            return self._handle != 0

        def read(self, size: int) -> bytes:
            try:
                return _winapi.ReadFile(self._handle, size)[0]
            except BrokenPipeError:  # the other end is closed
                return b""

        def write(self, data: bytes) -> int:
            return _winapi.WriteFile(self._handle, data)[0]

        def close(self) -> None:
            handle, self._handle = self._handle, 0
            if handle:
                _winapi.CloseHandle(handle)

else:
    Pipe = Descriptor


def processes() -> list[tuple[int, int, int]]:
    """Return (process, parent, group) of all processes on POSIX: from /proc (ps may be missing there), or else from ps.

    OSError: there is no ps; ValueError, IndexError: it printed something else; subprocess.SubprocessError: it hangs.
    """
    if not os.path.exists("/proc/self/stat"):
        import subprocess  # the helper has deferred it

        command = ["/bin/ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "pgid="]
        null = subprocess.DEVNULL  # its complaints are none of the caller's
        listing = subprocess.run(command, stdin=null, stdout=subprocess.PIPE, stderr=null, timeout=2.0, check=False)  # noqa: S603
        rows = (row.split() for row in listing.stdout.splitlines())
        return [(int(words[0]), int(words[1]), int(words[2])) for words in rows]
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                words = file.read().rpartition(b")")[2].split()
        except OSError:
            continue  # ended meanwhile
        found.append((int(name), int(words[1]), int(words[2])))
    return found


def end_children() -> None:
    """End what we have started and what that has; what has left our process group goes its own way."""
    if sys.platform == "win32":
        from .windows import end_descendants

        end_descendants(os.getpid())
        return
    from signal import SIGKILL

    listing = processes()
    ours = [os.getpid()]
    for pid in ours:
        ours += [child for child, parent, group in listing if parent == pid and group == os.getpgrp()]
    for pid in ours[:0:-1]:
        try:
            os.kill(pid, SIGKILL)
        except OSError:
            pass


def one_line(message: str, struck: Iterable[str] = ()) -> str:
    """Return a message in one line, not too long, with some words struck out."""
    for word in struck:
        message = message.replace(word, "***")
    message = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    return message if len(message) <= MESSAGE_LENGTH else message[: MESSAGE_LENGTH - 3] + "..."


def peer(connection: socket.socket) -> tuple[int, int]:
    """Return (user, process) of who is at the other end of a Unix socket; process 0, or an OSError: nobody tells."""
    import socket
    import struct

    if hasattr(socket, "SO_PEERCRED"):  # Linux, socket(7): pid, uid, gid
        pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return uid, pid
    # macOS, FreeBSD, sys/ucred.h and sys/un.h: SOL_LOCAL 0, LOCAL_PEERCRED 1 gives a version and the user
    return struct.unpack("2I", connection.getsockopt(0, 1, 76)[:8])[1], 0


def is_empty(answer: object) -> bool:
    """Tell whether an answer is a credential without a password: so keyring-pass 0.9.3 says that it has none."""
    try:
        return not isinstance(answer, str) and answer is not None and answer.password is None  # type: ignore[attr-defined]
    except Exception:  # whoever uses it will see
        return False


def name_of(backend: object) -> str:
    cls = backend if isinstance(backend, type) else type(backend)
    return "{}.{}".format(module_of(cls), of_class("__qualname__", cls))


def module_of(cls: type) -> str:
    return str(of_class("__module__", cls))


def of_class(name: str, cls: type) -> Any:
    """Return an attribute of a class past whatever its metaclass makes of it."""
    return type.__dict__[name].__get__(cls)
