"""Hostile other sides, and the means to see that nothing of ours survives them."""

from __future__ import annotations

import json
import os
import textwrap
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import machine
from .environments import Environment, run

if TYPE_CHECKING:
    from pathlib import Path

    from .stage import Stage

MARK = "KEYRING_FALLBACK_TESTS_MARK"
"""A variable that tells the processes of one test from all others."""

HAS_PROC = not machine.WINDOWS and os.path.exists("/proc/self/environ")
"""Whether the system shows the environment of processes."""

#: Makes the calls that it reads from stdin: of keyring's functions, or of a GlobalKeyring in keyring's chain.
PROGRAM = """\
import json, sys, time
import keyring, keyring_fallback
results = []
for target, method, *arguments in json.load(sys.stdin):
    result = {"answer": None, "error": [], "message": ""}
    started = time.monotonic()
    try:
        asked = keyring if target == "keyring" else keyring_fallback.GlobalKeyring()
        answer = getattr(asked, method)(*arguments)
        if method == "get_credential" and answer is not None:
            answer = [answer.username, answer.password]
        if isinstance(answer, str) and len(answer) > 1000:
            answer = len(answer)
        result["answer"] = answer
    except Exception as error:
        result["error"] = [cls.__name__ for cls in type(error).__mro__[:-2]]
        result["message"] = str(error)
    result["seconds"] = time.monotonic() - started
    results.append(result)
print(json.dumps(results))
"""

#: What an interpreter of our own begins with: it speaks the helper's protocol as badly as a test wants.
_FALSE_INTERPRETER = """\
#!{python} -I
import json, os, signal, subprocess, sys, threading, time
NOISE = b"NOISE of a child "
def read():
    return json.loads(sys.stdin.buffer.readline())
def out(data):
    while data:
        data = data[os.write(1, data):]
def document(number, answer="the answer", **changes):
    whole = dict(id=number, answer=answer, backend="false.Interpreter", failures=[], unloaded=[])
    whole.update(changes)
    return nonce.encode() + json.dumps(whole).encode()
def start():
    global nonce
    nonce = read()["nonce"]
def reply(number=None, answer="the answer", **changes):
    if number is None:
        number = read()["id"]
    out(document(number, answer, **changes) + b"\\n")
"""


@dataclass
class Outcome:
    """What became of some calls: a result each, what the program printed on stderr, and what still runs."""

    results: list[dict[str, Any]]
    stderr: str
    left: list[str]
    seconds: list[float] = field(init=False)

    def __post_init__(self) -> None:
        """Set the seconds that each call took."""
        self.seconds = [result.pop("seconds") for result in self.results]

    @property
    def answers(self) -> list[Any]:
        """What the calls returned."""
        return [result["answer"] for result in self.results]

    @property
    def messages(self) -> list[str]:
        """The messages of the exceptions that the calls raised."""
        return [result["message"] for result in self.results]

    @property
    def ours(self) -> list[str]:
        """The lines on stderr that are ours."""
        return [line for line in self.stderr.splitlines() if "keyring-fallback" in line]


def play(stage: Stage, *calls: list[Any], timeout: float = 60.0, wait: bool = True) -> Outcome:
    """Make calls in one program of the stage's environment; a tool may take *timeout* seconds for each.

    *wait* tells whether to wait for what it has started.
    """
    mark = uuid.uuid4().hex
    variables = {**stage.env(), MARK: mark, "KEYRING_PROPERTY_FALLBACK_TIMEOUT": str(timeout)}
    result = run([stage.environment.python, "-c", PROGRAM], env=variables, stdin=json.dumps(calls), check=True)
    return Outcome(json.loads(result.stdout), result.stderr, left_over(mark) if wait else [])


def left_over(mark: str, seconds: float = 10.0) -> list[str]:
    """The command lines of the processes with this mark that still run after so many seconds, or none."""
    deadline = time.monotonic() + seconds
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def marked(mark: str) -> list[str]:
    """The command lines of the processes with this mark that run now."""
    if not HAS_PROC:  # macOS: it shows the environment of the user's own processes, but not that of system programs
        listing = run(["ps", "-A", "-E", "-ww", "-o", "command="], check=True).stdout
        return [line for line in listing.splitlines() if f"{MARK}={mark}" in line]
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                environ = file.read()
            if f"{MARK}={mark}".encode() in environ:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    found.append(file.read().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # ended meanwhile, or another user's
    return [line for line in found if line]  # a zombie has no command line


def false_interpreter(folder: Path, python: Path, source: str) -> Path:
    """Make an environment that looks like a tool and whose interpreter is the program *source*; return its root."""
    root = folder / "false"
    site = root / "lib" / "python3.11" / "site-packages"
    for name, entry_points in (
        ("keyring-25.7.0", ""),
        ("false_provider-1.0", "[keyring.backends]\nx = false_provider\n"),
    ):
        (site / f"{name}.dist-info").mkdir(parents=True)
        (site / f"{name}.dist-info" / "entry_points.txt").write_text(entry_points)
    (root / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
    (root / "bin").mkdir()
    executable(root / "bin" / "python", _FALSE_INTERPRETER.format(python=python) + textwrap.dedent(source))
    return root


def false_executable(folder: Path, source: str) -> Path:
    """Make a ``keyring`` whose interpreter cannot be told, a shell script; return its path."""
    folder.mkdir()
    return executable(folder / "keyring", "#!/bin/sh\n" + textwrap.dedent(source))


def executable(path: Path, text: str) -> Path:
    """Write an executable file."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


__all__ = ["HAS_PROC", "MARK", "Environment", "Outcome", "false_executable", "false_interpreter", "left_over", "play"]
