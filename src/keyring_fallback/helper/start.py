"""Starts the helper, or the probe, from its compiled form: a script given by name is compiled at every start.

It is started as ``python -I _start.py TAG MODULE``. TAG names the kind of bytecode that is kept in our folder (PEP
3147); an interpreter of another kind leaves nothing of its own in there.
"""

import sys
from types import ModuleType

if __name__ == "__main__":  # multiprocessing runs this file again in each process that a provider starts with it
    if not sys.flags.isolated and not getattr(sys.flags, "safe_path", False):
        del sys.path[0]  # our own package's folder: its modules must not shadow anything over there

    # under a name of its own: the tool may have this project too
    package = sys.modules["_keyring_fallback"] = ModuleType("_keyring_fallback")
    package.__path__ = [__file__[: -len("/start.py")]]
    kept = sys.dont_write_bytecode
    sys.dont_write_bytecode = kept or sys.argv[1] != sys.implementation.cache_tag
    try:
        module = __import__("_keyring_fallback." + sys.argv[2], fromlist=["main"])
        sys.dont_write_bytecode = kept
        module.main()
    except KeyboardInterrupt:  # the person has ended the program that waits for us: there is nothing to say
        sys.exit(1)
