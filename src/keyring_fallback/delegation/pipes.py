"""The pipes of a running program: bytes to it and from it, without waiting for longer than one wants to."""

from __future__ import annotations

import errno
import os
import queue
import selectors
import threading
import time
from typing import IO, Callable

from ..hidden import HiddenBytes
from ..records import Record

#: Bytes that a pipe takes without its reader (POSIX: PIPE_BUF, Windows: the size that subprocess asks for).
_PIPE_BYTES = 4096
_CHUNK_BYTES = 65536


class Heard(Record):
    """Something that a program wrote: where (``stdout`` or ``stderr``) and what; nothing at its end."""

    where: str
    data: bytes

    def __repr__(self) -> str:
        """Leave the data out: it may be a password."""
        return f"<{len(self.data)} bytes of {self.where}>"


class Selected:
    """The pipes of a program, without threads, which make ``os.fork()`` warn in the caller's process (POSIX).

    Args:
        stdin: What the program reads.
        readers: What it writes, by name: ``stdout`` and, where it is wanted, ``stderr``.
    """

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
        """Queue data for the program's stdin, which is closed after it where `end` says so."""
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
        """Return the next thing that the program writes, or None if there is none within so many seconds."""
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
        """Close our ends."""
        self._selector.close()
        for pipe in (self._stdin, *self._readers.values()):
            try:
                pipe.close()
            except OSError:
                pass


class Threaded:
    """The same with a thread for each pipe (Windows cannot wait for pipes)."""

    def __init__(self, stdin: IO[bytes], readers: dict[str, IO[bytes]]) -> None:
        self._stdin = stdin
        self._heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        for where, pipe in readers.items():
            self._start(self._read, where, pipe)

    @staticmethod
    def _start(target: Callable[..., None], *arguments: object) -> None:
        try:
            threading.Thread(target=target, args=arguments, daemon=True).start()
        except RuntimeError as error:  # there are no more of them, or the interpreter is ending
            raise OSError(errno.EAGAIN, str(error)) from None

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
        """See `Selected.send`."""
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
        """See `Selected.hear`."""
        try:
            return self._heard.get(timeout=max(seconds, 0.0))
        except queue.Empty:
            return None

    def close(self) -> None:
        """See `Selected.close`; each reader closes its own pipe."""
        try:
            self._stdin.close()
        except OSError:
            pass
