"""Starts the helper from its compiled form: a script that Python is given by name it compiles at every start.

It is started as ``python -I _start.py TAG``. TAG names the kind of bytecode that is kept in our folder (PEP 3147): an
interpreter of another kind leaves nothing of its own in there.
"""

import sys

if not sys.flags.isolated and not getattr(sys.flags, "safe_path", False):
    del sys.path[0]  # our own package's folder: its modules must not shadow anything over there

from importlib.machinery import SourceFileLoader

__file__ = __file__[: -len("_start.py")] + "_helper.py"
kept = sys.dont_write_bytecode
sys.dont_write_bytecode = kept or sys.argv[1:] != [sys.implementation.cache_tag]
code = SourceFileLoader("_helper", __file__).get_code("_helper")
sys.dont_write_bytecode = kept
exec(code)  # type: ignore[arg-type]  # noqa: S102
