"""The environment of what we start, for the doctor too: it needs no keyring."""

from __future__ import annotations

import os

from ..discovery import trust, wsl
from ..discovery.places import is_remote
from ..discovery.tool import Survey, Tool
from ..discovery.trust import identity
from ..here import NESTED, Here
from ..hidden import Variables

#: Variables that belong to this environment's Python and would mislead another one.
DROPPED = (
    "PYTHONHOME",
    "PYTHONPATH",
    # what a start with -I reads nevertheless
    "PYTHONEXECUTABLE",  # CPython 3.11 and newer, Modules/getpath.py
    "__PYVENV_LAUNCHER__",  # the same, on macOS and Windows older ones too
    "_PYTHON_HOST_PLATFORM",  # Lib/sysconfig.py, since 3.3
    "_PYTHON_PROJECT_BASE",
    "_PYTHON_SYSCONFIGDATA_NAME",
)
#: Variables that change what a program does which is no Python tool of ours, or where it finds its library or bytecode
#: (CPython, Modules/getpath.py); ``-I`` ignores them anyhow.
_WITHOUT_ISOLATION = ("PYTHONINSPECT", "PYTHONOPTIMIZE", "PYTHONPLATLIBDIR", "PYTHONSTARTUP", "PYTHONWARNINGS")
#: Version managers' variables, of which those stay that say where their things are: the others choose a version, or
#: name a file that does (mise's settings.toml, asdf's "Environment variables", pyenv's COMMANDS.md).
_MANAGERS = ("MISE_", "__MISE_", "ASDF_", "PYENV_", "RTX_", "PROTO_")
_MANAGERS_HOMES = ("MISE_DATA_DIR", "ASDF_DIR", "ASDF_DATA_DIR", "PYENV_ROOT", "PROTO_HOME")
#: What names their folders, or leads to them: not if it is a project's.
_FOLDERS = (*_MANAGERS_HOMES, "XDG_", "HOME")
#: Where a program's libraries are looked for first, on Linux, AIX and macOS.
_LIBRARIES = (
    *("LD_LIBRARY_PATH", "LD_PRELOAD", "LIBPATH", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH"),
    *("DYLD_FALLBACK_LIBRARY_PATH", "DYLD_FALLBACK_FRAMEWORK_PATH", "DYLD_INSERT_LIBRARIES"),
)
#: What the tool's keyring uses where the user has selected a backend of ours, which it need not have.
_CHAINER = "keyring.backends.chainer.ChainerBackend"
_OURS = "keyring_fallback."
#: What has a Python program print UTF-8, without colours.
UTF_8 = {"PYTHONIOENCODING": "utf-8", "PYTHON_COLORS": "0"}
#: How the variables begin that providers of Windows read, and whose values mean the same there.
_TOLD_TO_WINDOWS = ("ARTIFACTS_KEYRING_", "VSS_NUGET_")


def child_environ(survey: Survey, tool: Tool) -> Variables:
    """Return the environment for a tool that we start; one that runs with ``-I`` ignores more by itself.

    Everything that is not named here stays: clouds', proxies', D-Bus's variables, HOME.
    """
    here = survey.here
    judge = trust.Trust(here)
    dropped = {*DROPPED, *trust.foreign_variables(here, judge)}
    if not (tool.interpreter and tool.isolated):
        dropped.update(_WITHOUT_ISOLATION)
    passed = (one for one in here.environ if one not in dropped and not one.startswith("VIRTUAL_ENV"))
    environ: dict[str, str] = {name: here.environ[name] for name in passed}
    if not tool.interpreter:  # it may be a version manager's shim, which chooses a program by its folder or by these
        foreign = {one for one in environ if one.startswith(_FOLDERS) and judge.project(environ[one])}
        kept = {*_MANAGERS_HOMES, *(one for one in environ if not one.startswith(_MANAGERS))} - foreign
        environ = {name: environ[name] for name in environ if name in kept}
        environ["PWD"] = neutral_folder(here)
    if survey.settings.selected.startswith(_OURS):
        environ["PYTHON_KEYRING_BACKEND"] = _CHAINER
    if "PATH" in environ:
        environ["PATH"] = _path_behind(environ["PATH"], here, judge)
    if here.bundle:
        _leave_bundle(environ, here.bundle)
    environ[NESTED] = "1"
    if wsl.drives():  # Windows sees the variables that this one names, which may be set later
        told = (NESTED, *UTF_8, *(name for name in environ if name.startswith(_TOLD_TO_WINDOWS)))
        environ["WSLENV"] = ":".join(filter(None, [environ.get("WSLENV", ""), *told]))
    return Variables(environ)


def neutral_folder(here: Here) -> str:
    """Return a folder that no project chooses programs in: the home folder, or the root."""
    ours = here.home and os.path.isdir(here.home) and not trust.Trust(here).project(here.home)
    return here.home if ours else os.path.abspath(os.sep)


def _leave_bundle(environ: dict[str, str], bundle: str) -> None:
    """Take the libraries of a frozen program away: they are of its Python's and its system's age.

    What PyInstaller has replaced, it keeps (PyInstaller 6.16, bootloader/src/pyi_utils_posix.c).
    """
    for name in _LIBRARIES:
        value = environ.pop(name, "")
        entries = environ.pop(f"{name}_ORIG", value).split(":")
        if kept := [one for one in entries if one and not f"{one}/".startswith(f"{bundle}/")]:
            environ[name] = ":".join(kept)


def _path_behind(path: str, here: Here, judge: trust.Trust) -> str:
    """Return PATH with this environment's scripts, what a project brings and what others can write to at its end.

    A script may begin with ``#!/usr/bin/env python3``, and a provider runs ``az`` or an AWS credential process by name,
    which may be there only; but its ``python`` and its ``keyring`` are not ours.
    """
    scripts = {os.path.dirname(here.executable), os.path.join(here.prefix, "bin"), os.path.join(here.prefix, "Scripts")}
    ours = {identity(folder) for folder in scripts if here.virtual and os.path.isabs(folder)} - {None}

    def is_behind(entry: str) -> bool:  # another machine's is not, and might not answer
        if not os.path.isabs(entry):
            return True
        if is_remote(entry, here.platform):
            return False
        of_others = here.platform != "win32" and any(judge.others([entry]))
        return identity(entry) in ours or of_others or bool(judge.project(entry))

    return os.pathsep.join(sorted(path.split(os.pathsep), key=is_behind))
