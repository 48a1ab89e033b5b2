"""Finds the globally installed keyring tools, what they add to this environment, and why others are turned down."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from . import environment, executable, places, trust


class Here(NamedTuple):
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


class Tool(NamedTuple):
    """A globally installed keyring.

    Attributes:
        source: How it was found.
        path: Where: an environment's root, or an executable.
        root: The root of its environment, or "" if it has none of its own.
        interpreter: Its interpreter, or "": then `path` is run.
        content: What it holds.
        adds: The providers that this environment lacks.
        own: The modules of keyring's own backends that can work over there only.
        known: Whether `adds` and `own` are all that it can add.
    """

    source: str
    path: str
    root: str
    interpreter: str
    content: environment.Content = environment.Content(complete=False)
    adds: tuple[environment.Provider, ...] = ()
    own: tuple[str, ...] = ()
    known: bool = False

    @property
    def useful(self) -> bool:
        """Whether it can add something."""
        return bool(self.adds or self.own) or not self.known


class Refusal(NamedTuple):
    """A candidate that was turned down: how and where it was found, and why it is not used."""

    source: str
    path: str
    reason: str


class Findings(NamedTuple):
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


SETTING = "setting"


def find(here: Here, chosen: Sequence[str] = ()) -> Findings:
    """Return the tools, by looking at files only. Never raises.

    Args:
        here: This environment.
        chosen: The interpreters, environments or executables that the user has named; none: they are searched for.
    """
    tools: list[Tool] = []
    refusals: list[Refusal] = []
    at_home = False
    seen: set[str] = set()
    candidates = _chosen(here, chosen) if chosen else _searched(here)
    me = _roots_of(here)
    for place, candidate in candidates:
        reason = candidate if isinstance(candidate, str) else ""
        if isinstance(candidate, Tool):
            identity = os.path.realpath(candidate.root) if candidate.root else candidate.interpreter or candidate.path
            if identity in seen:
                continue
            seen.add(identity)
            if _is_me(here, me, candidate):
                reason = "it is this environment itself"
                at_home = at_home or place.home or not here.virtual
            else:
                reason = _distrust(here, place, candidate)
            candidate = candidate if reason else _look_into(candidate, here.platform)
        if isinstance(candidate, Tool) and not reason:
            if not candidate.content.keyring and candidate.content.complete:
                reason = "it has no keyring"
            else:
                tools.append(candidate)
                continue
        refusals.append(Refusal(place.source, place.path if isinstance(candidate, str) else candidate.path, reason))
    local = environment.read_folders(_site_folders(here)) if tools else environment.Content()
    tools = [_compared(tool, local, here.platform) for tool in tools]
    if not chosen:
        # stable: equipped ones first, then those that may be, then bare ones, each in the order of the places
        tools.sort(key=lambda tool: 2 if not tool.useful else 0 if tool.adds or tool.known else 1)
    return Findings(tuple(tools), tuple(refusals), at_home, local)


def _searched(here: Here) -> Iterator[tuple[places.Place, Tool | str]]:
    name = "keyring.exe" if here.platform == "win32" else "keyring"
    activated = [here.environ.get(variable, "") for variable in ("VIRTUAL_ENV", "CONDA_PREFIX")]
    if here.environ.get("CONDA_DEFAULT_ENV") == "base":
        activated.pop()
    for place in (*places.known(here.environ, here.home, here.platform), *places.on_path(here.environ)):
        if place.kind == places.ENVIRONMENT:
            if environment.is_environment(place.path):
                target = executable.environment_target(place.path, here.platform)
                yield place, target.broken or Tool(place.source, place.path, target.root, target.interpreter)
            continue
        path = os.path.join(place.path, name)
        if not os.path.lexists(path):
            continue
        place = place._replace(path=path)
        if not places.is_absolute(path):
            yield place, "the entry of PATH is not an absolute path"
            continue
        reason = _project_reason(here, place, path)
        if reason:
            yield place, reason
            continue
        target = executable.target(path, here.platform)
        if target.broken:
            yield place, target.broken
        elif place.variable == "PATH" and target.root and any(_same(target.root, root) for root in activated if root):
            tool = Tool(place.source, path, target.root, target.interpreter)
            yield (
                place,
                tool if _is_me(here, _roots_of(here), tool) else "it is an activated environment, not a global tool",
            )
        elif target.interpreter or os.access(path, os.X_OK):
            yield place, Tool(place.source, path, target.root, target.interpreter)
        else:
            yield place, "it cannot be executed"


def _chosen(here: Here, chosen: Sequence[str]) -> Iterator[tuple[places.Place, Tool | str]]:
    for path in chosen:
        place = places.Place(SETTING, places.FOLDER, path)
        if os.path.isdir(path):
            if not environment.is_environment(path):
                yield place, "it is neither an environment nor a file"
                continue
            target = executable.environment_target(path, here.platform)
        elif executable.is_python(path) and os.path.isfile(path):
            root = os.path.dirname(os.path.dirname(path))
            if here.platform == "win32" and os.path.isdir(os.path.join(os.path.dirname(path), "conda-meta")):
                root = os.path.dirname(path)
            target = executable.Target(root if environment.is_environment(root) else "", path)
        else:
            target = executable.target(path, here.platform)
        if not target.broken and not os.access(target.interpreter or path, os.X_OK):
            target = target._replace(broken="it cannot be executed")
        yield place, target.broken or Tool(SETTING, path, target.root, target.interpreter)


def _roots_of(here: Here) -> set[tuple[int, int]]:
    """Return device and inode of every environment whose modules are imported here.

    In an overlay (``uv run --with``) sys.prefix is a temporary environment, and the project's is on sys.path only.
    """
    folders = [here.prefix]
    for entry in here.sys_path:
        if os.path.basename(entry) in ("site-packages", "dist-packages"):
            folder = entry
            for _ in range(3):  # lib/python3.13/site-packages; Lib/site-packages
                folder = os.path.dirname(folder)
                folders.append(folder)
    return {identity for identity in map(_identity, folders) if identity}


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _same(one: str, other: str) -> bool:
    return _identity(one) is not None and _identity(one) == _identity(other)


def _is_me(here: Here, me: set[tuple[int, int]], tool: Tool) -> bool:
    """Tell whether a candidate is this environment: by its root, never by its interpreter's real path.

    The interpreters of all environments of one base Python are one file; only a tool without an environment of its
    own, seen from an interpreter without one, is told by it.
    """
    if tool.root:
        return _identity(tool.root) in me
    if not tool.interpreter:
        return False
    if not here.virtual:
        return _same(tool.interpreter, here.executable)
    return _identity(os.path.dirname(os.path.dirname(tool.interpreter))) in me  # it lends us its site-packages


def _project_reason(here: Here, place: places.Place, path: str) -> str:
    if not place.variable:
        return ""  # a fixed place
    return trust.project_reason(path, here.cwd, here.prefix if here.virtual else "", here.home)


def _distrust(here: Here, place: places.Place, tool: Tool) -> str:
    """Return why a candidate must not be run, or ""."""
    files = [one for one in (tool.path, tool.root, tool.interpreter) if one]
    folders = [os.path.dirname(one) for one in (tool.path, tool.interpreter) if one]
    if place.source != SETTING:
        for path in files:
            reason = _project_reason(here, place, path)
            if reason:
                return reason
    return trust.permission_reason(files + folders, here.uid)


def _look_into(tool: Tool, platform: str) -> Tool:
    return tool._replace(content=environment.read(tool.root, platform)) if tool.root else tool


def _site_folders(here: Here) -> list[str]:
    library = os.path.dirname(os.__file__)
    return [
        entry
        for entry in here.sys_path
        if entry and not entry.startswith(library + os.sep + "lib-dynload") and entry != library
    ]


def _compared(tool: Tool, local: environment.Content, platform: str) -> Tool:
    """Return a tool with what it adds to what this environment holds."""
    here = {provider.module for provider in local.providers}
    adds = tuple(provider for provider in tool.content.providers if provider.module not in here)
    known = bool(tool.root) and tool.content.complete
    own: tuple[str, ...] = ()
    if platform not in ("win32", "darwin"):  # there keyring's own backend needs nothing that can be missing
        own = tuple(
            module
            for module, needed in environment.OPTIONAL.items()
            if needed not in local.optional and (needed in tool.content.optional or not known)
        )
    return tool._replace(adds=adds, own=own, known=known)
