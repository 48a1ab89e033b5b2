"""Whose environment is looked at: this one, or where ``uvx`` made it for us the person's own."""

from __future__ import annotations

import os

from .. import survey
from ..discovery import environment, layout, trust
from ..here import Here
from ..hidden import Variables
from . import clients, cures


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
    folders = filter(None, (here.cwd, trust.project_root(here.cwd, here.home)))
    active = filter(None, map(here.environ.get, ("VIRTUAL_ENV", "CONDA_PREFIX")))
    for root in (*active, *(os.path.join(folder, name) for folder in folders)):
        if os.path.isabs(root) and environment.is_environment(root) and not cures.doubt(root, here):
            program = environment.interpreter(root, here.platform)
            found = layout.site(root, program, here).folders
            return here._replace(prefix=root, virtual=True, executable=program, sys_path=found), True
    return here, True
