"""From an executable to the interpreter that runs it, by reading a few kilobytes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from ..here import Here, read_head
from ..records import Record
from . import environment, layout, places, wsl
from .tool import Kind, Reason

_HEAD_BYTES = 4096
_MAX_LAUNCHER_BYTES = 1 << 20  # the largest has 200 kilobytes
#: Around an interpreter that does not fit after ``#!``: distlib scripts.py, uv-install-wheel wheel.rs, pypa/installer
#: scripts.py, conda portability.py (which adds #''').
_EXEC, _TAIL = "'''exec' ", '"$0" "$@"'
#: An interpreter in the launcher's own folder (distlib's launchers: CPython, PC/launcher.c), in quotes, or with blanks
#: that uv does not quote; arguments may follow.
_LAUNCHED = re.compile(r'#![ \t]*(<launcher_dir>[\\/]*)?(?:"([^"\n]*)|([^"\s][^\n]*?\.(?i:exe)))')
#: With it a Mac runs programs of both kinds (XNU, mach/machine.h).
ROSETTA = "/Library/Apple/usr/libexec/oah/libRosettaRuntime"
_PROCESSORS = {"x86_64": b"\1\0\0\7", "arm64": b"\1\0\0\x0c"}


class Target(Record):
    """What an executable runs."""

    root: str = ""  #: The root of its environment, or "" if it has none or that cannot be told.
    interpreter: str = ""  #: The interpreter, or "" if it cannot be told: then the executable is asked itself.
    broken: Reason | None = None  #: Why it cannot run, or None.


def programs(name: str, here: Here, first: str = "", ends: Sequence[str] = (".exe",)) -> Iterator[str]:
    """Yield the programs of a name on PATH, where a relative entry, or an empty one, is below the working directory.

    `first` is a folder that comes before, or ""; `ends` is what the name may end with on Windows.
    """
    whole = here.platform != "win32" or name.lower().endswith(tuple(ends))
    names = [name] if whole else [name + end for end in ends]
    folders = [*filter(None, [first]), *here.environ.get("PATH", os.defpath).split(os.pathsep)]
    for path in (os.path.join(here.cwd, folder, one) for folder in folders for one in names):
        if os.path.isfile(path) and os.access(path, os.X_OK):
            yield path


def target(path: str, platform: str) -> Target:
    """Return what an executable file, an interpreter or an environment runs, by its absolute path."""
    if environment.is_environment(path):
        return _checked(Target(path, environment.interpreter(path, platform)), platform)
    is_batch = platform == "win32" and path.lower().endswith((".bat", ".cmd"))
    if is_batch or not os.path.isfile(path):  # nor is one what the system takes for a loop of links
        return Target(broken=Reason(Kind.BATCH_FILE) if os.path.isfile(path) else _missing(path))
    if is_python(path):
        return interpreter_target(path, platform)
    real = os.path.realpath(path)
    try:
        found = ("" if _root_of(real) else _side_file(path, platform)) or _interpreter_of(real, platform)
    except OSError as error:
        return Target(broken=Reason(Kind.UNREADABLE_ITSELF, detail=str(error.strerror)))
    if found and not places.is_absolute(found):
        remote = places.is_remote(found, platform)
        return Target(broken=Reason(Kind.INTERPRETER_REMOTE if remote else Kind.INTERPRETER_RELATIVE, found))
    return interpreter_target(found, platform) if is_python(found) else Target()


def _missing(path: str) -> Reason:
    """Return why there is no file."""
    try:
        os.stat(path)
    except PermissionError as error:
        return Reason(Kind.UNSEEN, detail=str(error.strerror))
    except (OSError, ValueError):
        pass
    return Reason(Kind.DEAD_LINK if os.path.islink(path) else Kind.NO_FILE)


def interpreter_target(path: str, platform: str) -> Target:
    """Return what an interpreter runs: its environment, or itself if it is a plain one."""
    return _checked(Target(_root_of(path), path), platform)


def _checked(target: Target, platform: str) -> Target:
    missing = "" if os.path.isfile(target.interpreter) else target.interpreter
    if platform == "win32" and target.root and not missing:
        # Scripts\\python.exe is a launcher, which outlives its Python
        home = wsl.seen(environment.settings_of(target.root).get("home", ""))
        base = os.path.join(home, "python.exe")
        missing = base if home and not os.path.lexists(base) else ""
    if missing:
        return target._replace(broken=Reason(Kind.INTERPRETER_MISSING, missing))
    program = layout.behind_stub(target.interpreter, platform)
    if not program or (platform == "darwin" and _is_foreign(program)):
        kind = Kind.INTERPRETER_FOREIGN if program else Kind.INTERPRETER_STUB
        return target._replace(broken=Reason(kind, target.interpreter))
    return target


def _is_foreign(program: str) -> bool:
    """Tell whether a program is for other processors than a Mac's without Rosetta (XNU, mach-o/loader.h, fat.h)."""
    try:
        head = read_head(program, _HEAD_BYTES)
    except OSError:
        return False
    found = [head[4:8][::-1]] if head.startswith(b"\xcf\xfa\xed\xfe") else []
    if head.startswith(b"\xca\xfe\xba\xbe"):
        found = [head[start : start + 4] for start in range(8, 8 + 20 * sum(head[7:8]), 20)]
    mine = _PROCESSORS.get(os.uname().machine) if found else None
    return bool(mine and found and mine not in found) and not os.path.exists(ROSETTA)


def is_windows(path: str) -> bool:
    """Tell whether a program or an environment is made for Windows."""
    return path.lower().endswith(".exe") or os.path.isdir(os.path.join(path, "Scripts"))


def is_python(path: str) -> bool:
    """Tell whether a path's last part names a Python interpreter."""
    return os.path.basename(path).lower().startswith(("python", "pypy"))


def _root_of(program: str) -> str:
    """Return the root of a program's environment, which is one folder up or, as conda's on Windows, beside it."""
    folder = os.path.dirname(program)
    return next(filter(environment.is_environment, (os.path.dirname(folder), folder)), "")


def _interpreter_of(program: str, platform: str) -> str:
    """Return the interpreter of a program's environment, since that may have moved, or else the one that it names."""
    if not places.is_absolute(program):
        return ""
    root = _root_of(program)
    if root:
        return environment.interpreter(root, platform)
    if platform == "win32":
        return _launched(program)
    return what_runs_script(program)[0]


def what_runs_script(program: str) -> tuple[str, str]:
    """Return what runs a script, by its path without links, and what ``env`` seeks then, or "". OSError: unreadable."""
    head = os.fsdecode(read_head(program, _HEAD_BYTES))
    by = script_interpreter(head, os.path.dirname(program))
    words = head.partition("\n")[0][2:].split()[1:] if os.path.basename(by) == "env" else []
    behind = (one.removeprefix("-S") for one in words if "=" not in one)
    return by, next((one for one in behind if one and not one.startswith("-")), "")


def script_interpreter(head: str, folder: str) -> str:
    """Return the program that a script's head names as its interpreter, or ""; `folder` is its own, links resolved."""
    first, _, rest = head.partition("\n")
    if not first.startswith("#!"):
        return ""
    line = rest.partition("\n")[0].rstrip().removesuffix("#'''").rstrip()
    if first.rstrip() != "#!/bin/sh" or not (line.startswith(_EXEC) and line.endswith(_TAIL)):
        # what follows is an argument
        return (first[2:].split(maxsplit=1) or [""])[0]
    named = line[len(_EXEC) : -len(_TAIL)].strip()
    beside = named.startswith('"$(')  # the script's folder, in uv's relocatable environments
    if beside:
        named = named.rpartition(')"/')[2]
    if len(named) > 1 and named[0] == named[-1] and named[0] in "\"'":
        # uv and pypa/installer quote as shlex.quote does, the others escape nothing
        named = named[1:-1].replace("'\"'\"'", "'")
    return os.path.join(folder, named) if beside else named


def _side_file(path: str, platform: str) -> str:
    """Return the interpreter that a file beside a native launcher leads to, or ""."""
    folder, name = os.path.split(path)
    # pixi (trampoline.rs): the executable that the trampoline runs
    file = os.path.join(folder, "trampoline_configuration", name.removesuffix(".exe") + ".json")
    if os.path.isfile(file):
        import json

        try:
            return _interpreter_of(json.loads(read_head(file))["exe"], platform)
        except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
            return ""
    if platform != "win32":
        return ""
    # python.org's install manager (aliasutils.py)
    if os.path.isfile(path + ".__target__"):
        return environment.decoded(read_head(path + ".__target__")).strip()
    # Scoop (lib/core.ps1): the executable that the shim runs, followed once
    file = os.path.splitext(path)[0] + ".shim"
    if os.path.isfile(file):
        values = {name: value for _, name, value in environment.options(environment.decoded(read_head(file)))}
        return _interpreter_of(values.get("path", "").strip('"'), platform)
    return ""


def _launched(path: str) -> str:
    """Return the interpreter that a launcher on Windows runs, or "".

    All hold a zip archive. The interpreter is in the first line of its ``__main__.py`` (uv-trampoline-builder) or in
    the line before the archive (distlib scripts.py, pypa/installer).
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
    except Exception:  # garbage comes in many ways
        return ""
    found = _LAUNCHED.match(head.decode("utf-8", "replace"))
    named = (found[2] or found[3] or "") if found else ""
    return os.path.join(os.path.dirname(path), named) if named and found and found[1] else wsl.seen(named)
