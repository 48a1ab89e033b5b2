"""Shows the person at the terminal what a tool says, and that we wait for it, when an answer takes long."""

from __future__ import annotations

import os
import sys
import time

#: Seconds after which a wait is probably a question to the person.
QUESTION_SECONDS = 3.0
_KEPT_BYTES = 64 << 10
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
        line = f"{self._line}\n".encode("ascii", "backslashreplace")
        if _is_terminal(2):
            _write(2, line)
        else:
            self._terminal = _open_terminal()
            _write(self._terminal, line + self._kept)
        self._kept = b""
        return _FOREVER

    def end(self) -> None:
        """Give the terminal back."""
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def _open_terminal() -> int:
    """Return a descriptor of the controlling terminal or console, or -1."""
    try:
        return os.open("CONOUT$" if sys.platform == "win32" else "/dev/tty", os.O_WRONLY | getattr(os, "O_NOCTTY", 0))
    except OSError:
        return -1


def _write(descriptor: int, data: bytes) -> None:
    """Write all, unless that fails: nobody is there to read it then."""
    try:
        while data and descriptor >= 0:
            data = data[os.write(descriptor, data) :]
    except OSError:
        pass
