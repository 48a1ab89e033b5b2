"""Finds the real Python interpreters of this machine by name: "3.8" ... "3.15", "pypy3"."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from . import machine

if TYPE_CHECKING:
    from collections.abc import Iterator

# Prints who the interpreter is.
_WHO = (
    "import json, os, platform, sys\n"
    "base = getattr(sys, '_base_executable', None) or sys.executable\n"
    # PyPy in a virtual environment names itself here.
    "if sys.prefix != sys.base_prefix and base.startswith(sys.prefix): base = os.path.realpath(base)\n"
    "print(json.dumps([platform.python_implementation(), '%d.%d' % sys.version_info[:2], base]))"
)


@cache
def current() -> Path:
    """The interpreter that the running one's environment was made from."""
    identity = _identity(Path(sys.executable))
    return Path(identity[2] if identity else sys.executable)


@cache
def find(name: str) -> Path | None:
    """The interpreter called *name* ("3.12", "pypy3"), or None if this machine has none that really starts."""
    for candidate in _candidates(name):
        if (executable := _really(candidate, name)) is not None:
            return executable
    return None


def available() -> list[str]:
    """The names of all CPython versions that this machine has, oldest first."""
    return [name for name in (f"3.{minor}" for minor in range(8, 16)) if find(name)]


def _candidates(name: str) -> Iterator[Path]:
    """Everything that may be the interpreter called *name*, the likeliest first."""
    yield current()
    program = name if name.startswith("pypy") else f"python{name}"
    suffix = ".exe" if machine.WINDOWS else ""
    for entry in machine.ENVIRON.get("PATH", "").split(os.pathsep):
        if entry and (path := Path(entry, program + suffix)).is_file():
            yield path
    number = name.removeprefix("pypy")
    for versions in _version_folders():
        # The folder of a pyenv version is called 3.12.1 or pypy3.10-7.3.15, of a uv one cpython-3.12.1-linux-...
        pattern = rf"(cpython-)?{re.escape(number)}\b.*" if program.startswith("python") else rf"pypy-?{number}.*"
        for folder in sorted(versions.iterdir(), reverse=True):
            if re.fullmatch(pattern, folder.name):
                yield folder / ("python.exe" if machine.WINDOWS else "bin/python")
    if machine.WINDOWS and program.startswith("python"):
        argv = ["py", f"-{name}", "-c", "import sys; print(sys.executable)"]
        if (answer := _output(argv)) is not None:
            yield Path(answer)


def _version_folders() -> Iterator[Path]:
    """The folders below which pyenv and uv keep the Pythons that they installed."""
    roots = [Path(root) for root in (machine.ENVIRON.get("PYENV_ROOT"), machine.ENVIRON.get("PYENV")) if root]
    for home in machine.homes():
        roots += [home / ".pyenv", home / ".pyenv" / "pyenv-win"]
    folders = [root / "versions" for root in roots]
    if (uv_python := _output([machine.uv(), "python", "dir"])) is not None:
        folders.append(Path(uv_python))
    return (folder for folder in dict.fromkeys(folders) if folder.is_dir())


def _really(path: Path, name: str) -> Path | None:
    """The real path of the interpreter at *path* if it starts and is called *name*."""
    if (identity := _identity(path)) is None:
        return None
    implementation, version, executable = identity
    if name.startswith("pypy"):
        right = implementation == "PyPy" and name[len("pypy") :] in ("", "3", version)
    else:
        right = implementation == "CPython" and version == name
    return Path(executable) if right else None


@cache
def _identity(path: Path) -> tuple[str, str, str] | None:
    """Implementation, version and own path of the interpreter at *path*, or None if it does not start."""
    # A shim of pyenv is there and executable, and fails when it is run: only a start tells.
    if (answer := _output([os.fspath(path), "-I", "-c", _WHO])) is None:
        return None
    try:
        implementation, version, executable = json.loads(answer)
    except ValueError:
        return None
    return implementation, version, executable


def _output(argv: list[str]) -> str | None:
    """What the program prints on stdout, or None if it could not be started or failed."""
    try:
        result = subprocess.run(
            argv, env=machine.ENVIRON, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip() if result.returncode == 0 else None
