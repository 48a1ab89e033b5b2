"""Whose environment is looked at: this one, or where ``uvx`` made it for us the person's own.

An environment without keyring asks nobody: its clients run the keyring on PATH, as they do where there is none. Unless
it was not synchronised yet, and keyring is one of the project's dependencies.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from .. import survey
from ..discovery import environment, executable, layout, trust
from ..here import Here
from ..hidden import Variables
from . import clients, cures, project


class Around(NamedTuple):
    """What is looked at."""

    here: Here  #: The environment whose keyring is asked.
    in_use: Here  #: The one whose pip is: what it has no keyring for, it asks the one on PATH for.
    outside: bool = False  #: Whether ``uvx`` made this process's environment, which `here` is only for want of others.


def around() -> Around:
    """Return this environment, or if ``uvx`` made it for us the active or the project's one."""
    here = survey.here()
    if not trust.is_cached(here.prefix):
        return Around(here, here)
    # uvx puts its environment first on PATH: that is not where the person's uv looks
    ours = trust.identity(clients.scripts(here))
    entries = here.environ.get("PATH", "").split(os.pathsep)
    path = os.pathsep.join(one for one in entries if not one or trust.identity(one) != ours)
    here = here._replace(environ=Variables({**here.environ, "PATH": path}))
    name = here.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv"
    projects = [os.path.join(folder, name) for folder in trust.upwards(here.cwd)]
    virtual, conda = (here.environ.get(one, "") for one in ("VIRTUAL_ENV", "CONDA_PREFIX"))
    pip = _pip(here)
    # conda's base is active in every shell: uv takes a project's environment before it (uv-python, virtualenv.rs)
    is_base = here.environ.get("CONDA_DEFAULT_ENV") in ("base", "root")
    in_use = None
    for root in (*((virtual, *projects, conda) if is_base else (virtual, conda, *projects)), pip.root):
        if os.path.isabs(root) and environment.is_environment(root) and not cures.doubt(root, here):
            program = environment.interpreter(root, here.platform)
            found = layout.site(root, program, here).folders
            one = here._replace(prefix=root, virtual=True, executable=program, sys_path=found)
            in_use = in_use or one
            if environment.read_path(found).keyring or _is_brought(root, here):
                return Around(one, in_use, outside=True)
    if pip.interpreter and not (in_use or pip.root):
        there = layout.site("", pip.interpreter, here).folders
        # a plain interpreter's keyring is not every client's
        if not environment.read_path(there).keyring:
            prefix = os.path.dirname(os.path.dirname(pip.interpreter))
            in_use = here._replace(prefix=prefix, virtual=False, executable=pip.interpreter, sys_path=there)
    return Around(here, in_use or here, outside=True)


def _pip(here: Here) -> executable.Target:
    """Return what the first pip on PATH runs, or nothing where it is the system's own, or not to be run."""
    program, doubt = clients.first("pip", here)
    found = executable.target(program, here.platform) if program and not doubt else executable.Target()
    is_systems = not found.root and cures.is_externally_managed(found.interpreter, here.platform)
    return executable.Target() if is_systems else found


def _is_brought(root: str, here: Here) -> bool:
    """Tell whether a project's own dependencies bring keyring into its environment, whatever extras and groups do."""
    return any(len(place) == len(("--project", "FOLDER")) for place in project.additions(root, here))
