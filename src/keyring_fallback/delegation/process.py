"""Starts a program and exchanges bytes with it, within a time limit and whatever it does with its pipes."""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Callable, Protocol

from ..helper.shared import MAX_REPLY_BYTES, Descriptor, processes
from ..hidden import HiddenBytes
from . import pipes
from .waiting import has_terminal, stderr

#: Seconds between two looks at whether the program still lives, while a child of its own may hold its pipes open.
_LOOK_SECONDS = 0.2
#: Seconds for which what an ended program has written may still come, and what it has started may still write.
_LATE_SECONDS = 0.5
#: Processes that are looked for below one that is ended.
_MAX_DESCENDANTS = 1000


class Listener(Protocol):
    """What hears a program's stderr while its answer is waited for."""

    def heard(self, data: bytes) -> None:
        """Take what the program wrote on stderr."""

    def pause(self) -> float:
        """Do what is due, and return the seconds until something is due next."""


class ReplyTooLargeError(Exception):
    """A program wrote more on stdout than any answer has."""


def ended(status: int) -> str:
    """Return how a program has ended, in words, by its exit status (negative: the signal)."""
    return f"was killed by signal {-status}" if status < 0 else f"ended with exit status {status}"


class Process:
    """A running program whose stdin and stdout, and where we listen stderr, are pipes of ours.

    It is run in `folder`, or in the caller's. OSError: it cannot be started; ValueError: it would be given a NUL.
    """

    def __init__(
        self, arguments: list[str], environ: Mapping[str, str], *, listen: bool, folder: str | None = None
    ) -> None:
        ours: dict[str, Descriptor] = {}
        theirs: dict[str, Descriptor] = {}
        with contextlib.ExitStack() as in_the_end, contextlib.ExitStack() as if_it_fails:
            for name in ("stdin", "stdout", "stderr") if listen else ("stdin", "stdout"):
                read, write = pipes.pair()
                ours[name], theirs[name] = (write, read) if name == "stdin" else (read, write)
                if_it_fails.callback(ours[name].close)
                in_the_end.callback(theirs[name].close)
            self._popen = _popen(arguments, environ, theirs, folder)
            if_it_fails.callback(self._popen.wait)
            if_it_fails.callback(self._popen.kill)  # the last one comes first
            kind = pipes.Selected if os.name == "posix" else pipes.Threaded
            self._pipes: pipes.Selected | pipes.Threaded = kind(ours.pop("stdin"), ours)
            if_it_fails.pop_all()
        self._open = set(ours)
        _left[:] = [popen for popen in _left if popen.poll() is None]
        self.pid = self._popen.pid

    def is_ours(self) -> bool:
        """Tell whether it runs, and its pipes are still there: the caller may close all descriptors."""
        return self.status() is None and self._pipes.is_ours()

    def send(self, data: bytes, *, end: bool = False) -> None:
        """Queue data for the program's stdin, which is closed after it where `end` says so."""
        self._pipes.send(data, end=end)

    def collect(self, complete: Callable[[bytes], bool], seconds: float, listener: Listener) -> HiddenBytes:
        """Return what the program writes on stdout, until that is complete or the program and its pipes have ended.

        `complete` is given what was written, b"" at the end of stdout; the listener hears stderr. TimeoutError: so many
        seconds are over; ReplyTooLargeError: there is more than `MAX_REPLY_BYTES`.
        """
        chunks: list[bytes] = []
        deadline = time.monotonic() + seconds
        self._gather(chunks, complete, deadline, listener)
        # what was said before the answer must not come after it
        while time.monotonic() < deadline and (heard := self._pipes.hear(0)) is not None:
            self._take(heard, chunks, listener)
            if heard.where == "stdout":
                break
        return HiddenBytes(b"".join(chunks))

    def _take(self, heard: pipes.Heard, chunks: list[bytes], listener: Listener) -> None:
        if not heard.data:
            self._open.discard(heard.where)
        if heard.where == "stderr":
            listener.heard(heard.data)
        else:
            chunks.append(heard.data)

    def _gather(
        self, chunks: list[bytes], complete: Callable[[bytes], bool], deadline: float, listener: Listener
    ) -> None:
        size = 0
        late: float | None = None
        while self._open:
            now = time.monotonic()
            if late is None and self.status() is not None:
                late = now + _LATE_SECONDS
            if late is not None and now >= min(late, deadline):
                return  # what a child of its own may still write is no answer
            if now >= deadline:
                raise TimeoutError
            heard = self._pipes.hear(min((late or deadline) - now, listener.pause(), _LOOK_SECONDS))
            if heard is None:
                continue
            self._take(heard, chunks, listener)
            if heard.where == "stderr":
                continue
            size += len(heard.data)
            if size > MAX_REPLY_BYTES:
                raise ReplyTooLargeError
            if complete(heard.data):
                return

    def status(self) -> int | None:
        """Return the exit status of the program (negative: the signal), or None while it runs."""
        return self._popen.poll()

    def wait(self, seconds: float) -> int | None:
        """Return the exit status once the program has ended, or None after so many seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._popen.wait(timeout=max(seconds, 0.0))
        return None

    def kill(self) -> None:
        """End the program and what it started at once; nothing of them can keep us waiting."""
        found: list[int] = []
        try:
            if self.status() is None:
                _stop(self.pid, found)
        finally:  # a second Ctrl-C must leave nobody stopped
            for pid in found[1:]:
                _signal(pid, "SIGKILL")
            with contextlib.suppress(OSError):
                self._popen.kill()
            self._pipes.close()
        self.wait(1.0)

    def leave(self) -> None:
        """Close our ends: the program ends by itself, and nobody waits for it."""
        self._pipes.close()
        _left.append(self._popen)


#: Programs that were left and may still run; each is looked after once it has ended, so that none stays a zombie.
_left: list[subprocess.Popen[bytes]] = []


@atexit.register
def _forget() -> None:
    """Keep the finaliser of those that still run from warning about them."""
    for popen in _left:
        if popen.poll() is None:
            popen.returncode = 0


def _popen(
    arguments: list[str], environ: Mapping[str, str], ends: dict[str, Descriptor], folder: str | None
) -> subprocess.Popen[bytes]:
    """Start a program; the object has no files, whose finalisers would close numbers that are others' by then."""
    if os.name == "posix" and _is_rewritten():
        arguments = ["/bin/sh", "-c", 'exec "$0" "$@"', *arguments]
    try:
        return subprocess.Popen(  # noqa: S603 - an absolute path that discovery has checked
            arguments,
            env=environ,
            cwd=folder,
            stdin=ends["stdin"].number(),
            stdout=ends["stdout"].number(),
            # without one Windows gives it a pipe that nobody reads
            stderr=ends["stderr"].number() if "stderr" in ends else None if stderr() else subprocess.DEVNULL,
            # no new session: a provider asks for passwords on the controlling terminal
            close_fds=True,
            # without a console to inherit Windows would open a window for it
            creationflags=0 if os.name == "posix" or has_terminal() else getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except BaseException as error:
        if isinstance(error, OSError) and error.errno == errno.ENOEXEC and arguments[0].endswith(".exe"):
            error.strerror = f"{error.strerror}: see 'interop' in /etc/wsl.conf if no Windows program runs"
        raise error.with_traceback(None) from None  # its frames hold the environment in plain text


def _is_rewritten() -> bool:
    """Tell whether somebody rewrites the command lines of what this program starts, by a function in the place of C's.

    Debuggers do it to follow children that run Python (pydevd 3.2, _pydev_bundle/pydev_monkey.py, and PyCharm's), which
    then wait for somebody to attach. They know Python by the name of the program: a shell is none.
    """
    import _posixsubprocess

    starts = _posixsubprocess.fork_exec, getattr(subprocess, "_fork_exec", _posixsubprocess.fork_exec)
    # gevent has None in that place: it rewrites nothing
    return any(getattr(function, "__module__", "_posixsubprocess") != "_posixsubprocess" for function in starts)


def _stop(pid: int, found: list[int]) -> None:
    """Stop a process and those that it started, and that these did, as far as the system tells; list them.

    They share our process group, which a program that asks on the terminal must be in; so the group cannot be killed.
    What has left it, a browser for a login for example, goes its own way. Stopped, they start no others while they are
    looked for. On Windows they are ended at once.
    """
    if sys.platform == "win32":
        from ..helper.windows import end_descendants

        end_descendants(pid)
        return
    fresh = [pid]
    while fresh and len(found) < _MAX_DESCENDANTS:
        found += fresh
        for one in fresh:
            _signal(one, "SIGSTOP")
        try:
            listing = processes()
        except (OSError, ValueError, IndexError, subprocess.SubprocessError):
            break
        groups = {one: group for one, _, group in listing}
        ours = [(child, parent) for child, parent, group in listing if group == groups.get(pid)]
        fresh = [child for child, parent in ours if parent in found and child not in found]


def _signal(pid: int, name: str) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, getattr(signal, name))
