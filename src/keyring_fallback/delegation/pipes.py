"""The pipes of a running program: bytes to it and from it, without waiting for longer than one wants to."""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import selectors
import threading
import time
from typing import Callable

from ..helper.shared import Descriptor, Pipe
from ..hidden import HiddenBytes
from ..records import Record

#: Bytes that a pipe takes without its reader (POSIX: PIPE_BUF, Windows: the size that subprocess asks for).
_PIPE_BYTES = 4096
_CHUNK_BYTES = 65536


class Heard(Record):
    """Something that a program wrote, perhaps a password: where (``stdout``, ``stderr``) and what; b"" at its end."""

    where: str
    data: bytes

    def __repr__(self) -> str:
        return f"<{len(self.data)} bytes of {self.where}>"


def raised(number: int) -> int:
    """Return a descriptor, or a copy in its place, that is none of the standard ones, which the caller may have closed.

    What is printed would go into it. OSError: there are no more descriptors; it is closed.
    """
    if number > 2:  # noqa: PLR2004 - stderr
        return number
    try:
        return raised(os.dup(number))
    finally:
        os.close(number)


def pair() -> tuple[Descriptor, Descriptor]:
    """Return both ends of a new pipe, the one to read first; OSError: there are no more descriptors."""
    read, write = os.pipe()
    ends: list[Descriptor] = []
    try:
        ends.append(Descriptor(raised(read)))
        ends.append(Descriptor(raised(write)))
    except OSError:
        ends[0].close() if ends else os.close(write)
        raise
    return ends[0], ends[1]


class Selected:
    """The pipes of a program, without threads, which make ``os.fork()`` warn in the caller's process (POSIX).

    `readers` is what the program writes, by name: ``stdout`` and, where it is wanted, ``stderr``.
    """

    def __init__(self, stdin: Descriptor, readers: dict[str, Descriptor]) -> None:
        self._pipes = {"stdin": stdin, **readers}
        self._pending = b""
        self._end = False
        # one without a descriptor of its own; gevent's and eventlet's have none
        kind = selectors.DefaultSelector
        self._selector = selectors.PollSelector() if hasattr(kind, "fileno") else kind()
        self._watched: dict[str, int] = {}
        for pipe in self._pipes.values():
            os.set_blocking(pipe.number(), False)
        for where in readers:
            self._watch(where, selectors.EVENT_READ)

    def _watch(self, where: str, event: int) -> None:
        self._watched[where] = self._pipes[where].number()
        self._selector.register(self._watched[where], event, where)

    def _unwatch(self, where: str) -> None:
        with contextlib.suppress(KeyError):  # another thread has closed it meanwhile
            self._selector.unregister(self._watched.pop(where))

    def is_ours(self) -> bool:
        """Tell whether all pipes are still there: the caller may close all descriptors."""
        return all(pipe.is_ours() for pipe in self._pipes.values())

    def send(self, data: bytes, *, end: bool) -> None:
        """Queue data for the program's stdin, which is closed after it where `end` says so."""
        self._pending += data
        self._end = end
        self._write()
        if self._pending and "stdin" not in self._watched:
            self._watch("stdin", selectors.EVENT_WRITE)

    def _write(self) -> None:
        stdin = self._pipes["stdin"]
        try:
            while self._pending:
                self._pending = self._pending[stdin.write(self._pending[:_CHUNK_BYTES]) :]
        except BlockingIOError:
            return
        except OSError:  # it reads no more: its reply, or the lack of one, says the rest
            self._pending = b""
        if self._end:
            stdin.close()

    def hear(self, seconds: float) -> Heard | None:
        """Return the next thing that the program writes, or None if there is none within so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            gone = [where for where in self._watched if not self._pipes[where].is_ours()]
            ready = gone or [key.data for key, _ in self._selector.select(max(deadline - time.monotonic(), 0.0))]
            if not ready:
                return None
            for where in sorted(ready):  # stderr before stdout
                if where == "stdin":
                    self._write()
                    if not self._pending:
                        self._unwatch(where)
                    continue
                try:
                    data = HiddenBytes(self._pipes[where].read(_CHUNK_BYTES))
                except BlockingIOError:
                    continue
                except OSError:
                    data = HiddenBytes()
                if not data:
                    self._unwatch(where)
                return Heard(where, data)

    def close(self) -> None:
        """Close our ends."""
        self._selector.close()
        for pipe in self._pipes.values():
            pipe.close()


class Threaded:
    """The same with a thread for each pipe (Windows cannot wait for pipes)."""

    def __init__(self, stdin: Descriptor, readers: dict[str, Descriptor]) -> None:
        pipes = {}
        for where, pipe in {"stdin": stdin, **readers}.items():
            pipes[where] = Pipe(os.dup(pipe.number()))
            pipe.close()
        self._stdin = pipes.pop("stdin")
        self._heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        for where in readers:
            self._start(self._read, where, pipes[where])

    @staticmethod
    def _start(target: Callable[..., None], *arguments: object) -> None:
        try:
            threading.Thread(target=target, args=arguments, daemon=True).start()
        except RuntimeError as error:  # there are no more of them, or the interpreter is ending
            raise OSError(errno.EAGAIN, str(error)) from None

    def _read(self, where: str, pipe: Pipe) -> None:
        data = HiddenBytes(b"-")
        while data:
            try:
                data = HiddenBytes(pipe.read(_CHUNK_BYTES))
            except OSError:
                data = HiddenBytes()
            self._heard.put(Heard(where, data))
        pipe.close()  # here, since closing while another thread reads would wait for that read

    def is_ours(self) -> bool:
        """See `Selected.is_ours`; a reader whose pipe has gone has said so."""
        return self._stdin.is_ours()

    def send(self, data: bytes, *, end: bool) -> None:
        """See `Selected.send`."""
        if len(data) > _PIPE_BYTES:
            self._start(self._write, data, end)
        else:
            self._write(data, end)

    def _write(self, data: bytes, end: bool) -> None:  # noqa: FBT001 - a thread passes it on by position
        with contextlib.suppress(OSError):
            while data:
                data = data[self._stdin.write(data[:_CHUNK_BYTES]) :]
            if end:
                self._stdin.close()

    def hear(self, seconds: float) -> Heard | None:
        """See `Selected.hear`."""
        with contextlib.suppress(queue.Empty):
            return self._heard.get(timeout=max(seconds, 0.0))
        return None

    def close(self) -> None:
        """See `Selected.close`; each reader closes its own pipe."""
        self._stdin.close()
