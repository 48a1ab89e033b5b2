"""A real terminal for a program: a pseudo-terminal that controls the program's session, as a terminal window does."""

from __future__ import annotations

import codecs
import os
import pty
import select
import subprocess
import sys
import termios
import threading
import time
from typing import TYPE_CHECKING, Any

from .environments import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from .environments import Text

# Makes itself the leader of a session; the terminal that it then opens controls that session.
_LAUNCHER = (
    "import os, sys; os.setsid(); os.close(os.open(sys.argv[1], os.O_RDWR)); os.execv(sys.argv[2], sys.argv[2:])"
)
#: Seconds without output after which a program that has ended will show nothing more.
_QUIET = 0.2


class Terminal:
    """A terminal with one program in it; to be used in a ``with``.

    stdin is the null device, stdout and stderr are kept (``"kept"``), as installers do that ask ``keyring``, or each is
    the terminal itself (``"terminal"``).
    """

    def __init__(
        self,
        argv: Sequence[Text],
        *,
        env: Mapping[str, str],
        cwd: Text | None = None,
        stdin: str = "null",
        stdout: str = "kept",
        stderr: str = "kept",
    ) -> None:
        """Start the program *argv* in the whole environment *env*."""
        self._master, self._slave = pty.openpty()
        kinds = {"null": subprocess.DEVNULL, "kept": subprocess.PIPE, "terminal": self._slave}
        launched = [sys.executable, "-I", "-c", _LAUNCHER, os.ttyname(self._slave), *map(str, argv)]
        self._process = subprocess.Popen(
            launched,
            env=dict(env),
            cwd=cwd,
            stdin=kinds[stdin],
            stdout=kinds[stdout],
            stderr=kinds[stderr],
            text=True,
            encoding="utf-8",
        )
        self.shown = ""
        """What the terminal has shown so far."""
        self._quiet_since = time.monotonic()
        self._closed = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Terminal:  # noqa: PYI034 - typing.Self is too young
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the program, and close the terminal."""
        self._process.kill()
        try:
            self._process.communicate(timeout=TIMEOUT)
        finally:
            self._closed.set()
            self._reader.join(TIMEOUT)
            os.close(self._master)
            os.close(self._slave)

    def until(self, text: str, seconds: float = TIMEOUT) -> str:
        """Read until the terminal has shown *text*; give all that it has shown."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            now, ended = time.monotonic(), self._process.poll() is not None
            time.sleep(_QUIET / 10)
            if now > deadline or (ended and time.monotonic() - self._quiet_since > _QUIET and text not in self.shown):
                message = f"the terminal did not show {text!r} but only {self.shown!r}"
                raise AssertionError(message)
        return self.shown

    def settings(self) -> list[Any]:
        """The terminal's settings, as in :mod:`termios`."""
        return termios.tcgetattr(self._slave)

    def set(self, settings: list[Any]) -> None:
        """Change the terminal's settings."""
        termios.tcsetattr(self._slave, termios.TCSANOW, settings)

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def end(self, seconds: float = TIMEOUT) -> subprocess.CompletedProcess[str]:
        """Wait for the program's end; give its exit status, and what was kept of stdout and stderr."""
        stdout, stderr = self._process.communicate(timeout=seconds)
        ended = time.monotonic()
        while time.monotonic() - max(self._quiet_since, ended) < _QUIET:
            time.sleep(_QUIET / 4)
        return subprocess.CompletedProcess([], self._process.returncode, stdout or "", stderr or "")

    def _read(self) -> None:
        """Read what the terminal shows, all the time: macOS reaps no leader of a session whose output nobody has read."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while not self._closed.is_set():
            if select.select([self._master], [], [], 0.05)[0]:
                self.shown += decoder.decode(os.read(self._master, 65536)).replace("\r\n", "\n")
                self._quiet_since = time.monotonic()
