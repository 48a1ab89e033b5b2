"""keyring-fallback: the environment's keyring answers as if the global tool's providers were installed in it.

The public names are loaded when they are first used, so that the doctor starts where keyring does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .backend import FallbackKeyring, GlobalKeyring
    from .errors import NotDeletedError, NotStoredError, ProviderError, ToolError

__version__ = "0.2.0"
__all__ = ["FallbackKeyring", "GlobalKeyring", "NotDeletedError", "NotStoredError", "ProviderError", "ToolError"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from . import backend, errors

        return getattr(backend if name in backend.__all__ else errors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
