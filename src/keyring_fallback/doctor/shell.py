"""Commands as they are typed: for a POSIX shell, or for PowerShell where the platform is Windows.

Their `platform` is as `sys.platform` names it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence


def quoted(word: str, platform: str) -> str:
    """Return a word as it is typed in a shell."""
    if platform != "win32":
        return shlex.quote(word)
    return word if re.fullmatch(r"[\w.:/\\@%+=-]+", word) else _literal(word)


def command(words: Sequence[str], platform: str) -> str:
    """Return a command as it is typed; PowerShell takes a quoted first word for a text, and shows it."""
    line = " ".join(quoted(word, platform) for word in words)
    return f"& {line}" if platform == "win32" and line.startswith("'") else line


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def variable(name: str, value: str, platform: str, command: str = "") -> str:
    """Return the command that sets an environment variable, for a command or for all that come; "" removes it."""
    if not value:
        return f"Remove-Item Env:{name}" if platform == "win32" else f"unset {name}"
    return _set(name, _literal(value) if platform == "win32" else shlex.quote(value), platform, command)


def first_on_path(folder: str, platform: str, command: str = "") -> str:
    """Return the command that puts a folder first on PATH: for a command, or for all that come."""
    value = f"{_literal(folder)} + ';' + $env:PATH" if platform == "win32" else f"{shlex.quote(folder)}:$PATH"
    return _set("PATH", value, platform, command)


def _set(name: str, expression: str, platform: str, command: str) -> str:
    if platform == "win32":
        return f"$env:{name} = {expression}" + (command and f"; {command}")
    return f"{name}={expression} {command}" if command else f"export {name}={expression}"
