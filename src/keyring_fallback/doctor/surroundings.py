"""Whose environment is looked at: this one, or where it was made for us alone the person's own.

The first that uv and pip would take counts. One without keyring asks nobody: its clients run the keyring on PATH, as
they do where there is none. Unless it was not synchronised yet, and keyring is one of the project's dependencies.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from .. import survey
from ..discovery import environment, executable, layout, trust
from ..here import Here
from ..hidden import Variables
from . import clients, cures, project, receipt


class Around(NamedTuple):
    """What is looked at."""

    here: Here  #: The environment whose keyring is asked.
    in_use: Here  #: The one whose pip is: what it has no keyring for, it asks the one on PATH for.
    outside: bool = False  #: Whether `here` is none of this process's, or one of ``uvx``'s for want of others.


def around() -> Around:
    """Return this environment, or if uv or pipx made it for us alone the active or the project's one."""
    here = survey.here()
    is_tool = receipt.is_there(here.prefix) or receipt.is_of_pipx(here.prefix)
    is_cached = trust.is_cached(here.prefix)
    if not (is_cached or (is_tool and os.path.basename(here.prefix) == "keyring-fallback")):
        return Around(here, here)
    # uvx puts its environment first on PATH: that is not where the person's uv looks
    ours = trust.identity(clients.scripts(here))
    entries = here.environ.get("PATH", "").split(os.pathsep)
    path = os.pathsep.join(one for one in entries if not one or trust.identity(one) != ours)
    here = here._replace(environ=Variables({**here.environ, "PATH": path}))
    pip = _pip(here)
    name = here.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv"
    projects = [os.path.join(folder, name) for folder in _folders(here)]
    virtual, conda = (here.environ.get(one, "") for one in ("VIRTUAL_ENV", "CONDA_PREFIX"))
    # conda's base is active in every shell: uv takes a project's environment before it (uv-python, virtualenv.rs)
    is_base = here.environ.get("CONDA_DEFAULT_ENV") in ("base", "root")
    roots = [*((virtual, *projects, conda) if is_base else (virtual, conda, *projects)), pip.root]
    usable = (one for one in roots if os.path.isabs(one) and environment.is_environment(one))
    root = next((one for one in usable if not cures.doubt(one, here)), "")
    if not (root or pip.interpreter):
        return Around(here, here, outside=is_cached)
    program = environment.interpreter(root, here.platform) if root else pip.interpreter
    found = layout.site(root, program, here).folders
    prefix = root or os.path.dirname(os.path.dirname(program))
    in_use = here._replace(prefix=prefix, virtual=bool(root), executable=program, sys_path=found)
    has_keyring = bool(environment.read_path(found).keyring)
    if root and (has_keyring or not all(map(project.option, project.additions(root, here)))):
        return Around(in_use, in_use, outside=True)
    # a plain interpreter's keyring is not every client's
    return Around(here, here if has_keyring else in_use, outside=is_cached)


def _folders(here: Here) -> list[str]:
    """Return the folders that may have the project's environment, the nearest first: uv says where it ends."""
    folders, workspace = trust.upwards(here.cwd), trust.identity(clients.workspace(here))
    end = next((number for number, one in enumerate(folders, 1) if trust.identity(one) == workspace), None)
    return folders[:end]


def _pip(here: Here) -> executable.Target:
    """Return what the first pip on PATH runs, or nothing where it is the system's own, or not to be run."""
    program, doubt = clients.first("pip", here)
    found = executable.target(program, here.platform) if program and not doubt else executable.Target()
    is_systems = not found.root and cures.is_externally_managed(found.interpreter, here.platform)
    return executable.Target() if is_systems else found
