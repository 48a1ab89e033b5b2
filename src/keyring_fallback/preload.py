"""Imports ahead of time what nobody may import any more once pip installs."""

from __future__ import annotations

import contextlib
import sys


def before_pip_installs() -> None:
    """Have all that a lookup needs, and what keyring has left half loaded, if this program is pip.

    From the moment it installs until its process ends, pip 26.1 and newer refuse every import
    (pip/_internal/commands/install.py, _prevent_further_imports). On Python before 3.12 keyring brings
    importlib_metadata, which serves pip's importlib.metadata then, and since 10.2 loads parts of itself when pip first
    uses them: when it removes a release that it replaces.
    """
    if "pip._internal" not in sys.modules:
        return
    from .delegation import bridge, command_line, commands, lent, tools  # noqa: F401 - only here they are needed at once

    metadata = sys.modules.get("importlib_metadata")
    if metadata is not None:
        with contextlib.suppress(Exception):  # a lookup must not fail for want of what only pip may need
            one = metadata.distribution("keyring")
            _ = one.metadata, one.requires, one.entry_points, one.files
