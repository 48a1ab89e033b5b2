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
    in_use: Here  #: The one whose pip is. Where that is nothing but the first on PATH, it has keyring for pip alone.
    outside: bool = False  #: Whether this process's is made for us alone; `here` may be that, for want of others.


def around() -> Around:
    """Return this environment, or if uv or pipx made it for us alone the active or the project's one."""
    here = survey.here()
    is_tool = receipt.is_there(here.prefix) or receipt.is_of_pipx(here.prefix)
    if not (trust.is_cached(here.prefix) or (is_tool and os.path.basename(here.prefix) == "keyring-fallback")):
        return Around(here, here)
    here = _as_the_persons(here)
    pip = _pip(here)
    name = here.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv"
    projects = [os.path.join(folder, name) for folder in _folders(here)]
    virtual, conda = (here.environ.get(one, "") for one in ("VIRTUAL_ENV", "CONDA_PREFIX"))
    # conda's base is active in every shell: uv takes a project's environment before it (uv-python, virtualenv.rs)
    is_base = here.environ.get("CONDA_DEFAULT_ENV") in ("base", "root")
    roots = (virtual, *projects, conda) if is_base else (virtual, conda, *projects)
    made = (one for one in (*roots, pip.root) if os.path.isabs(one) and environment.is_environment(one))
    usable = (one for one in made if os.path.isfile(environment.interpreter(one, here.platform)))  # or uv makes it anew
    root = next((one for one in usable if not cures.doubt(one, here)), "")
    if not (root or pip.interpreter):
        return Around(here, here, outside=True)
    program = environment.interpreter(root, here.platform) if root else pip.interpreter
    found = layout.site(root, program, here).folders
    prefix = root or os.path.dirname(os.path.dirname(program))
    in_use = here._replace(prefix=prefix, virtual=bool(root), executable=program, sys_path=found)
    has_keyring = bool(environment.read_path(found).keyring)
    if root in roots and (has_keyring or not all(map(project.option, project.additions(root, here)))):
        return Around(in_use, in_use, outside=True)
    # a plain interpreter's keyring is not every client's
    return Around(here, here if has_keyring and not root else in_use, outside=True)


def _as_the_persons(here: Here) -> Here:
    """Return what surrounds us without what uvx and ``uv run --with`` put there, where the person's uv does not look.

    They put environments of theirs first on PATH; the latter makes the one active that it lays over another, and says
    over which (pyvenv.cfg, uv 0.7.9), with ``--isolated`` over one like it.
    """
    environ: dict[str, str] = dict(here.environ)
    entries = here.environ.get("PATH", "").split(os.pathsep)
    environ["PATH"] = os.pathsep.join(one for one in entries if not (one and _is_ours(one, here)))
    active = here.environ.get("VIRTUAL_ENV", "")
    below = environment.settings_of(active).get("extends-environment", "") if active else ""
    if below and trust.is_cached(below):
        del environ["VIRTUAL_ENV"]
    elif below:
        environ["VIRTUAL_ENV"] = below
    return here._replace(environ=Variables(environ))


def _folders(here: Here) -> list[str]:
    """Return the folders that may have the project's environment: the one that uv says, or where it says none all."""
    workspace = clients.workspace(here)
    return [workspace] if os.path.isdir(workspace) else trust.upwards(here.cwd)


def _is_ours(scripts: str, here: Here) -> bool:
    """Tell whether a folder on PATH is one for the programs of this process's environments, and of none that lasts."""
    if trust.identity(scripts) == trust.identity(clients.scripts(here)):
        return True
    root = os.path.dirname(scripts)
    shared = {*layout.site_folders(root, here.platform)}.intersection(here.sys_path)
    return bool(shared) and os.path.isabs(root) and trust.is_cached(root)


def _pip(here: Here) -> executable.Target:
    """Return what the first pip on PATH runs, or nothing where it is the system's own, or not to be run."""
    program, doubt = clients.first("pip", here)
    found = executable.target(program, here.platform) if program and not doubt else executable.Target()
    is_systems = not found.root and cures.is_externally_managed(found.interpreter, here.platform)
    return executable.Target() if is_systems else found
