"""Starts a program and exchanges bytes with it, within a time limit and whatever it does with its pipes."""

from __future__ import annotations

import atexit
import os
import queue
import selectors
import signal
import subprocess
import threading
import time
from typing import IO, Callable, Protocol

from .hidden import HiddenBytes
from .records import Record

#: Bytes that a pipe takes without its reader (POSIX: PIPE_BUF, Windows: the size that subprocess asks for).
_PIPE_BYTES = 4096
_CHUNK_BYTES = 65536
#: Bytes that an answer may have; a password of a megabyte fits, with every character escaped.
MAX_REPLY_BYTES = 8 << 20
#: Seconds between two looks at whether the program still lives, while a child of its own may hold its pipes open.
_LOOK_SECONDS = 0.5
#: Processes that are looked for below one that is ended.
_MAX_DESCENDANTS = 1000
#: Seconds in which what an ended program has written must have come through.
_LAST_SECONDS = 0.1


class Listener(Protocol):
    """What hears a program's stderr while its answer is waited for."""

    def heard(self, data: bytes) -> None:
        """Take what the program wrote on stderr."""

    def pause(self) -> float:
        """Do what is due, and return the seconds until something is due next."""


class ReplyTooLargeError(Exception):
    """A program wrote more on stdout than any answer has."""


class Heard(Record):
    """Something that the program wrote: where (``stdout`` or ``stderr``) and what; nothing at its end."""

    where: str
    data: bytes

    def __repr__(self) -> str:
        """Leave the data out: it may be a password."""
        return f"<{len(self.data)} bytes of {self.where}>"


class Process:
    """A running program whose stdin and stdout, and if wanted stderr, are pipes of ours.

    Args:
        arguments: The program and its arguments.
        environ: Its whole environment.
        listen: Whether stderr is a pipe too; otherwise it is the caller's own.

    Raises:
        OSError: The program cannot be started.
        ValueError: An argument or a variable has a NUL character.
    """

    def __init__(self, arguments: list[str], environ: dict[str, str], *, listen: bool) -> None:
        with _StandardDescriptors():
            self._popen = subprocess.Popen(  # noqa: S603 - an absolute path that discovery has checked
                arguments,
                bufsize=0,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if listen else None,
                # no new session: a provider asks for passwords on the controlling terminal
                close_fds=True,
                creationflags=0 if _has_console() else getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            outputs: dict[str, IO[bytes] | None] = {"stdout": self._popen.stdout, "stderr": self._popen.stderr}
            readers = {where: pipe for where, pipe in outputs.items() if pipe is not None}
            assert self._popen.stdin is not None  # noqa: S101 - for the type checker
            # Threads are kept out of the caller's process where the system allows: they make os.fork() warn.
            pipes = _Selected if os.name == "posix" else _Threaded
            try:
                self._pipes: _Selected | _Threaded = pipes(self._popen.stdin, readers)
            except BaseException:  # no descriptor is left for the selector, for example
                for pipe in (self._popen.stdin, *readers.values()):
                    pipe.close()
                self._popen.kill()
                self._popen.wait()
                raise
        _left[:] = [popen for popen in _left if popen.poll() is None]
        self.pid = self._popen.pid

    def send(self, data: bytes, *, end: bool = False) -> None:
        """Queue data for the program's stdin, which is closed after it where `end` says so."""
        self._pipes.send(data, end=end)

    def hear(self, seconds: float) -> Heard | None:
        """Return the next thing that the program writes, or None if there is none within so many seconds."""
        return self._pipes.hear(seconds)

    def collect(self, complete: Callable[[bytes], bool], seconds: float, listener: Listener) -> bytes:
        """Return what the program writes on stdout, until that is complete or has ended.

        Args:
            complete: Tells whether the bytes so far are all that is wanted.
            seconds: How long to wait at the most.
            listener: Hears stderr meanwhile.

        Raises:
            TimeoutError: The time is over.
            ReplyTooLargeError: There is more than `MAX_REPLY_BYTES`.
        """
        chunks: list[bytes] = []
        self._gather(chunks, complete, time.monotonic() + seconds, listener)
        while True:  # what was said before the answer must not come after it
            heard = self.hear(0)
            if heard is None or heard.where != "stderr" or not heard.data:
                break
            listener.heard(heard.data)
        return b"".join(chunks)

    def _gather(
        self, chunks: list[bytes], complete: Callable[[bytes], bool], deadline: float, listener: Listener
    ) -> None:
        size = 0
        ended = False
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            heard = self.hear(_LAST_SECONDS if ended else min(left, listener.pause(), _LOOK_SECONDS))
            if heard is None:
                if ended:
                    return  # what a child of its own may still write is no answer
                ended = self.status() is not None
            elif heard.where == "stderr":
                listener.heard(heard.data)
            else:
                chunks.append(heard.data)
                size += len(heard.data)
                if size > MAX_REPLY_BYTES:
                    raise ReplyTooLargeError
                if not heard.data or complete(heard.data):
                    return

    def status(self) -> int | None:
        """Return the exit status of the program (negative: the signal), or None while it runs."""
        return self._popen.poll()

    def wait(self, seconds: float) -> int | None:
        """Return the exit status once the program has ended, or None after so many seconds."""
        try:
            return self._popen.wait(timeout=max(seconds, 0.0))
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End the program and what it started at once; nothing of them can keep us waiting."""
        for pid in _stopped(self.pid) if self.status() is None else ():
            _signal(pid, "SIGKILL")
        try:
            self._popen.kill()
        except OSError:
            pass
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


class _StandardDescriptors:
    """Keeps pipes off the numbers 0, 1 and 2 where the caller has closed those: what is printed would go into them."""

    def __enter__(self) -> None:
        self._taken = [os.open(os.devnull, os.O_RDWR)]
        while self._taken[-1] < 3:  # noqa: PLR2004 - the first number after them
            self._taken.append(os.open(os.devnull, os.O_RDWR))

    def __exit__(self, *_: object) -> None:
        for descriptor in self._taken:
            os.close(descriptor)


def _has_console() -> bool:
    """Tell whether there is a console to inherit; without one Windows would open a window for the program."""
    if os.name != "nt":
        return True
    try:
        os.close(os.open("CONOUT$", os.O_WRONLY))
    except OSError:
        return False
    return True


def _stopped(pid: int) -> list[int]:
    """Stop a process and those that it started, and that these did, as far as the system tells; return the latter.

    They share our process group, which a program that asks on the terminal must be in; so the group cannot be killed.
    Stopped, they start no others while they are looked for. On Windows the launchers in virtual environments end what
    they started by themselves (CPython PC/launcher.c).
    """
    found: list[int] = []
    if os.name != "posix":
        return found
    fresh = [pid]
    while fresh and len(found) < _MAX_DESCENDANTS:
        for one in fresh:
            _signal(one, "SIGSTOP")
        found += fresh
        try:
            pairs = _processes()
        except (OSError, ValueError, IndexError, subprocess.SubprocessError):
            break
        fresh = [child for child, parent in pairs if parent in found and child not in found]
    return found[1:]


def _signal(pid: int, name: str) -> None:
    try:
        os.kill(pid, getattr(signal, name))
    except OSError:
        pass


def _processes() -> list[tuple[int, int]]:
    """Return (process, parent) of all processes: from /proc (Linux; ps may be missing there), or else from ps."""
    if not os.path.exists("/proc/self/stat"):
        command = ["/bin/ps", "-A", "-o", "pid=", "-o", "ppid="]
        listing = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=2.0, check=False)  # noqa: S603
        return [(int(line.split()[0]), int(line.split()[1])) for line in listing.stdout.splitlines()]
    pairs = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                pairs.append((int(name), int(file.read().rpartition(b")")[2].split()[1])))
        except OSError:
            continue  # ended meanwhile
    return pairs


class _Selected:
    """The pipes of a program, without threads (POSIX)."""

    def __init__(self, stdin: IO[bytes], readers: dict[str, IO[bytes]]) -> None:
        self._stdin = stdin
        self._pending = b""
        self._end = False
        self._selector = selectors.DefaultSelector()
        os.set_blocking(stdin.fileno(), False)
        for where, pipe in readers.items():
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, where)
        self._readers = readers

    def send(self, data: bytes, *, end: bool) -> None:
        self._pending += data
        self._end = end
        self._write()
        if self._pending and self._stdin not in self._selector.get_map():
            self._selector.register(self._stdin, selectors.EVENT_WRITE, "stdin")

    def _write(self) -> None:
        try:
            while self._pending:
                self._pending = self._pending[os.write(self._stdin.fileno(), self._pending[:_CHUNK_BYTES]) :]
        except BlockingIOError:
            return
        except OSError:  # it reads no more: its reply, or the lack of one, says the rest
            self._pending = b""
        if self._end:
            self._stdin.close()

    def hear(self, seconds: float) -> Heard | None:
        deadline = time.monotonic() + seconds
        while True:
            ready = self._selector.select(max(deadline - time.monotonic(), 0.0))
            if not ready:
                return None
            for key, _ in sorted(ready, key=lambda pair: str(pair[0].data)):  # stderr before stdout
                if key.data == "stdin":
                    descriptor = key.fileobj
                    self._write()
                    if not self._pending:
                        self._selector.unregister(descriptor)
                    continue
                pipe = self._readers[key.data]
                try:
                    data = HiddenBytes(os.read(pipe.fileno(), _CHUNK_BYTES))
                except BlockingIOError:
                    continue
                except OSError:
                    data = HiddenBytes()
                if not data:
                    self._selector.unregister(pipe)
                return Heard(key.data, data)

    def close(self) -> None:
        self._selector.close()
        for pipe in (self._stdin, *self._readers.values()):
            try:
                pipe.close()
            except OSError:
                pass


class _Threaded:
    """The same with a thread for each pipe (Windows cannot wait for pipes)."""

    def __init__(self, stdin: IO[bytes], readers: dict[str, IO[bytes]]) -> None:
        self._stdin = stdin
        self._heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        for where, pipe in readers.items():
            self._start(self._read, where, pipe)

    @staticmethod
    def _start(target: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=target, args=arguments, daemon=True).start()

    def _read(self, where: str, pipe: IO[bytes]) -> None:
        data = HiddenBytes(b"-")
        while data:
            try:
                data = HiddenBytes(os.read(pipe.fileno(), _CHUNK_BYTES))
            except (OSError, ValueError):
                data = HiddenBytes()
            self._heard.put(Heard(where, data))
        pipe.close()  # here, since closing while another thread reads would wait for that read

    def send(self, data: bytes, *, end: bool) -> None:
        if len(data) > _PIPE_BYTES:
            self._start(self._write, data, end)
        else:
            self._write(data, end)

    def _write(self, data: bytes, end: bool) -> None:  # noqa: FBT001 - a thread passes it on by position
        try:
            while data:
                data = data[os.write(self._stdin.fileno(), data[:_CHUNK_BYTES]) :]
            if end:
                self._stdin.close()
        except (OSError, ValueError):
            pass

    def hear(self, seconds: float) -> Heard | None:
        try:
            return self._heard.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            return None

    def close(self) -> None:
        try:
            self._stdin.close()
        except OSError:
            pass
