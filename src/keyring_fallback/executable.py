"""From an executable ``keyring`` to the interpreter that runs it, by reading a few kilobytes."""

from __future__ import annotations

import os

from . import environment, places
from .records import Record

_HEAD_BYTES = 4096
#: The largest of the launchers on Windows has some 200 kilobytes; what is larger is none of them.
_MAX_LAUNCHER_BYTES = 1 << 20
#: The second line of a script whose interpreter's path does not fit after ``#!``, before and after that path
#: (distlib scripts.py, uv-install-wheel wheel.rs, pypa/installer scripts.py; conda portability.py: one line with #''').
_EXEC, _TAIL = "'''exec' ", '"$0" "$@"'
#: What stands there before the interpreter's name in relocatable environments (uv-install-wheel wheel.rs, now and in
#: uv 0.2.31 to 0.4.20).
_BESIDE = ('"$(dirname -- "$(realpath -- "$0")")"/', '"$(CDPATH= cd -- "$(dirname -- "$0")" && echo "$PWD")"/')


class Target(Record):
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
        return Target(broken="it is a link to nothing" if os.path.islink(path) else "it is not a file")
    root = os.path.dirname(os.path.dirname(real))
    if environment.is_environment(root):
        return environment_target(root, platform)  # right in moved environments too
    try:
        found = _side_file(path, platform)
        if not found:
            found = _launched(real) if platform == "win32" else _scripted(real)
    except OSError as error:
        return Target(broken=f"it cannot be read ({error.strerror})")
    if not found:
        return Target()
    if not places.is_absolute(found):
        return Target(broken=f"its interpreter {found} is not an absolute path")
    return interpreter_target(found, platform) if is_python(found) else Target()


def environment_target(root: str, platform: str) -> Target:
    """Return what an environment runs."""
    return _checked(Target(root, environment.interpreter(root, platform)), platform)


def interpreter_target(path: str, platform: str) -> Target:
    """Return what an interpreter runs: its environment, or itself if it is a plain one."""
    folder = os.path.dirname(path)
    # conda's on Windows stands in the environment's root
    roots = [os.path.dirname(folder), folder] if platform == "win32" else [os.path.dirname(folder)]
    return _checked(Target(next(filter(environment.is_environment, roots), ""), path), platform)


def _checked(target: Target, platform: str) -> Target:
    missing = "" if os.path.isfile(target.interpreter) else target.interpreter
    if platform == "win32" and target.root and not missing:
        # Scripts\\python.exe is a launcher's copy, which outlives the Python that it starts
        home = environment.settings_of(target.root).get("home", "")
        base = os.path.join(home, "python.exe")
        missing = base if home and not os.path.lexists(base) else ""
    return target._replace(broken=f"its interpreter {missing} is missing") if missing else target


def is_python(path: str) -> bool:
    """Tell whether a path's last part names a Python interpreter."""
    return os.path.basename(path).lower().startswith(("python", "pypy"))


def _scripted(real: str) -> str:
    return script_interpreter(os.fsdecode(environment.read_head(real, _HEAD_BYTES)), os.path.dirname(real))


def script_interpreter(head: str, folder: str) -> str:
    """Return the program that a script names as its interpreter, or "" if it does not tell.

    Args:
        head: The beginning of the script.
        folder: The folder of the script, links resolved.
    """
    first, _, rest = head.partition("\n")
    if not first.startswith("#!"):
        return ""
    if first.rstrip() == "#!/bin/sh":
        line = rest.partition("\n")[0].rstrip().removesuffix("#'''").rstrip()
        if line.startswith(_EXEC) and line.endswith(_TAIL):
            return _unquoted(line[len(_EXEC) : -len(_TAIL)].strip(), folder)
    # the rest of the line is one argument for the kernel
    words = first[2:].replace("\t", " ").split()
    return words[0] if words else ""


def _unquoted(text: str, folder: str) -> str:
    for before in _BESIDE:
        if text.startswith(before):
            return os.path.join(folder, _unquoted(text[len(before) :], folder))
    if len(text) > 1 and text[0] == text[-1] == '"':  # distlib, conda: nothing is escaped
        return text[1:-1]
    if len(text) > 1 and text[0] == text[-1] == "'":  # uv, pypa/installer: as shlex.quote does it
        return text[1:-1].replace("'\"'\"'", "'")
    return text


def _side_file(path: str, platform: str) -> str:
    """Return the interpreter that a file beside a native launcher names, or ""."""
    folder, name = os.path.split(path)
    # pixi (trampoline.rs): the executable that the trampoline runs
    configuration = os.path.join(folder, "trampoline_configuration", name.removesuffix(".exe") + ".json")
    if os.path.isfile(configuration):
        import json

        try:
            executable = json.loads(environment.read_head(configuration))["exe"]
            above = os.path.dirname(executable), os.path.dirname(os.path.dirname(executable))
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""
        root = next(filter(environment.is_environment, above), "")
        return environment.interpreter(root, platform) if root else ""
    # python.org's install manager (aliasutils.py)
    if platform == "win32" and os.path.isfile(path + ".__target__"):
        return environment.read_head(path + ".__target__").decode("utf-8-sig", "replace").strip()
    # Scoop (lib/core.ps1): the executable that the shim runs, followed once
    shim = os.path.splitext(path)[0] + ".shim"
    if platform == "win32" and os.path.isfile(shim):
        for line in environment.read_head(shim).decode("utf-8-sig", "replace").splitlines():
            key, _, value = line.partition("=")
            executable = value.strip().strip('"')
            if key.strip() == "path" and places.is_absolute(executable):
                root = os.path.dirname(os.path.dirname(executable))
                known = environment.is_environment(root)
                return environment.interpreter(root, platform) if known else _launched(executable)
    return ""


def _launched(path: str) -> str:
    """Return the interpreter that a launcher on Windows runs, or "".

    uv's (uv-trampoline-builder, all releases), distlib's and pypa/installer's (distlib scripts.py) hold a zip archive
    whose ``__main__.py`` has the interpreter in its first line, or that line before the archive.
    """
    import zipfile

    if os.path.getsize(path) > _MAX_LAUNCHER_BYTES:
        return ""
    try:
        with zipfile.ZipFile(path) as archive, archive.open("__main__.py") as main:
            before, head = min(member.header_offset for member in archive.infolist()), main.read(_HEAD_BYTES)
        if not head.startswith(b"#!"):
            with open(path, "rb") as file:
                file.seek(max(before - _HEAD_BYTES, 0))
                head = b"".join(file.read(min(before, _HEAD_BYTES)).rpartition(b"#!")[1:])
    except Exception:  # there are many ways for an archive to be garbage
        return ""
    line = head.partition(b"\n")[0].decode("utf-8", "replace").strip()
    if not line.startswith("#!"):
        return ""
    quoted, end = line[2:].startswith('"'), line.lower().find(".exe") + len(".exe")
    return line[3:].partition('"')[0] if quoted else line[2:end]  # uv does not quote blanks; arguments may follow
