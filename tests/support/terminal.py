"""A real terminal for a program: a pseudo-terminal that controls the program's session, as a terminal window does."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
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
        launched = [sys.executable, "-I", "-c", _LAUNCHER, os.ttyname(self._slave), *map(os.fspath, argv)]
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

    def __enter__(self) -> Terminal:  # noqa: PYI034 - typing.Self is too young
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the program, and close the terminal."""
        self._process.kill()
        self._process.communicate()
        os.close(self._master)
        os.close(self._slave)

    def until(self, text: str, seconds: float = TIMEOUT) -> str:
        """Read until the terminal has shown *text*; give all that it has shown."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            ended = self._process.poll() is not None
            if not self._read(0.1) and (ended or time.monotonic() > deadline):
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
        while self._read(0.1):
            pass
        return subprocess.CompletedProcess([], self._process.returncode, stdout or "", stderr or "")

    def _read(self, seconds: float) -> bool:
        """Read what the terminal shows within some seconds; give whether there was anything."""
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        self.shown += os.read(self._master, 65536).decode("utf-8", "replace").replace("\r\n", "\n")
        return True
