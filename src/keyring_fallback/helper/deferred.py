"""Part of the helper: modules that are imported when they are first used, so that a start does not pay for all of them.

keyring and the HTTP libraries of providers import much that a lookup seldom uses. A deferred module passes for the real
one in all that imports, uses, inspects or patches it.
"""

from __future__ import annotations

import os
import sys
import threading
from types import ModuleType

from .shared import Any, Iterable, Mapping

#: The modules, with the names that others take from them while they are being loaded themselves: functions that they
#: call later or never (jaraco.context those of shutil and tarfile, urllib3 that of importlib.metadata), and values
#: that a submodule has (requests looks at the versions of what it would guess encodings with).
DEFERRED = {
    **dict.fromkeys(("backports", "configparser", "idna", "importlib_metadata", "inspect", "ipaddress", "locale"), ()),
    **dict.fromkeys(("mimetypes", "more_itertools", "pathlib", "subprocess", "tempfile", "textwrap", "tokenize"), ()),
    **dict.fromkeys(("traceback", "urllib.request", "zipfile"), ()),
    "backports.tarfile": ("data_filter",),
    "chardet": ("version.__version__",),
    "charset_normalizer": ("version.__version__",),
    "importlib.metadata": ("version",),
    "shutil": ("rmtree",),
    "tarfile": ("data_filter",) if sys.version_info >= (3, 12) else (),  # older ones have it in some releases only
}


class Deferred(ModuleType):
    """Stands for a module that is imported when one of its attributes is first used.

    ``importlib.util.LazyLoader`` does not help: ``import a.b`` reads ``__spec__`` of what it finds, which loads it.
    `names` can be had from it without loading it, see `DEFERRED`.
    """

    _lock = threading.Lock()

    def __init__(self, spec: Any, names: Iterable[str]) -> None:
        super().__init__(spec.name)
        late = {name: Late(self) for name in names if "." not in name}
        elsewhere = {name.partition(".")[2]: name.partition(".")[0] for name in names if "." in name}
        # what the import system, find_spec() and inspect look at does not load it
        own = {"__spec__": spec, "__loader__": spec.loader, "__package__": spec.parent, "__file__": spec.origin}
        if spec.submodule_search_locations is not None:
            own["__path__"] = spec.submodule_search_locations
        for name, value in {**own, **late, "_late": late, "_elsewhere": elsewhere}.items():
            super().__setattr__(name, value)

    def _real(self) -> ModuleType:
        with Deferred._lock:  # not while it imports: that has locks of its own, and finds deadlocks
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
        try:
            __import__(self.__name__)
            real = sys.modules[self.__name__]
        except BaseException:
            sys.modules.setdefault(self.__name__, self)  # the next use tries again
            raise
        for name in list(sys.modules):
            package, _, child = name.rpartition(".")
            if package == self.__name__:
                setattr(real, child, sys.modules[name])
        with Deferred._lock:
            for name in list(self._late):
                self._late[name].found = getattr(real, name, None)
                super().__delattr__(name)
                del self._late[name]
            self._elsewhere.clear()
            super().__setattr__("_module", real)
        return real

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        real: ModuleType = self._module
        return real.__dict__

    def __getattr__(self, name: str) -> Any:
        if name == "_module":
            return self._real()
        if name in self._elsewhere:
            try:
                return getattr(__import__(self.__name__ + "." + self._elsewhere[name], fromlist=["_"]), name)
            except (ImportError, AttributeError, KeyError):
                pass
        return getattr(self._module, name)

    def __setattr__(self, name: str, value: object) -> None:
        if sys.modules.get(self.__name__) is self and sys.modules.get(self.__name__ + "." + name) is value:
            super().__setattr__(name, value)  # the import system binds a submodule, which may come before its package
        else:
            setattr(self._module, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._module, name)

    def __dir__(self) -> list[str]:
        return dir(self._module)


class Late:
    """Stands for a function of a deferred module."""

    def __init__(self, module: Deferred) -> None:
        self._owner = module

    def __getattr__(self, name: str) -> Any:
        if name == "found":
            _ = self._owner._module  # when that is there, this is too
            return self.found
        return getattr(self.found, name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.found(*arguments, **options)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self.found.__get__(instance, owner)


def defer(modules: Mapping[str, Iterable[str]]) -> None:
    """Put a `Deferred` in the place of each module that is there and not loaded yet."""
    from importlib.machinery import PathFinder

    for name, names in modules.items():
        package, _, child = name.rpartition(".")
        try:
            parent = sys.modules.get(package) or __import__(package) if package else None
            folders = list(parent.__path__) if parent else None
            spec = None if name in sys.modules else PathFinder.find_spec(name, folders)
        except ImportError:
            continue
        # a package in several folders of sys.path (pkgutil.extend_path) finds them while it is loaded
        places = [os.path.join(folder, name) for folder in sys.path if isinstance(folder, str)]
        shared = not parent and sum(map(os.path.isdir, places)) > 1
        if spec is not None and spec.loader is not None and not shared:
            sys.modules[name] = Deferred(spec, names)
            if parent:
                setattr(parent, child, sys.modules[name])
