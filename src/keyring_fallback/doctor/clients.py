"""Which ``keyring`` uv and pip would run from here, and what they are told about it. Reads files, runs nothing.

uv's rules are those of 0.12.5: docs/concepts/configuration-files.md, uv-settings/src/lib.rs, uv-dirs/src/lib.rs,
uv-workspace/src/workspace.rs and uv-distribution-types/src/index.rs. pip's are those of 26.3: configuration.py.
"""

from __future__ import annotations

import configparser
import contextlib
import glob
import importlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from .. import environment, executable, hints, trust
from ..discovery import Here

#: Whether this Python can read uv's files.
READS_FILES = sys.version_info >= (3, 11)
_tomllib: Any = importlib.import_module("tomllib") if READS_FILES else None
#: What uv takes for true, and pip (cli/parser.py, strtobool).
_TRUE = ("y", "yes", "t", "true", "on", "1")


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
    providers: Sequence[environment.Provider] = ()


class Pip(NamedTuple):
    """What pip is told.

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


class Index(NamedTuple):
    """A package index of uv's.

    Attributes:
        url: Its URL, without user name and password.
        name: Its name, or "".
        username: The user name that uv has for it, or "".
        password: Whether uv has a password for it, too.
        authenticate: "auto", "always" or "never".
        source: The file or variable that it is set in.
    """

    url: str
    name: str
    username: str
    password: bool
    authenticate: str
    source: str


class Uv(NamedTuple):
    """What uv is told.

    Attributes:
        files: The files that are in force.
        provider: Its keyring provider: "disabled" is the default, and "subprocess" runs ``keyring``.
        source: Where that is set, or "".
        pip_provider: The one of ``uv pip``, if it is set apart, or "".
        indexes: The indexes.
        problems: One line for each file that cannot be read.
    """

    files: Sequence[str]
    provider: str
    source: str
    pip_provider: str
    indexes: Sequence[Index]
    problems: Sequence[str]


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
        content = environment.read(root, here.platform)
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
    variables = ((name, value) for name, value in here.environ.items() if name.startswith("PIP_") and value)
    found.update((name[4:].replace("_", "-").lower(), (value, name)) for name, value in variables)
    provider, source = found.get("keyring-provider", ("", ""))
    silent, where = found.get("no-input", ("", ""))
    return Pip(version, provider or "auto", source, where if silent.lower() in _TRUE else "")


def _folders(here: Here) -> tuple[str, list[str]]:
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
    own, everybodys = _folders(here)
    yield from (os.path.join(folder, "pip", name) for folder in reversed(everybodys))
    yield from fixed
    if not os.path.exists(chosen):
        yield os.path.join(here.home, old, name)
        application = os.path.join(here.home, "Library", "Application Support")
        mac = here.platform == "darwin" and os.path.isdir(os.path.join(application, "pip"))
        yield os.path.join(application if mac else own, "pip", name)
    yield os.path.join(here.prefix, name)
    yield chosen


def uv(here: Here) -> Uv:
    """Return what uv is told in the working directory. Never raises."""
    problems: dict[str, None] = {}
    tables = {file: _table(file, section, problems) for file, section in _uv_files(here, problems)}
    told = {file: table for file, table in tables.items() if table is not None}
    variable = "UV_KEYRING_PROVIDER"
    providers = [(variable, here.environ.get(variable)), *((file, told[file].get("keyring-provider")) for file in told)]
    said = ((source, provider) for source, provider in providers if provider and isinstance(provider, str))
    source, provider = next(said, ("", "disabled"))
    of_pip = (table["pip"].get("keyring-provider") for table in told.values() if isinstance(table.get("pip"), dict))
    indexes: dict[str, Index] = {}
    names: set[str] = set()
    for index in _indexes(told, here.environ):
        if not index.name or index.name not in names:  # where two stand for one URL, uv 0.13.9 takes one by chance
            indexes.setdefault(index.url, index)
            names.add(index.name)
    return Uv(
        files=tuple(told),
        provider=provider,
        source=source,
        pip_provider="" if source == variable else str(next(filter(None, of_pip), "")),
        indexes=tuple(indexes.values()),
        problems=tuple(problems),
    )


def _uv_files(here: Here, problems: dict[str, None]) -> Iterator[tuple[str, str]]:
    """Yield the files in force, with the table that uv's settings are in there: project's, user's, system's."""
    environ = here.environ
    if environ.get("UV_CONFIG_FILE"):
        yield os.path.join(here.cwd, environ["UV_CONFIG_FILE"]), ""
        return
    if environ.get("UV_NO_CONFIG", "").lower() in _TRUE:
        return
    for folder in _upwards(_workspace(here.cwd, problems)) if here.cwd else ():
        settings, project = os.path.join(folder, "uv.toml"), os.path.join(folder, "pyproject.toml")
        if os.path.exists(settings):
            yield settings, ""
            break
        if _table(project, "tool.uv", problems) is not None:
            yield project, "tool.uv"
            break
    own, everybodys = _folders(here)
    if here.platform != "win32":
        everybodys.append("/etc")
    if environ.get("UV_NO_SYSTEM_CONFIG", "").lower() in _TRUE:
        everybodys = []
    for folders in ([own], everybodys):
        files = (os.path.join(folder, "uv", "uv.toml") for folder in folders)
        yield from ((file, "") for file in list(filter(os.path.exists, files))[:1])


def _workspace(folder: str, problems: dict[str, None]) -> str:
    """Return the root of the workspace that a folder's project belongs to, or else the folder."""
    project = next((one for one in _upwards(folder) if os.path.isfile(os.path.join(one, "pyproject.toml"))), "")
    for root in _upwards(project) if project else ():
        table = _table(os.path.join(root, "pyproject.toml"), "tool.uv.workspace", problems)
        if table is not None:
            members, excluded = (
                any(Path(project) in Path(root).glob(str(pattern)) for pattern in table.get(key) or ())
                for key in ("members", "exclude")
            )
            return root if root == project or (members and not excluded) else folder
    return folder


def _upwards(folder: str) -> Iterator[str]:
    yield folder
    yield from trust.folders_above(folder)


def _table(file: str, section: str, problems: dict[str, None]) -> dict[str, Any] | None:
    """Return a table of a TOML file, or None if there is none; what keeps it from being read becomes a problem."""
    if _tomllib is None:
        return None
    try:
        with open(file, "rb") as stream:
            table: Any = _tomllib.load(stream)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        problems[f"{file} cannot be read ({error.strerror if isinstance(error, OSError) else error})"] = None
        return None
    for key in filter(None, section.split(".")):
        table = table.get(key) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else None


def _indexes(told: Mapping[str, dict[str, Any]], environ: Mapping[str, str]) -> Iterator[Index]:
    """Yield the indexes that variables and files name, with what these, or variables for an index, say of them."""
    listed: list[tuple[str, Any]] = []
    for variable in ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_URL"):
        words = re.findall(r"(?:([\w.-]+)=)?(\S+)", environ.get(variable, ""))
        listed += ((variable, {"name": name, "url": url}) for name, url in words)
    for file, table in told.items():
        tables, urls = (one if isinstance(one, list) else [] for one in map(table.get, ("index", "extra-index-url")))
        listed += ((file, index) for index in (*tables, *({"url": url} for url in (table.get("index-url"), *urls))))
    for source, index in listed:
        url = index.get("url") if isinstance(index, dict) else None
        if not isinstance(url, str):
            continue
        try:
            parts = urlsplit(url)
            username, password = unquote(parts.username or ""), parts.password is not None
        except ValueError:
            username, password = "", False
        name = str(index.get("name") or "")
        if name:
            prefix = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
            username = environ.get(f"{prefix}_USERNAME") or username
            password = password or f"{prefix}_PASSWORD" in environ
        yield Index(hints.shown(url), name, username, password, str(index.get("authenticate", "auto")), source)
