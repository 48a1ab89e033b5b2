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
    folders = [here.cwd, *trust.folders_above(here.cwd)] if here.cwd else []
    conda = here.environ.get("CONDA_PREFIX", "")
    # conda's base is active in every shell: uv takes a project's environment before it (uv-python, virtualenv.rs)
    active = ["" if here.environ.get("CONDA_DEFAULT_ENV") in ("base", "root") else conda, conda]
    active[1:1] = [os.path.join(folder, name) for folder in folders]
    for root in (here.environ.get("VIRTUAL_ENV", ""), *active):
        if os.path.isabs(root) and environment.is_environment(root) and not cures.doubt(root, here):
            program = environment.interpreter(root, here.platform)
            found = layout.site(root, program, here).folders
            # without an option: what an extra or a group brings may never be installed
            if not environment.read_path(found).keyring and ["--project"] not in [
                place[:-1] for place in project.additions(root, here)
            ]:
                continue
            return here._replace(prefix=root, virtual=True, executable=program, sys_path=found), True
    return here, True
