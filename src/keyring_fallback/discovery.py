"""Finds the globally installed keyring tools, what they add to this environment, and why others are turned down."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from . import environment, executable, places, trust
from .records import Record

#: The source of the tools that the user has named.
SETTING = "setting"


class Here(Record):
    """This environment and what surrounds it.

    Attributes:
        environ: The environment variables.
        home: The user's home folder, or "".
        platform: As `sys.platform` names it.
        cwd: The working directory, or "" if it is gone.
        prefix: The root of this environment.
        virtual: Whether it is a virtual environment.
        executable: This interpreter.
        sys_path: Where modules are imported from.
        uid: The user's id, or -1 where there are none.
    """

    environ: Mapping[str, str]
    home: str
    platform: str
    cwd: str
    prefix: str
    virtual: bool
    executable: str
    sys_path: Sequence[str]
    uid: int


class Tool(Record):
    """A globally installed keyring.

    Attributes:
        source: How it was found.
        path: Where: an environment's root, or an executable.
        root: The root of its environment, or "" if it has none of its own.
        interpreter: Its interpreter, or "": then `path` is run.
        content: What it holds.
        adds: The providers that this environment lacks.
        own: The modules of keyring's own backends that may work over there only.
        known: Whether `adds` and `own` are all that it can add.
    """

    source: str
    path: str
    root: str
    interpreter: str
    content: environment.Content = environment.Content(complete=False, shares=True)
    adds: tuple[environment.Provider, ...] = ()
    own: tuple[str, ...] = ()
    known: bool = False

    @property
    def useful(self) -> bool:
        """Whether it can add something."""
        return bool(self.adds or self.own) or not self.known

    @property
    def isolated(self) -> bool:
        """Whether its interpreter needs nothing from outside of its environment: the user's site-packages."""
        return bool(self.root) and not self.content.shares

    @property
    def identity(self) -> str:
        """What is one and the same for a tool that is found at several places."""
        return os.path.realpath(self.root or self.interpreter or self.path)


class Refusal(Record):
    """A candidate that was turned down: how and where it was found, and why it is not used."""

    source: str
    path: str
    reason: str


class Findings(Record):
    """What `find` has found.

    Attributes:
        tools: In the order in which they are asked.
        refusals: The candidates that were turned down.
        at_home: Whether this environment is itself a globally installed tool.
        local: What this environment holds.
    """

    tools: tuple[Tool, ...]
    refusals: tuple[Refusal, ...]
    at_home: bool
    local: environment.Content


def find(here: Here, chosen: Sequence[str] = ()) -> Findings:
    """Return the tools, by looking at files only. Never raises.

    Args:
        here: This environment.
        chosen: The interpreters, environments or executables that the user has named; none: they are searched for.
    """
    tools: dict[str, Tool] = {}
    refusals: dict[Refusal, None] = {}
    at_home = myself = False
    me = _roots_of(here)
    for place, target in _chosen(here, chosen) if chosen else _searched(here):
        tool = Tool(place.source, place.path, target.root, target.interpreter)
        reason = target.broken
        if not reason and tool.identity in tools:
            continue
        if not reason and _is_me(here, me, tool):
            reason, myself = "it is this environment itself", True
            at_home = at_home or place.source == SETTING or (place.dedicated and bool(tool.root))
        reason = reason or _not_global(here, place, tool)
        if not reason and tool.root:
            tool = tool._replace(content=environment.read(tool.root, here.platform))
            without = tool.content.complete and not tool.content.keyring
            reason = "it has no keyring" if without else tool.content.unreadable
        reason = reason or _open_to_others(here, tool)
        if reason:
            refusals[Refusal(place.source, place.path, reason)] = None
        else:
            tools[tool.identity] = tool
    local = environment.read_path(here.sys_path) if tools else environment.Content()
    found = [_compared(tool, local, here.platform) for tool in tools.values()]
    if not chosen:
        # stable: those that surely add something, those that surely do not, those that may; each in the places' order
        found.sort(key=lambda tool: 0 if tool.adds or (tool.known and tool.own) else 1 if tool.known else 2)
    # a plain interpreter is a tool for other environments, but no reason for it to do without a better one
    return Findings(tuple(found), tuple(refusals), at_home or (myself and not here.virtual and not found), local)


def _searched(here: Here) -> Iterator[tuple[places.Place, executable.Target]]:
    """Yield what is at the known places and on PATH, with what it runs or why it is none."""
    for place, unseen in places.candidates(here.environ, here.home, here.platform):
        yield place, executable.Target(broken=unseen) if unseen else _target(here, place)


def _target(here: Here, place: places.Place) -> executable.Target:
    if not places.is_absolute(place.path):
        return executable.Target(broken=f"what {place.variable} says is not an absolute path")
    reason = _project_reason(here, place, place.path)
    if reason:
        return executable.Target(broken=reason)
    if place.kind == places.ENVIRONMENT:
        if not environment.is_environment(place.path):
            return executable.Target(broken="it is not an environment: it has no file pyvenv.cfg")
        return executable.environment_target(place.path, here.platform)
    target = executable.target(place.path, here.platform)
    if not target.broken and not target.interpreter and not os.access(place.path, os.X_OK):
        return executable.Target(broken="it cannot be executed")
    return target


def _chosen(here: Here, chosen: Sequence[str]) -> Iterator[tuple[places.Place, executable.Target]]:
    """Yield what the user has named, with what it runs or why it cannot be used."""
    for path in chosen:
        if environment.is_environment(path):
            target = executable.environment_target(path, here.platform)
        elif os.path.isdir(path):
            target = executable.Target(broken="it is neither an environment nor a file")
        elif executable.is_python(path) and os.path.isfile(path):
            target = executable.interpreter_target(path, here.platform)
        else:
            target = executable.target(path, here.platform)
        if not target.broken and not os.access(target.interpreter or path, os.X_OK):
            target = executable.Target(broken="it cannot be executed")
        yield places.Place(SETTING, places.FOLDER, path), target


def _roots_of(here: Here) -> set[tuple[int, int]]:
    """Return the identity of every environment whose modules are imported here.

    In an overlay (``uv run --with``) sys.prefix is a temporary environment, and the project's is on sys.path only.
    """
    folders = [here.prefix]
    for entry in here.sys_path:
        if os.path.basename(entry) in ("site-packages", "dist-packages"):
            folders += list(trust.folders_above(entry))[:3]  # lib/python3.13/site-packages, Lib/site-packages
    return {one for one in map(trust.identity, folders) if one is not None}


def _is_me(here: Here, me: set[tuple[int, int]], tool: Tool) -> bool:
    """Tell whether a candidate is this environment: by its root, never by its interpreter's real path.

    The interpreters of all environments of one base Python are one file; only a tool without an environment of its
    own, seen from an interpreter without one, is told by it.
    """
    if tool.root:
        return trust.identity(tool.root) in me
    if not tool.interpreter:
        return False
    if here.virtual:  # only if the base interpreter lends us its site-packages
        return any(trust.identity(folder) in me for folder in list(trust.folders_above(tool.interpreter))[:2])
    return trust.identity(tool.interpreter) == trust.identity(here.executable)


def _project_reason(here: Here, place: places.Place, path: str) -> str:
    if not place.variable:
        return ""  # a fixed place, or the user has named it
    return trust.project_reason(path, here.cwd, here.prefix if here.virtual else "", here.home)


def _not_global(here: Here, place: places.Place, tool: Tool) -> str:
    """Return why a candidate is none of the user's global tools, or ""."""
    for path in filter(None, (tool.root, tool.interpreter)):
        reason = _project_reason(here, place, path)
        if reason:
            return reason
    if place.source != places.PATH or not tool.root:
        return ""
    active = [here.environ.get("VIRTUAL_ENV", "")]
    if here.environ.get("CONDA_DEFAULT_ENV") != "base":
        active.append(here.environ.get("CONDA_PREFIX", ""))
    if trust.identity(tool.root) in map(trust.identity, filter(None, active)):
        return "it is an activated environment, not a global tool"
    return trust.cache_reason(tool.root)


def _open_to_others(here: Here, tool: Tool) -> str:
    """Return why others may decide what a candidate runs, or ""."""
    paths = [tool.path, tool.root, tool.interpreter, *tool.content.folders]
    settings = os.path.join(tool.root, "pyvenv.cfg")
    if tool.root and os.path.exists(settings):
        paths.append(settings)
    return trust.permission_reason(filter(None, paths), here.uid)


def _compared(tool: Tool, local: environment.Content, platform: str) -> Tool:
    """Return a tool with what it adds to what this environment holds."""
    here = {provider.module for provider in local.providers}
    adds = tuple(provider for provider in tool.content.providers if provider.module not in here)
    known = tool.content.complete
    own: tuple[str, ...] = ()
    if platform not in ("win32", "darwin"):  # there keyring's own backend needs nothing that can be missing
        own = tuple(
            module
            for module, needed in environment.OPTIONAL.items()
            if needed not in local.optional and (needed in tool.content.optional or not known)
        )
    return tool._replace(adds=adds, own=own, known=known)
