"""How an interpreter of another environment runs one of the modules in ``helper/``: from its file, or from stdin."""

from __future__ import annotations

import errno
import json
import os
import pkgutil
import sys

from .. import helper
from ..records import Record

#: What ``-c`` runs: without quotes, since other shells and Windows may stand between us and the interpreter.
_LINE = "import sys;exec(sys.stdin.buffer.raw.readline())"


class Script(Record):
    """How a module is run."""

    arguments: tuple[str, ...]  #: What follows the interpreter and its options.
    first: bytes = b""  #: What its stdin must be given before all else; b"" where it needs nothing.


def script(module: str, *, shared: bool = True) -> Script:
    """Return how another environment's interpreter, 3.8 or newer, runs a module of ``helper/``: its ``main()``.

    From its file, see ``helper/start.py``. Where there is none (we are imported from a zip), or none that is shared by
    its path (another machine, Windows from WSL), the sources of the whole folder go before everything else that is
    written to its stdin, see ``helper/carried.py``: some 40 kB of ASCII, which cost the other side 30 ms more. The
    module's own stdin begins behind them, to the byte. OSError: a frozen program was built without our sources.
    """
    (folder,) = helper.__path__
    start = os.path.join(folder, "start.py")
    if shared and os.path.isfile(start):
        tag = "" if sys.dont_write_bytecode else sys.implementation.cache_tag or ""
        return Script((start, tag, module))
    sources = {name: _source(folder, name) for _, name, _ in pkgutil.iter_modules([folder])}
    data = json.dumps({f"_keyring_fallback.{name}": source for name, source in sources.items()}).encode("ascii")
    return Script(("-c", _LINE, module), f"SIZE={len(data)};exec({sources['carried']!a})\n".encode("ascii") + data)


def _source(folder: str, module: str) -> str:
    try:
        data = pkgutil.get_data(helper.__name__, f"{module}.py")
    except OSError:
        data = None
    if data is None:
        reason = f"this program was built without the files in {folder}; PyInstaller has --collect-all keyring_fallback"
        raise OSError(errno.ENOENT, reason)
    return data.decode("utf-8")
