"""Asks the tools: in which order, how each is run, in which environment, and which of its backends are asked."""

from __future__ import annotations

import os
from typing import Any

from keyring.backend import get_all_keyring
from keyring.errors import KeyringError, PasswordDeleteError

from .. import hints
from ..discovery.places import is_remote
from ..discovery.tool import Tool
from ..discovery.trust import identity
from ..errors import NotAskedError, ToolError
from ..here import Here
from ..hidden import Variables
from ..survey import DROPPED, NESTED, Survey
from . import bridge, trace
from .call import Call, Invocation, Reply, Setup

#: Variables that change what a program does which is no Python tool of ours; ``-I`` ignores them anyhow.
_DROPPED_WITHOUT_ISOLATION = ("PYTHONINSPECT", "PYTHONSTARTUP", "PYTHONWARNINGS")
#: Where a program's libraries are looked for first, on Linux, AIX and macOS.
_LIBRARIES = (
    *("LD_LIBRARY_PATH", "LD_PRELOAD", "LIBPATH", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH"),
    *("DYLD_FALLBACK_LIBRARY_PATH", "DYLD_FALLBACK_FRAMEWORK_PATH", "DYLD_INSERT_LIBRARIES"),
)
#: What the tool's keyring uses where the user has selected a backend of ours, which it need not have.
_CHAINER = "keyring.backends.chainer.ChainerBackend"
_OURS = "keyring_fallback."
#: As long as a helper runs, Windows neither removes nor replaces the tool's files.
_WINDOWS_IDLE_SECONDS = 4.0
#: How the variables begin that providers of Windows read, and whose values mean the same there.
_TOLD_TO_WINDOWS = ("ARTIFACTS_KEYRING_", "VSS_NUGET_", "PYTHONIOENCODING")


def ask_tools(survey: Survey, call: Call, *, everything: bool, idle: float = 0.0) -> Any:
    """Return the first answer of a tool, or None; for what is stored or deleted, True is the answer.

    Args:
        survey: What is in force.
        call: What is asked.
        everything: Whether to ask all backends of a tool, not only what this environment lacks.
        idle: See `Invocation.idle`.

    Raises:
        KeyringError: There is no answer, and a tool or a provider failed.
    """
    if not survey.delegates(call.service):
        return None
    failures: list[KeyringError] = []
    for tool in survey.findings.tools:
        if not (everything or tool.lent or _can_serve(tool, call.service)):
            continue
        try:
            with trace.Question(trace.Kind.TOOL, tool.location, *call[:3]) as question:
                reply = ask(survey, tool, call, everything=everything, idle=idle)
                question.replied(reply.answer, reply.backend, reply.failures + reply.unloaded)
        except NotAskedError as error:
            failures.append(error)
            continue
        except ToolError as error:
            reply = Reply(failures=(error,))
        if reply.answer is not None:
            return reply.answer
        failures += reply.failures + reply.unloaded
        if not call.method.startswith("get") and not all(
            isinstance(one, PasswordDeleteError) for one in reply.failures
        ):
            break  # it has failed, or may have been done: another tool must not do it instead
    if failures:
        raise failures[0]
    return None


def ask(survey: Survey, tool: Tool, call: Call, *, everything: bool, idle: float = 0.0) -> Reply:
    """Ask one tool; the arguments are those of `ask_tools`.

    Raises:
        ToolError: The tool could not be asked.
    """
    if tool.lent:
        from . import lent  # few people have a lender

        return lent.ask(tool, call, survey.settings.timeout)
    isolated = bool(tool.interpreter) and tool.isolated
    windows = tool.windows or survey.here.platform == "win32"
    invocation = Invocation(
        (tool.interpreter or tool.path, *(["-I"] if isolated else [])),
        child_environ(survey, isolated=isolated),
        tool.name,
        survey.settings.timeout,
        tool.content,
        idle=idle or (_WINDOWS_IDLE_SECONDS if windows else 0.0),
        shared=not tool.windows,
        windows=windows,
    )
    if tool.interpreter:
        return bridge.ask(invocation, _setup(survey, tool, everything=everything), call)
    from . import command_line  # most tools have an interpreter that can be told

    return command_line.ask(invocation, call)


def _can_serve(tool: Tool, service: object) -> bool:
    """Tell whether a tool may have an answer; if in doubt, it may."""
    if not tool.useful:
        return False
    if not tool.known or tool.own or hints.is_url(service):
        return True
    return not all(hints.only_urls(provider.distribution, provider.version) for provider in tool.adds)


def _setup(survey: Survey, tool: Tool, *, everything: bool) -> Setup:
    if everything:
        return Setup(everything=True, entry_points=(), own=(), skip=())
    viable = {type(backend).__module__ for backend in get_all_keyring()}
    return Setup(
        everything=False,
        entry_points=tuple(provider.value for provider in tool.adds) if tool.known else None,
        own=tuple(module for module in tool.own if module not in viable),  # no second prompt, no second hang
        skip=tuple(provider.module for provider in survey.findings.local.providers),
    )


def child_environ(survey: Survey, *, isolated: bool) -> Variables:
    """Return the environment for what we start.

    Everything that is not named here stays: clouds', proxies', D-Bus's variables, HOME.

    Args:
        survey: What is in force.
        isolated: Whether the program is an interpreter that is run with ``-I``.
    """
    dropped = DROPPED if isolated else DROPPED + _DROPPED_WITHOUT_ISOLATION
    environ: dict[str, str] = {
        name: value
        for name, value in survey.here.environ.items()
        if name not in dropped and not name.startswith("VIRTUAL_ENV")
    }
    if survey.settings.selected.startswith(_OURS):
        environ["PYTHON_KEYRING_BACKEND"] = _CHAINER
    if survey.here.virtual and "PATH" in environ:
        environ["PATH"] = _path_without(environ["PATH"], survey.here)
    if survey.here.bundle:
        _leave_bundle(environ, survey.here.bundle)
    environ[NESTED] = "1"
    if "WSL_DISTRO_NAME" in environ:  # Windows sees the variables that this one names
        told = [name for name in environ if name == NESTED or name.startswith(_TOLD_TO_WINDOWS)]
        environ["WSLENV"] = ":".join(filter(None, [environ.get("WSLENV", ""), *told]))
    return Variables(environ)


def _leave_bundle(environ: dict[str, str], bundle: str) -> None:
    """Take the libraries of a frozen program away: they are of its Python's and its system's age.

    What PyInstaller has replaced, it keeps (PyInstaller 6.16, bootloader/src/pyi_utils_posix.c).
    """
    for name in _LIBRARIES:
        value = environ.pop(name, "")
        entries = environ.pop(f"{name}_ORIG", value).split(":")
        if kept := [one for one in entries if one and not f"{one}/".startswith(f"{bundle}/")]:
            environ[name] = ":".join(kept)


def _path_without(path: str, here: Here) -> str:
    """Return PATH without this environment's scripts: a provider there may run ``keyring`` or ``python`` by name."""
    scripts = {os.path.dirname(here.executable), os.path.join(here.prefix, "bin"), os.path.join(here.prefix, "Scripts")}
    ours = {identity(folder) for folder in scripts if os.path.isabs(folder)} - {None}
    kept = [
        entry
        for entry in path.split(os.pathsep)
        # another machine's is not ours, and might not answer
        if not os.path.isabs(entry) or is_remote(entry, here.platform) or identity(entry) not in ours
    ]
    return os.pathsep.join(kept)
