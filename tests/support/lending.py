"""A lender at work: ``keyring-fallback lend`` as a process of its own, and what it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import hostile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from .environments import Environment, Text

SECONDS = 60.0
"""For what a lender does at once."""


class Lender:
    """``keyring-fallback lend --services HOSTS [-- COMMAND]``; in a ``with``, from when it says where it lends."""

    def __init__(
        self, environment: Environment, *hosts: str, command: Sequence[Text] = (), env: Mapping[str, str] | None = None
    ) -> None:
        """Start it; *env* is the whole one."""
        self.mark = os.urandom(8).hex()
        argv: list[Text] = [environment.script("keyring-fallback"), "lend", "--services", *hosts]
        self._process = subprocess.Popen(
            [*argv, *(["--", *command] if command else [])],
            env={**(os.environ if env is None else env), hostile.MARK: self.mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="backslashreplace",
        )
        self.lines: list[str] = []
        """What it has said so far, without the times."""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Keep what it says."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(re.sub(r"^\d\d:\d\d:\d\d ", "", line.rstrip("\n")))

    def __enter__(self) -> Lender:  # noqa: PYI034 - typing.Self is too young
        """Wait until it lends."""
        self.until("lent at")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self.end()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def socket(self) -> Path:
        """The socket of its far end."""
        (found,) = re.findall(r" lent at (.*?) \(", self.until("lent at"))
        return Path(f"{found}.sock")

    @property
    def questions(self) -> list[str]:
        """What it was asked, without who asked; lines take a moment to get here."""
        time.sleep(0.2)
        return [line.partition(" asked for ")[2] for line in self.lines if " asked for " in line]

    def until(self, text: str, seconds: float = SECONDS) -> str:
        """Wait for a line that holds *text*; give it."""
        deadline = time.monotonic() + seconds
        while True:
            alive = self._reader.is_alive()
            found = [line for line in self.lines if text in line]
            if found:
                return found[0]
            assert alive, f"the lender has ended without {text!r}: {self.lines}"
            assert time.monotonic() < deadline, f"the lender did not say {text!r}: {self.lines}"
            time.sleep(0.02)

    def end(self, number: int = signal.SIGINT) -> int:
        """End it by a signal, if it still runs; give its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; give its exit status."""
        try:
            status = self._process.wait(SECONDS)
        finally:
            self._process.kill()
        self._reader.join(SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return status

    def left_over(self) -> list[str]:
        """What it has started and still runs, some seconds later."""
        return hostile.left_over(self.mark)
