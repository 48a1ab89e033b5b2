"""Whose environment is looked at: this one, or where ``uvx`` made it for us the person's own.

An environment without keyring asks nobody: its clients run the keyring on PATH, as they do where there is none. Unless
it was not synchronised yet, and keyring is one of the project's dependencies.
"""

from __future__ import annotations

import os

from .. import survey
from ..discovery import environment, layout, trust
from ..here import Here
from ..hidden import Variables
from . import clients, cures, project


def around() -> tuple[Here, bool]:
    """Return this environment, or if ``uvx`` made it for us the active or the project's one, and whether it did."""
    here = survey.here()
    if not trust.is_cached(here.prefix):
        return here, False
    # uvx puts its environment first on PATH: that is not where the person's uv looks
    ours = trust.identity(clients.scripts(here))
    entries = here.environ.get("PATH", "").split(os.pathsep)
    path = os.pathsep.join(one for one in entries if not one or trust.identity(one) != ours)
    here = here._replace(environ=Variables({**here.environ, "PATH": path}))
    name = here.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv"
    projects = [os.path.join(folder, name) for folder in trust.upwards(here.cwd)]
    virtual, conda = (here.environ.get(one, "") for one in ("VIRTUAL_ENV", "CONDA_PREFIX"))
    # conda's base is active in every shell: uv takes a project's environment before it (uv-python, virtualenv.rs)
    is_base = here.environ.get("CONDA_DEFAULT_ENV") in ("base", "root")
    for root in (virtual, *projects, conda) if is_base else (virtual, conda, *projects):
        if os.path.isabs(root) and environment.is_environment(root) and not cures.doubt(root, here):
            program = environment.interpreter(root, here.platform)
            found = layout.site(root, program, here).folders
            if environment.read_path(found).keyring or _is_brought(root, here):
                return here._replace(prefix=root, virtual=True, executable=program, sys_path=found), True
    return here, True


def _is_brought(root: str, here: Here) -> bool:
    """Tell whether a project's own dependencies bring keyring into its environment, whatever extras and groups do."""
    return any(len(place) == len(("--project", "FOLDER")) for place in project.additions(root, here))
