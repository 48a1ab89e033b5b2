"""Shows the person at the terminal what a tool says, and that we wait for it, when an answer takes long."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import TracebackType

#: Seconds after which a wait is probably a question to the person.
QUESTION_SECONDS = 3.0
#: Bytes of what was said before that are shown then.
_KEPT_BYTES = 64 << 10
#: Seconds for which a terminal or a pipe that takes nothing (Ctrl-S) is waited for.
_STUCK_SECONDS = 1.0
_LOOK_SECONDS = 0.02
_FOREVER = 3600.0


def has_unseen_stderr() -> bool:
    """Tell whether stderr is not a terminal although the process has one: pip 26.2 and uv keep it to themselves."""
    if _is_terminal(2):
        return False
    descriptor = _open_terminal()
    if descriptor < 0:
        return False
    os.close(descriptor)
    return True


class Waiting:
    """One wait for a tool.

    Args:
        line: Who is waited for, for what, and how to stop it.
    """

    def __init__(self, line: str) -> None:
        self._line = line
        self._due = time.monotonic() + QUESTION_SECONDS
        self._kept = b""
        self._terminal = -1
        self._asked = False

    def heard(self, data: bytes) -> None:
        """Pass on what the tool said: to our stderr, and once the wait is long to the terminal too."""
        _write(2, data)
        if self._terminal >= 0:
            _write(self._terminal, data)
        elif not self._asked:
            self._kept = (self._kept + data)[-_KEPT_BYTES:]

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
        if _is_terminal(2):
            _write(2, line)
        else:
            self._terminal = _open_terminal()
            _write(self._terminal, line + self._kept)
        self._kept = b""
        return _FOREVER

    def end(self) -> None:
        """Give the terminal back. To be called in a ``finally``: a Ctrl-C that we asked for is nothing to explain."""
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1
        error = sys.exc_info()[1]
        if self._asked and isinstance(error, KeyboardInterrupt):
            _leave_unexplained(error)


def _leave_unexplained(error: KeyboardInterrupt) -> None:
    """Have no traceback printed for this one exception, should the program let it end it; its exit status stays."""
    error._keyring_fallback_asked_for_it = True  # type: ignore[attr-defined]  # noqa: SLF001
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _excepthook


def _excepthook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not hasattr(error, "_keyring_fallback_asked_for_it"):
        sys.__excepthook__(kind, error, traceback)


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def _open_terminal() -> int:
    """Return a descriptor of the controlling terminal or console, or -1."""
    flags = os.O_WRONLY | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_NONBLOCK", 0)
    low: list[int] = []
    try:
        descriptor = os.open("CONOUT$" if sys.platform == "win32" else "/dev/tty", flags)
        while descriptor <= 2:  # noqa: PLR2004 - the caller runs without some of the standard ones, and they stay free
            low.append(descriptor)
            descriptor = os.dup(descriptor)
    except OSError:
        return -1
    finally:
        for one in low:
            os.close(one)
    return descriptor


def _write(descriptor: int, data: bytes) -> None:
    """Write all, unless that fails: nobody is there to read it then."""
    deadline = time.monotonic() + _STUCK_SECONDS
    while data and descriptor >= 0:
        try:
            data = data[_write_some(descriptor, data) :]
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return
            time.sleep(_LOOK_SECONDS)  # select takes no descriptor above 1023
        except OSError:
            return


def _write_some(descriptor: int, data: bytes) -> int:
    """Write, without being stopped as a background process is that writes to a terminal with ``stty tostop``."""
    if sys.platform == "win32":
        return os.write(descriptor, data)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTTOU,))
    try:
        return os.write(descriptor, data)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
