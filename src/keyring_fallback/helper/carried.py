"""Starts the helper, or another module of this folder, from sources that come over stdin: where no file can be shared.

It is not run as a file. ``delegation/scripts.py`` sends it as the first line of stdin, with ``SIZE`` before it; the
sources follow, as a JSON object of so many bytes. What comes behind them is the module's own.
"""

from __future__ import annotations

import json
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType


class Carried:
    """Finds and loads the modules of ``_keyring_fallback``."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = sources

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in self.sources else None  # type: ignore[arg-type]

    def create_module(self, _: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        exec(compile(self.sources[name], "<{}>".format(name), "exec"), vars(module))  # noqa: S102 - they are ours


if __name__ == "__main__":
    if not sys.flags.isolated and not getattr(sys.flags, "safe_path", False):
        del sys.path[0]  # the working directory
    try:
        size, data = globals()["SIZE"], b""
        while len(data) < size:  # not a byte more, and nothing into a buffer: requests follow
            data += sys.stdin.buffer.raw.read(size - len(data)) or sys.exit(1)  # type: ignore[union-attr]
        sys.meta_path.append(Carried(json.loads(data)))
        sys.modules["_keyring_fallback"] = ModuleType("_keyring_fallback")
        sys.modules["_keyring_fallback"].__path__ = []
        __import__("_keyring_fallback." + sys.argv[1], fromlist=["main"]).main()
    except KeyboardInterrupt:  # the person has ended the program that waits for us: there is nothing to say
        sys.exit(1)
