"""Which ``keyring`` uv and pip would run from here, and what pip is told about it. Reads files, runs nothing."""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator
from importlib import metadata
from typing import NamedTuple

from .. import environment, executable, trust
from ..discovery import Here

#: What pip takes for true (pip 26.3, cli/parser.py, strtobool).
_TRUE = ("y", "yes", "t", "true", "on", "1")


class Keyring(NamedTuple):
    """A ``keyring`` that a client would run.

    Attributes:
        path: The executable.
        root: The root of its environment, or "" if it has none or that cannot be told.
        version: The version of keyring there, or "" if it cannot be told.
        ours: Whether this project is installed there; None if it cannot be told.
        mine: Whether its environment is this one.
        content: What its environment holds.
    """

    path: str
    root: str
    version: str
    ours: bool | None
    mine: bool
    content: environment.Content


class Pip(NamedTuple):
    """What is known about pip.

    Attributes:
        version: The version of the pip in this environment, or "" if there is none.
        provider: Its keyring provider: "auto", "import", "subprocess" or "disabled".
        source: Where that is set, or "".
        silent: Where it is told to ask for no input, or "".
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
    name = "keyring.exe" if here.platform == "win32" else "keyring"
    for entry in here.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(here.cwd, entry, name)  # an empty entry is the working directory
        if without and trust.identity(os.path.join(here.cwd, entry)) == trust.identity(without):
            continue
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return _keyring(here, path)
    return None


def scripts(here: Here) -> str:
    """Return the folder of this environment's executables."""
    return os.path.dirname(here.executable)


def _keyring(here: Here, path: str) -> Keyring:
    root = executable.target(path, here.platform).root
    if not root:
        return Keyring(path, "", "", None, mine=False, content=environment.Content(complete=False))
    content = environment.read(root, here.platform)
    mine = trust.identity(root) == trust.identity(here.prefix)
    return Keyring(path, root, content.keyring, _has_us(content), mine, content)


def _has_us(content: environment.Content) -> bool:
    for folder in content.folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        if any(name.startswith("keyring_fallback-") and name.endswith(".dist-info") for name in names):
            return True
    return False


def pip(here: Here) -> Pip:
    """Return what pip is told (pip 26.3, configuration.py): later files win, then the environment."""
    try:
        version = metadata.version("pip")
    except metadata.PackageNotFoundError:
        version = ""
    provider, source = _pip_option(here, "keyring-provider")
    silent, where = _pip_option(here, "no-input")
    return Pip(version, provider or "auto", source, where if silent.lower() in _TRUE else "")


def _pip_option(here: Here, name: str) -> tuple[str, str]:
    """Return the value of an option for ``pip install``, and where it is set."""
    variable = "PIP_" + name.upper().replace("-", "_")
    if here.environ.get(variable):
        return here.environ[variable], variable
    value = source = ""
    for section in ("global", "install"):
        for file in _pip_files(here):
            parser = configparser.RawConfigParser()
            try:
                parser.read(file)
            except (OSError, ValueError, configparser.Error):
                continue
            for option in (name, name.replace("-", "_")):
                if parser.has_option(section, option):
                    value, source = parser.get(section, option), file
    return value, source


def _pip_files(here: Here) -> Iterator[str]:
    """Yield the paths of pip's configuration files, whether there is something or not."""
    chosen = here.environ.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return
    name = "pip.ini" if here.platform == "win32" else "pip.conf"
    if here.platform == "win32":
        yield os.path.join(here.environ.get("ProgramData", r"C:\ProgramData"), "pip", name)
    else:
        for folder in reversed((here.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)):
            yield os.path.join(folder, "pip", name)
        yield os.path.join("/etc", name)
    if not os.path.exists(chosen):
        yield from _pip_files_of_the_user(here, name)
    yield os.path.join(here.prefix, name)
    if chosen:
        yield chosen


def _pip_files_of_the_user(here: Here, name: str) -> Iterator[str]:
    if here.platform == "win32":
        yield os.path.join(here.home, "pip", name)
        yield os.path.join(here.environ.get("APPDATA", os.path.join(here.home, "AppData", "Roaming")), "pip", name)
    else:
        yield os.path.join(here.home, ".pip", name)
        configuration = here.environ.get("XDG_CONFIG_HOME") or os.path.join(here.home, ".config")
        application = os.path.join(here.home, "Library", "Application Support", "pip")
        at_home = os.path.join(configuration, "pip")
        yield os.path.join(application if here.platform == "darwin" and os.path.isdir(application) else at_home, name)
