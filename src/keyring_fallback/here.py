"""This process and what surrounds it, as data: the environment, the home folder, the platform."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence

from .hidden import Variables
from .records import Record

#: Marks the environment of what we start: nothing in there delegates again.
NESTED = "KEYRING_FALLBACK_NESTED"
#: What is read of a file of whose size nobody else has said anything.
HEAD_BYTES = 16 << 10


class Here(Record):
    """This environment and what surrounds it."""

    environ: Mapping[str, str]  #: The environment variables.
    home: str  #: The user's home folder, or "".
    platform: str  #: As `sys.platform` names it.
    cwd: str  #: The working directory, or "" if it is gone.
    prefix: str  #: The root of this environment.
    virtual: bool  #: Whether it is a virtual one.
    executable: str  #: Its interpreter.
    sys_path: Sequence[str]  #: Where modules are imported from.
    uid: int  #: The user's id, or -1 where there are none.
    #: The folder with the libraries of a frozen program (PyInstaller, AppImage) that we are part of, or "".
    bundle: str = ""
    #: The ids of those whose code runs in this process: the owners of its Python, environment and package.
    owners: frozenset[int] = frozenset()
    base: str = ""  #: The root of its Python.


def here() -> Here:
    """Return what this process says of its environment."""
    # another thread may remove a variable meanwhile
    environ = Variables({name: value for name in os.environ if (value := os.environ.get(name)) is not None})
    return Here(
        environ=environ,
        home=home_of(environ, sys.platform),
        platform=sys.platform,
        cwd=working_directory(),
        prefix=sys.prefix,
        virtual=sys.prefix != sys.base_prefix,
        executable=sys.executable or "",
        sys_path=tuple(entry for entry in sys.path if isinstance(entry, str)),
        uid=os.getuid() if hasattr(os, "getuid") else -1,
        bundle=getattr(sys, "_MEIPASS", "") or environ.get("APPDIR", ""),
        owners=frozenset(_owners(sys.prefix, sys.base_prefix, os.path.dirname(__file__))),
        base=sys.base_prefix,
    )


def working_directory() -> str:
    """Return the working directory, or "" if it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _owners(*paths: str) -> Iterator[int]:
    for path in paths:
        try:
            yield os.stat(path).st_uid
        except OSError:
            continue


def expanded(path: str, home: str) -> str:
    """Return a path with the home folder in the place of its "~"."""
    return home + path[1:] if home and (path == "~" or path.startswith(("~/", "~" + os.sep))) else path


def config_file(environ: Mapping[str, str], home: str, platform: str) -> str:
    """Return the path of keyringrc.cfg, or "" if there can be none; arguments as for `places.known`.

    Where Windows sets neither variable, keyring reads it in the working directory (keyring 25.7.0, util/platform_.py):
    whoever wrote the files there would name the program that is run. The same goes for a folder that is not absolute.
    """
    if platform == "win32":
        # a copy of os.environ has upper-case names only
        folder = environ.get("LOCALAPPDATA", environ.get("PROGRAMDATA", ""))
        if not folder:
            return ""
        folder = os.path.join(folder, "Python Keyring")
    else:
        folder = os.path.join(environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "python_keyring")
    return os.path.join(folder, "keyringrc.cfg") if os.path.isabs(folder) else ""


def read_head(path: str, limit: int = HEAD_BYTES) -> bytes:
    """Return the first bytes of a file, `limit` at the most; OSError: it is no regular file, or cannot be read."""
    # a FIFO would block at open
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
    descriptor = os.open(path, flags)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL, "Not a regular file", path)
        return os.read(descriptor, limit)
    finally:
        os.close(descriptor)


def home_of(environ: Mapping[str, str], platform: str) -> str:
    """Return the user's home folder, or ""; where HOME is empty, uv too asks the user database (its home crate)."""
    home = environ.get("USERPROFILE" if platform == "win32" else "HOME", "")
    if not home and sys.platform != "win32":
        try:
            import pwd

            home = pwd.getpwuid(os.getuid()).pw_dir
        except (ImportError, KeyError):
            pass
    return home if os.path.isabs(home) else ""
