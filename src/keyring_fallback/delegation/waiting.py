"""Shows the person at the terminal what a tool says, and that we wait for it, when an answer takes long."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from types import TracebackType

from ..helper.shared import Descriptor
from .pipes import raised

#: Seconds after which a wait is probably a question to the person.
QUESTION_SECONDS = 3.0
#: Bytes of what was said before that are shown then.
_KEPT_BYTES = 64 << 10
#: Seconds, of a whole wait, for which a terminal or a pipe that takes nothing (Ctrl-S) is waited for.
_STUCK_SECONDS = 1.0
#: Bytes that a pipe which takes anything takes at once.
_PIECE_BYTES = getattr(select, "PIPE_BUF", 512)
_FOREVER = 3600.0


def has_unseen_stderr() -> bool:
    """Tell whether stderr is not a terminal although the process has one: pip 26.2 and uv keep it to themselves."""
    return not _is_stderr_terminal() and has_terminal()


def has_terminal() -> bool:
    """Tell whether the process has a terminal, or a console."""
    terminal = _open_terminal()
    if terminal is not None:
        terminal.close()
    return terminal is not None


def takes(number: int, seconds: float = 0.0) -> bool:
    """Tell whether a descriptor takes something within so many seconds; what Windows does not tell may be tried."""
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    return bool(poll.poll(seconds * 1000))


def waiting_for(name: str, seconds: float, what: str = "") -> str:
    """Return the line that tells the person who is waited for, for what and how long at the most."""
    return f"keyring-fallback: waiting for {name}{what} (at most {seconds:g} seconds; Ctrl-C stops it)"


class Waiting:
    """One wait for a tool; its line is `waiting_for`'s."""

    def __init__(self, line: str) -> None:
        self._line, self._kept = line, b""
        self._due = time.monotonic() + QUESTION_SECONDS
        self._asked = self._on_terminal = False
        self._patience = _STUCK_SECONDS

    def heard(self, data: bytes) -> None:
        """Pass on what the tool said: to our stderr, and once the wait is long to the terminal too."""
        self._write(stderr(), data)
        if self._on_terminal:
            self._show(data)
        elif not self._asked:
            self._kept = (self._kept + data)[-_KEPT_BYTES:]

    def release(self) -> None:
        """Pass on what was kept back: nothing here, see `command_line`."""

    def is_long(self) -> bool:
        """Tell whether the wait is long enough to be a question."""
        return time.monotonic() >= self._due

    def pause(self) -> float:
        """Show what is due; return the seconds until something is."""
        left = self._due - time.monotonic()
        if self._asked or left > 0:
            return _FOREVER if self._asked else left
        self._asked = True
        # on a line of its own: the caller's progress bar may stand in this one
        line = f"\n{self._line}\n".encode("ascii", "backslashreplace")
        if _is_stderr_terminal():
            self._write(stderr(), line)
        else:
            self._on_terminal = True
            self._show(line + self._kept)
        self._kept = b""
        return _FOREVER

    def end(self) -> None:
        """Take the end. To be called in a ``finally``: a Ctrl-C that we asked for is nothing to explain.

        No traceback is printed for this one, should the program let it end it; its exit status stays.
        """
        error = sys.exc_info()[1]
        if self._asked and isinstance(error, KeyboardInterrupt):
            error._keyring_fallback_asked_for_it = True  # type: ignore[attr-defined]  # noqa: SLF001
            if sys.excepthook is sys.__excepthook__:
                sys.excepthook = _excepthook

    def _show(self, data: bytes) -> None:
        """Write on the terminal, which is open for as long as that takes."""
        terminal = _open_terminal()
        if terminal is not None:
            self._write(terminal, data)
            terminal.close()

    def _write(self, descriptor: Descriptor | None, data: bytes) -> None:
        """Write what can be written without waiting; the rest is dropped: nobody may be there to read it."""
        while data and descriptor is not None:
            begun = time.monotonic()
            try:
                if not takes(descriptor.number(), self._patience):
                    self._patience = 0.0
                    return
                data = data[_write_some(descriptor.number(), data[:_PIECE_BYTES]) :]
            except OSError:
                return
            self._patience = max(0.0, self._patience - (time.monotonic() - begun))


def _excepthook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not hasattr(error, "_keyring_fallback_asked_for_it"):
        sys.__excepthook__(kind, error, traceback)


def _is_stderr_terminal() -> bool:
    with contextlib.suppress(OSError):
        return os.isatty(2) and bool(os.get_terminal_size(2))  # NUL passes for one on Windows
    return False


def stderr() -> Descriptor | None:
    """Return a descriptor of stderr, or None if that is closed."""
    with contextlib.suppress(OSError):
        return Descriptor(2)
    return None


def _open_terminal() -> Descriptor | None:
    """Return a descriptor of the controlling terminal or console, or None."""
    flags = os.O_WRONLY | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_NONBLOCK", 0)
    with contextlib.suppress(OSError):
        return Descriptor(raised(os.open("CONOUT$" if sys.platform == "win32" else "/dev/tty", flags)))
    return None


def _write_some(descriptor: int, data: bytes) -> int:
    """Write, without being stopped as a background process is that writes to a terminal with ``stty tostop``."""
    if sys.platform == "win32":
        return os.write(descriptor, data)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTTOU,))
    try:
        return os.write(descriptor, data)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
