"""What keyring's entry point names: loads the backends, unless there is surely nothing that they could ask."""

from __future__ import annotations

import os
import sys

from . import here
from .discovery import places


def is_needed() -> bool:
    """Tell whether there may be a tool or a setting: most programs run where there is none."""
    environ = os.environ
    where = environ, here.home_of(environ, sys.platform), sys.platform
    if (
        "pip._internal" in sys.modules
        or ("keyring.cli" in sys.modules and "get" in sys.argv)  # see advice.is_keyrings_command
        or any(name.startswith("KEYRING_") for name in environ)
        or os.path.lexists(here.config_file(*where))
        or places.lenders(*where)
    ):
        return True
    # what an activated environment has itself stands on PATH
    own = os.path.join(sys.prefix, "") if sys.prefix != sys.base_prefix else "\0"
    return any(not (unseen or place.path.startswith(own)) for place, unseen in places.candidates(*where))


if is_needed():
    from . import backend  # noqa: F401 - keyring has the classes once they exist
