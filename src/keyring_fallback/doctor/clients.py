"""Which ``keyring`` uv and pip would run from here, and what pip is told about it. Reads files, runs nothing.

pip's rules are those of 26.3: configuration.py.
"""

from __future__ import annotations

import configparser
import contextlib
import glob
import os
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import NamedTuple

from ..discovery import environment, executable, layout, trust
from ..discovery.tool import Provider
from ..here import Here

#: What uv takes for true, and pip (cli/parser.py, strtobool).
TRUE = ("y", "yes", "t", "true", "on", "1")


class Keyring(NamedTuple):
    """A ``keyring`` that a client would run; what cannot be told is empty.

    Attributes:
        path: The executable.
        root: The root of its environment.
        version: The version of keyring there.
        ours: Whether this project is installed there; None if it cannot be told.
        mine: Whether its environment is this one.
        providers: The providers there.
    """

    path: str
    root: str = ""
    version: str = ""
    ours: bool | None = None
    mine: bool = False
    providers: Sequence[Provider] = ()


class Pip(NamedTuple):
    """What pip is told.

    Attributes:
        version: The version of the pip in this environment, or "" if there is none.
        provider: Its keyring provider: "auto", "import", "subprocess" or "disabled"; "" before 23.1.
        source: Where that is set, or "".
        silent: Where it is told to ask for no input, which its provider "auto" minds, or "".
    """

    version: str
    provider: str
    source: str
    silent: str


def on_path(here: Here, without: str = "") -> Keyring | None:
    """Return the first ``keyring`` on PATH, which is what uv runs.

    Args:
        here: This environment.
        without: A folder that is passed over: pip does so with its own scripts in its ``subprocess`` mode.
    """
    for entry in here.environ.get("PATH", os.defpath).split(os.pathsep):
        folder = os.path.join(here.cwd, entry)  # an empty entry is the working directory
        path = os.path.join(folder, "keyring.exe" if here.platform == "win32" else "keyring")
        passed_over = without and trust.identity(folder) == trust.identity(without)
        if passed_over or not os.path.isfile(path) or not os.access(path, os.X_OK):
            continue
        root = executable.target(path, here.platform).root
        if not root:
            return Keyring(path)
        content = layout.read(root, environment.interpreter(root, here.platform), here)
        ours = any(glob.glob(f"{glob.escape(folder)}/keyring_fallback-*.dist-info") for folder in content.folders)
        mine = trust.identity(root) == trust.identity(here.prefix)
        return Keyring(path, root, content.keyring, ours, mine, content.providers)
    return None


def scripts(here: Here) -> str:
    """Return the folder of this environment's executables."""
    return os.path.dirname(here.executable)


def pip(here: Here) -> Pip:
    """Return what pip is told: later files win, then a command's section, then variables. Never raises."""
    try:
        version = metadata.version("pip")
    except metadata.PackageNotFoundError:
        version = ""
    found: dict[str, tuple[str, str]] = {}
    for section in ("global", "install"):
        for file in _pip_files(here):
            parser = configparser.RawConfigParser()
            with contextlib.suppress(OSError, ValueError, configparser.Error):
                parser.read(file)
                found.update((name.replace("_", "-"), (value, file)) for name, value in parser.items(section))
    variables = ((name, here.environ.get(name, "")) for name in here.environ if name.startswith("PIP_"))
    found.update((name[4:].replace("_", "-").lower(), (value, name)) for name, value in variables if value)
    provider, source = found.get("keyring-provider", ("", ""))
    silent, where = found.get("no-input", ("", ""))
    if version and [int(part) for part in version.split(".")[:2] if part.isdigit()] < [23, 1]:
        return Pip(version, "", "", "")
    return Pip(version, provider or "auto", source, where if silent.lower() in TRUE else "")


def folders(here: Here) -> tuple[str, list[str]]:
    """Return the folder of the user's configuration files, and those of the system's, the foremost first."""
    environ = here.environ
    if here.platform == "win32":
        roaming = environ.get("APPDATA") or os.path.join(here.home, "AppData", "Roaming")
        return roaming, [environ.get("SYSTEMDRIVE", "C:") + "\\ProgramData"]
    own = environ.get("XDG_CONFIG_HOME", "")
    own = own if os.path.isabs(own) else os.path.join(here.home, ".config")
    return own, (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")


def _pip_files(here: Here) -> Iterator[str]:
    """Yield the paths of pip's configuration files, whether there is something or not."""
    chosen = here.environ.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return
    name, old, fixed = ("pip.ini", "pip", []) if here.platform == "win32" else ("pip.conf", ".pip", ["/etc/pip.conf"])
    own, everybodys = folders(here)
    yield from (os.path.join(folder, "pip", name) for folder in reversed(everybodys))
    yield from fixed
    if not os.path.exists(chosen):
        yield os.path.join(here.home, old, name)
        application = os.path.join(here.home, "Library", "Application Support")
        mac = here.platform == "darwin" and os.path.isdir(os.path.join(application, "pip"))
        yield os.path.join(application if mac else own, "pip", name)
    yield os.path.join(here.prefix, name)
    yield chosen
