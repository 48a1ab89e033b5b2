"""Makes an interpreter on Linux say that it is on macOS: it lies in the site-packages of each environment of a test.

The standard library sees the real platform while it is loaded: modules choose their parts then.
"""

from __future__ import annotations

import os
import sys
import types
from importlib.machinery import PathFinder, SourceFileLoader

LIBRARY = os.path.dirname(os.__file__) + os.sep
PACKAGES = os.path.join(LIBRARY, "site-packages", "")
REAL, TOLD = sys.platform, "darwin"
#: What is being loaded, by any thread.
LOADING: list[types.ModuleType] = []


class Loader(SourceFileLoader):
    """Loads a module of the standard library."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Run its code, on the real platform."""
        LOADING.append(module)
        sys.platform = REAL
        try:
            super().exec_module(module)
            if module.__name__ == "sysconfig":
                module.get_config_vars()  # from a file that is named after the platform
        finally:
            LOADING.pop()
            if not LOADING:
                sys.platform = TOLD


class Finder(PathFinder):
    """Finds modules as ever."""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN206
        """Say who loads it."""
        spec = super().find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            origin = spec.loader.path
            if origin.startswith(LIBRARY) and not origin.startswith(PACKAGES):
                spec.loader = Loader(fullname, origin)
        return spec


sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
scproxy = types.ModuleType("_scproxy")  # urllib asks it for proxies on macOS
scproxy._get_proxy_settings = dict  # type: ignore[attr-defined]
scproxy._get_proxies = dict  # type: ignore[attr-defined]
sys.modules["_scproxy"] = scproxy
sys.platform = TOLD
