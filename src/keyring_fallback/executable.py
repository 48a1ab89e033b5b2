"""From an executable ``keyring`` to the interpreter that runs it, by reading a few kilobytes."""

from __future__ import annotations

import json
import os
import shlex
from typing import NamedTuple

from . import environment

_HEAD_BYTES = 4096
#: The second line of a script whose interpreter's path does not fit after ``#!``, before and after that path
#: (distlib scripts.py, uv-install-wheel wheel.rs, pypa/installer scripts.py; conda portability.py: one line with #''').
_EXEC, _TAIL = "'''exec' ", '"$0" "$@"'
#: What stands before the interpreter's name in relocatable environments (uv-install-wheel wheel.rs, now and 0.2.31-0.4.20).
_BESIDE = (
    '"$(dirname -- "$(realpath -- "$0")")"/',
    '"$(CDPATH= cd -- "$(dirname -- "$0")" && echo "$PWD")"/',
)


class Target(NamedTuple):
    """What an executable runs.

    Attributes:
        root: The environment's root, or "" for a plain interpreter or when it cannot be told.
        interpreter: The interpreter, or "" when it cannot be told: then the executable is asked itself.
        broken: Why it cannot run, or "".
    """

    root: str = ""
    interpreter: str = ""
    broken: str = ""


def target(path: str, platform: str) -> Target:
    """Return what an executable file runs.

    Args:
        path: Its absolute path.
        platform: As `sys.platform` names it.
    """
    real = os.path.realpath(path)
    if not os.path.isfile(real):
        return Target(broken="it is no file, or a link to nothing")
    root = os.path.dirname(os.path.dirname(real))
    if environment.is_environment(root):
        return environment_target(root, platform)
    try:
        head = environment.read_small(real, _HEAD_BYTES)
        found = "" if platform == "win32" else script_interpreter(head, os.path.dirname(real))
        found = found or _side_file(path, platform)
    except OSError as error:
        return Target(broken=f"it cannot be read ({error.strerror})")
    if not found:
        return Target()
    if not os.path.isabs(found) or "\0" in found:
        return Target()  # it depends on PATH or on the working directory
    root = os.path.dirname(os.path.dirname(found))
    return _checked(Target(root if environment.is_environment(root) else "", found))


def environment_target(root: str, platform: str) -> Target:
    """Return what an environment runs."""
    return _checked(Target(root, environment.interpreter(root, platform)), platform)


def _checked(target: Target, platform: str = "") -> Target:
    missing = "" if os.path.isfile(target.interpreter) else target.interpreter
    if platform == "win32" and not missing:
        # Scripts\\python.exe is a launcher's copy, which outlives the Python that it starts
        home = environment.settings_of(target.root).get("home", "")
        base = os.path.join(home, "python.exe")
        missing = base if home and not os.path.isfile(base) else ""
    return target._replace(broken=f"its interpreter {missing} is missing") if missing else target


def script_interpreter(head: str, folder: str) -> str:
    """Return the interpreter that a script names, or "" if it is no Python script or does not tell.

    Args:
        head: The beginning of the script.
        folder: The folder of the script, links resolved.
    """
    first, _, rest = head.partition("\n")
    if not first.startswith("#!"):
        return ""
    if first[2:].strip() == "/bin/sh":
        line = rest.partition("\n")[0].rstrip()
        line = line[: -len("#'''")].rstrip() if line.endswith("#'''") else line
        if not line.startswith(_EXEC) or not line.endswith(_TAIL):
            return ""
        return _quoted(line[len(_EXEC) : -len(_TAIL)].strip(), folder)
    name = first[2:].strip().split(" ")[0].split("\t")[0]
    return name if is_python(name) else ""


def _quoted(text: str, folder: str) -> str:
    for before in _BESIDE:
        if text.startswith(before):  # first: shlex would take it apart
            return os.path.join(folder, _unquoted(text[len(before) :]))
    if len(text) > 1 and text[0] == text[-1] == '"':  # distlib: nothing is escaped
        return text[1:-1]
    return _unquoted(text)


def _unquoted(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError:
        return ""
    return words[0] if words else ""


def is_python(name: str) -> bool:
    """Tell whether a path's last part names a Python interpreter."""
    return os.path.basename(name).lower().startswith(("python", "pypy"))


def _side_file(path: str, platform: str) -> str:
    """Return the interpreter that a file beside a native launcher names."""
    folder, name = os.path.split(path)
    stem = name[:-4] if name.lower().endswith(".exe") else name
    # pixi (trampoline.rs): the executable that the trampoline runs
    configuration = os.path.join(folder, "trampoline_configuration", stem + ".json")
    if os.path.isfile(configuration):
        try:
            executable = json.loads(environment.read_small(configuration))["exe"]
            root = os.path.dirname(os.path.dirname(executable))
            if platform == "win32" and not environment.is_environment(root):
                root = os.path.dirname(executable)
        except (ValueError, KeyError, TypeError):
            return ""
        return environment.interpreter(root, platform) if environment.is_environment(root) else ""
    if platform == "win32" and os.path.isfile(path + ".__target__"):  # python.org's install manager (aliasutils.py)
        return environment.read_small(path + ".__target__").strip()
    return ""
