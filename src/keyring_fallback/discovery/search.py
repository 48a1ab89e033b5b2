"""Finds the globally installed keyrings, what they add to this environment, and why others are turned down."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..here import Here
from ..hidden import Variables
from . import environment, executable, layout, lent, places, trust, wsl
from .tool import SETTING, Content, Findings, Kind, Reason, Refusal, Tool

#: What the folder in an environment's root is called that has its modules, on Windows with a capital.
_LIBRARIES = ("lib", "lib64")
#: keyring's backend for Windows' own store; what it needs comes with keyring there.
_VAULT = "keyring.backends.Windows"
#: More candidates are not looked at: whoever fills PATH with them does not slow programs down.
_MAX_CANDIDATES = 40


def find(here: Here, chosen: Sequence[str] = ()) -> Findings:
    """Return the tools, by looking at files only, those that the user has named or, if none, all. Never raises."""
    tools: dict[str, Tool] = {}
    refusals: dict[Refusal, None] = {}
    at_home = myself = False
    me, budget, judge = _roots_of(here), environment.Budget(), trust.Trust(here)
    foreign = trust.foreign_variables(here, judge)
    kept = {name: here.environ[name] for name in here.environ if name not in foreign}
    seen = here._replace(environ=Variables(kept))
    named = ((places.Place(SETTING, places.FOLDER, path), "") for path in chosen)
    found_places = named if chosen else places.candidates(here.environ, here.home, here.platform)
    for number, (place, unseen) in enumerate(found_places):
        if number >= _MAX_CANDIDATES:
            refusals[Refusal(place.origin, place.path, Reason(Kind.TOO_MANY))] = None
            break
        windows = wsl.is_windows(place.path) and executable.is_windows(place.path)
        there = wsl.there(seen) if windows else seen
        target = _target(there, judge, place, unseen)
        tool = Tool(place.origin, place.path, target.root, target.interpreter, windows=windows)
        reason = target.broken
        identity = "" if reason else os.path.realpath(tool.root or tool.interpreter or tool.path)
        if identity in tools:
            continue
        if not reason and _is_me(here, me, tool):
            reason, myself = Reason(Kind.ITSELF), True
            at_home = at_home or place.origin == SETTING or (place.dedicated and bool(tool.root))
        reason = reason or _not_global(there, judge, place, tool)
        if not reason:
            reason, tool = _read(there, judge, tool, budget)
        if reason:
            refusals[Refusal(place.origin, place.path, reason)] = None
        else:
            tools[identity] = tool
    local = environment.read_path(here.sys_path) if tools else Content()
    found = [_compared(tool, local, here.platform) for tool in tools.values()]
    if not chosen:
        # stable: those that surely add something, that surely do not, that may
        found.sort(key=lambda tool: 0 if tool.adds or (tool.known and tool.useful) else 1 if tool.known else 2)
    if not chosen and wsl.drives() and not wsl.profile(here.environ.get("PATH", "")):
        users = os.path.join(next(iter(wsl.drives().values())), "Users")
        refusals[Refusal(places.OF_WINDOWS[places.UV], users, Reason(Kind.PROFILE_UNKNOWN))] = None
    lenders, refused = ([], []) if chosen else lent.find(here)
    # a plain interpreter is other environments' tool, and may itself need a better one
    at_home = at_home or (myself and not here.virtual and not found)
    return Findings((*lenders, *found), (*refused, *refusals), at_home, local)


def _target(here: Here, judge: trust.Trust, place: places.Place, unseen: str) -> executable.Target:
    """Return what a candidate runs, or why it cannot be used: it is out of sight, or another reason."""
    path, named = place.path, place.origin == SETTING
    reason = None
    if unseen:
        reason = Reason(Kind.REMOTE if places.is_remote(path, here.platform) else Kind.UNSEEN, detail=unseen)
    elif not (named or places.is_absolute(path)):
        reason = Reason(Kind.RELATIVE, detail=place.variable)
    reason = reason or _project_reason(here, judge, place, path)
    if not reason and not environment.is_environment(path):
        if place.kind == places.ENVIRONMENT:
            reason = Reason(Kind.NO_ENVIRONMENT)
        elif named and os.path.isdir(path):
            reason = Reason(Kind.NOTHING_TO_RUN)
    if not reason:
        target = executable.target(path, here.platform)
        if target.broken or os.access(target.interpreter or path, os.X_OK):
            return target
        reason = Reason(Kind.NOT_EXECUTABLE)
    return executable.Target(broken=reason)


def _roots_of(here: Here) -> set[tuple[int, int] | None]:
    """Return the identity of every environment whose modules are imported here: ``uv run --with`` has several."""
    roots = [here.prefix]
    for entry in here.sys_path:
        if os.path.basename(entry) in ("site-packages", "dist-packages"):
            above = trust.folders_above(entry)[:3]  # lib/python3.13/site-packages, Lib/site-packages
            roots += [root for folder, root in zip(above, above[1:]) if os.path.basename(folder).lower() in _LIBRARIES]
    return set(map(trust.identity, roots)) - {None}


def _is_me(here: Here, me: set[tuple[int, int] | None], tool: Tool) -> bool:
    """Tell whether a candidate is this environment: by its root, since environments of one Python share its file."""
    if tool.root or not tool.interpreter:
        return trust.identity(tool.root) in me
    if here.virtual:  # only if the base interpreter lends us its site-packages
        return not me.isdisjoint(map(trust.identity, trust.folders_above(tool.interpreter)[:2]))
    return trust.identity(tool.interpreter) == trust.identity(here.executable)


def _is_my_shim(here: Here, path: str) -> bool:
    """Tell whether an executable is a shim of what this environment is one of the Pythons of, and so leads back to it.

    pyenv has ``shims`` and ``versions`` beside each other, asdf and mise ``shims`` and ``installs``.
    """
    folder, name = os.path.split(os.path.dirname(path))
    pythons = {trust.identity(os.path.join(folder, one)) for one in ("versions", "installs")} - {None}
    return name == "shims" and not pythons.isdisjoint(map(trust.identity, trust.folders_above(here.prefix)))


def _project_reason(here: Here, judge: trust.Trust, place: places.Place, *paths: str) -> Reason | None:
    """Return why a path may have come with a project, or None; fixed places and named tools have not.

    A fixed place in a home folder that lies in a project is none.
    """
    if place.origin == SETTING or not (place.variable or (here.home and judge.project(here.home))):
        return None
    return next(filter(None, (judge.project(path) for path in paths if path)), None)


def _not_global(here: Here, judge: trust.Trust, place: places.Place, tool: Tool) -> Reason | None:
    """Return why a candidate is none of the user's global tools, or None."""
    reason = _project_reason(here, judge, place, tool.root, tool.interpreter)
    if not reason and place.origin == places.PATH and not tool.interpreter and _is_my_shim(here, tool.path):
        reason = Reason(Kind.SHIM_OF_ITSELF)
    if reason or place.origin != places.PATH:
        return reason
    root = tool.root or tool.path
    conda = "" if here.environ.get("CONDA_DEFAULT_ENV") == "base" else here.environ.get("CONDA_PREFIX", "")
    active = filter(None, (here.environ.get("VIRTUAL_ENV", ""), conda))
    if trust.identity(root) in map(trust.identity, active):
        return Reason(Kind.ACTIVATED)
    return Reason(Kind.CACHED) if trust.is_cached(root) else None


def _read(here: Here, judge: trust.Trust, tool: Tool, budget: environment.Budget) -> tuple[Reason | None, Tool]:
    """Return why a tool is not used, or None, and the tool with what it holds: it is trusted first and read then."""
    settings = os.path.join(tool.root, "pyvenv.cfg") if tool.root else ""
    decides = [*filter(os.path.lexists, (tool.path, tool.root, tool.interpreter, settings))]
    reason, tool = _trusted(judge, tool._replace(decides=tuple(decides)), decides)
    if reason or not tool.interpreter:
        return reason, tool
    site = layout.site(tool.root, tool.interpreter, here)
    decides += [*site.base, *site.folders]
    reason, tool = _trusted(judge, tool, [*decides, *environment.modules(site.base, judge)])
    if reason:
        return reason, tool
    content = layout.content(site, budget, judge)
    if content.unreadable or (content.complete and not content.keyring):
        # uv's environment of that name, for example, was made for nothing else
        made = tool.path == tool.root and tool.origin not in (SETTING, places.PATH, places.CONDA)
        return content.unreadable or Reason(Kind.KEYRING_MISSING if made else Kind.NO_KEYRING), tool
    decides = [*dict.fromkeys((*decides, *content.folders))]
    doubt = Reason(Kind.CUT, content.cut) if content.cut else None
    return _trusted(judge, tool._replace(content=content, decides=tuple(decides)), [*decides, *content.files], doubt)


def _trusted(
    judge: trust.Trust, tool: Tool, paths: Sequence[str], doubt: Reason | None = None
) -> tuple[Reason | None, Tool]:
    """Return why a tool is not used, since others decide what it does, or None; a named one only has doubts."""
    # what is mounted of Windows has no owners: there the mount decides
    owned, opened = (None, None) if tool.windows else judge.others(paths)
    opened = opened or doubt
    if tool.origin == SETTING:
        return owned, tool._replace(doubt=tool.doubt or opened)
    return owned or opened, tool


def _compared(tool: Tool, local: Content, platform: str) -> Tool:
    """Return a tool with what it adds to what this environment holds."""
    here = {provider.module for provider in local.providers}
    # on Windows and macOS keyring's own backends lack nothing
    optional = environment.OPTIONAL if platform not in ("win32", "darwin") else {}
    lacking = [(module, needed) for module, needed in optional.items() if needed not in local.optional]
    own = (module for module, needed in lacking if needed in tool.content.optional or not tool.known)
    adds = (provider for provider in tool.content.providers if provider.module not in here)
    return tool._replace(adds=tuple(adds), own=(_VAULT,) if tool.windows else tuple(own))
