"""The lender's pipe to the far end: started by a command, whatever shell and greeting stand between."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from ..delegation.call import line
from ..delegation.scripts import script
from ..discovery import places
from ..helper.shared import MAX_QUESTION_BYTES, end_children, one_line

#: What the far end may write in a line, and what may be written besides: a message of the day.
_MAX_LINE_BYTES, _MAX_OTHER_BYTES = MAX_QUESTION_BYTES + 4096, 1 << 20
#: Seconds that the far end has to end by itself.
_END_SECONDS = 3.0
_PYTHONS = ("python3", "python", *(f"python3.{minor}" for minor in range(20, 7, -1)))
#: What a shell over there is told, in one line, for no login shell's quoting is known: find a Python, and become it.
#: The quotes keep an echo of the line itself from being taken for what it prints.
_SHELL = """\
for p in {pythons} /usr/local/bin/python3 /usr/bin/python3 "$HOME"/.local/bin/python3.*; do \
"$p" -Ic 'import sys;sys.exit(sys.version_info<(3,8))' </dev/null >/dev/null 2>&1 && \
echo keyring-fallback'='python && exec "$p" {arguments}; done; echo keyring-fallback'='none
"""
_PYTHON, _NONE = b"keyring-fallback=python", b"keyring-fallback=none"


class LendingError(Exception):
    """Nothing is lent, or no more; the message says why."""


class Pipe:
    """The far end, and the command that runs it elsewhere, or none: it is run here; LendingError: it does not start."""

    def __init__(self, command: Sequence[str]) -> None:
        self.name = one_line(shlex.join(command)) or "this machine"
        self._elsewhere = bool(command)
        self._script = script("far", shared=not command)
        self._nonce = os.urandom(16).hex()
        self._lock = threading.Lock()
        if not command and sys.platform == "win32":
            raise LendingError("Windows has no Unix sockets for Python: nothing can be lent here, only to others")
        run = [*command, "sh"] if command else [sys.executable, "-I", *self._script.arguments]
        try:
            self._popen = subprocess.Popen(run, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        except (OSError, ValueError) as error:
            raise LendingError(f"{self.name} cannot be run ({getattr(error, 'strerror', None) or error})") from None
        assert self._popen.stdin and self._popen.stdout  # noqa: PT018, S101 - for the type checker
        self._stdin, self._stdout = self._popen.stdin, io.BufferedReader(self._popen.stdout)  # type: ignore[type-var]

    def open(self, lent: Sequence[str], seconds: float) -> str:
        """Start the far end; return where its socket is. LendingError: there is none.

        It is told who lends, and which hosts, and how many seconds an answer may take.
        """
        if self._elsewhere:
            self._become_python()
        setup = {"nonce": self._nonce, "folders": places.LENT_AT, "lent": lent, "seconds": seconds}
        self.send(self._script.first + line(setup, self.name))
        first: dict[str, Any] = next(self.documents(), {})
        if "ready" in first:
            return one_line(str(first["ready"]))
        why = first.get("failed") or f"it has ended{self.how()}"
        raise LendingError(f"{self.name}: no socket can be opened there: {one_line(str(why))}")

    def _become_python(self) -> None:
        arguments = shlex.join(["-I", *self._script.arguments])
        self.send(_SHELL.format(pythons=" ".join(_PYTHONS), arguments=arguments).encode("ascii"))
        greeting, said = 0, b""
        while _PYTHON not in said:
            said = self._stdout.readline(_MAX_LINE_BYTES)
            greeting += len(said)
            if _NONE in said:
                raise LendingError(f"{self.name}: there is no Python 3.8 or newer there; install one")
            if not said or greeting > _MAX_OTHER_BYTES:
                has = "has said no end" if said else f"has ended{self.how()}"
                raise LendingError(f"{self.name} {has}; it must run the program that is appended to it")

    def documents(self) -> Iterator[dict[str, Any]]:
        """Yield what the far end says; LendingError: it says what it must not."""
        other = 0
        while data := self._stdout.readline(_MAX_LINE_BYTES):
            before, mark, document = data.partition(self._nonce.encode("ascii"))
            other += len(before)
            try:
                found = json.loads(document) if mark else {}
            except (ValueError, RecursionError):
                found = None
            if not isinstance(found, dict) or other > _MAX_OTHER_BYTES:
                raise LendingError(f"{self.name} has sent what is no question: lent no more")
            if mark:
                yield found

    def send(self, data: bytes) -> None:
        """Write all; nobody reads: then the far end's end is seen elsewhere."""
        with contextlib.suppress(OSError, ValueError), self._lock:
            while data:
                data = data[self._stdin.write(data) :]

    def how(self) -> str:
        """Return how the command has ended, in words."""
        status = self._wait()
        return f" with exit status {status}" if status else ""

    def close(self) -> None:
        """End the far end, which ends when its input does, or else what we have started: nothing is left running."""
        try:
            self._stdin.close()
            self._wait()
        finally:
            end_children()
            self._popen.kill()

    def _wait(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._popen.wait(_END_SECONDS)
        return None
