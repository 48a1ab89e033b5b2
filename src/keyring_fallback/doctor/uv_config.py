"""Reads what uv is told about indexes and keyring: its files and variables, by the rules of uv 0.12.5.

Sources: docs/concepts/configuration-files.md, uv-settings/src/lib.rs, uv-dirs/src/lib.rs, uv-workspace/src/workspace.rs
and uv-distribution-types/src/index.rs of astral-sh/uv.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from .. import hints
from ..discovery import Here

#: Whether this Python can read uv's files.
READS_FILES = sys.version_info >= (3, 11)
_tomllib: Any = importlib.import_module("tomllib") if READS_FILES else None


class Index(NamedTuple):
    """A package index.

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


class UvConfig(NamedTuple):
    """What uv is told.

    Attributes:
        files: The files that are in force.
        provider: Its keyring provider: "disabled" is the default.
        source: Where that is set, or "".
        pip_provider: The one of ``uv pip``, if it is set apart, or "".
        indexes: The indexes.
        problems: One line for each file that cannot be read.
    """

    files: tuple[str, ...] = ()
    provider: str = "disabled"
    source: str = ""
    pip_provider: str = ""
    indexes: tuple[Index, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def asks_keyring(self) -> bool:
        """Whether uv runs ``keyring`` at all."""
        return self.provider == "subprocess"


def read(here: Here) -> UvConfig:
    """Return what is in force in the working directory. Never raises."""
    tables: list[tuple[str, dict[str, Any]]] = []
    problems: list[str] = []
    for file, section in _files(here, problems):
        table = _table(file, section, problems)
        if table is not None:
            tables.append((file, table))
    environ = here.environ
    provider, source = environ.get("UV_KEYRING_PROVIDER", ""), "UV_KEYRING_PROVIDER"
    pip_provider = ""
    indexes = list(_from_environment(environ))
    for file, table in tables:
        if not provider and isinstance(table.get("keyring-provider"), str):
            provider, source = table["keyring-provider"], file
        pip = table.get("pip")
        if isinstance(pip, dict):
            pip_provider = pip_provider or str(pip.get("keyring-provider", ""))
        indexes += _from_table(table, file, environ)
    if environ.get("UV_KEYRING_PROVIDER"):
        pip_provider = ""
    return UvConfig(
        files=tuple(file for file, _ in tables),
        provider=provider or "disabled",
        source=source if provider else "",
        pip_provider=pip_provider,
        indexes=_merged(indexes),
        problems=tuple(problems),
    )


def _files(here: Here, problems: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the files in force, with the table that uv's settings are in there: project's, user's, system's."""
    chosen = here.environ.get("UV_CONFIG_FILE", "")
    if chosen:
        yield os.path.join(here.cwd, chosen), ""
        return
    if _is_true(here.environ.get("UV_NO_CONFIG", "")):
        return
    for folder in _above(_workspace(here.cwd, problems)) if here.cwd else ():
        file = os.path.join(folder, "uv.toml")
        if os.path.exists(file):
            yield file, ""
            break
        file = os.path.join(folder, "pyproject.toml")
        if os.path.exists(file) and _table(file, "tool.uv", problems) is not None:
            yield file, "tool.uv"
            break
    yield from ((file, "") for file in _personal(here) if os.path.exists(file))


def _personal(here: Here) -> Iterator[str]:
    """Yield the paths of the user's file and of the system's."""
    environ = here.environ
    if here.platform == "win32":
        roaming = environ.get("APPDATA") or os.path.join(here.home, "AppData", "Roaming")
        yield os.path.join(roaming, "uv", "uv.toml")
        yield os.path.join(environ.get("SYSTEMDRIVE", "C:") + "\\", "ProgramData", "uv", "uv.toml")
        return
    root = environ.get("XDG_CONFIG_HOME", "")
    yield os.path.join(root if os.path.isabs(root) else os.path.join(here.home, ".config"), "uv", "uv.toml")
    if _is_true(environ.get("UV_NO_SYSTEM_CONFIG", "")):
        return
    folders = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    files = [os.path.join(folder, "uv", "uv.toml") for folder in folders]
    yield next(filter(os.path.isfile, files), "/etc/uv/uv.toml")


def _workspace(folder: str, problems: list[str]) -> str:
    """Return the root of the workspace that a folder's project belongs to, or else the folder."""
    from pathlib import Path

    project = next((one for one in _above(folder) if os.path.isfile(os.path.join(one, "pyproject.toml"))), "")
    if not project:
        return folder
    for root in _above(project):
        table = _table(os.path.join(root, "pyproject.toml"), "tool.uv.workspace", problems)
        if table is None:
            continue
        if root == project:
            return root
        found = {
            key: any(Path(project) in Path(root).glob(str(pattern)) for pattern in table.get(key) or ())
            for key in ("members", "exclude")
        }
        return root if found["members"] and not found["exclude"] else folder
    return folder


def _above(folder: str) -> Iterator[str]:
    while True:
        yield folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent


def _table(file: str, section: str, problems: list[str]) -> dict[str, Any] | None:
    """Return a table of a TOML file, or None if there is none; what keeps it from being read becomes a problem."""
    if _tomllib is None:
        return None
    try:
        with open(file, "rb") as stream:
            table: Any = _tomllib.load(stream)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        line = f"{file} cannot be read ({error.strerror if isinstance(error, OSError) else error})"
        problems += [line] if line not in problems else []
        return None
    for key in filter(None, section.split(".")):
        table = table.get(key) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else None


def _from_environment(environ: Mapping[str, str]) -> Iterator[Index]:
    for variable in ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_URL"):
        for word in environ.get(variable, "").split():
            name, separator, url = word.partition("=")
            if not separator or not re.fullmatch(r"[\w.-]+", name):
                name, url = "", word
            yield _index(url, name, "auto", variable, environ)


def _from_table(table: dict[str, Any], file: str, environ: Mapping[str, str]) -> Iterator[Index]:
    indexes = table.get("index")
    for index in indexes if isinstance(indexes, list) else ():
        if isinstance(index, dict) and isinstance(index.get("url"), str):
            authenticate = str(index.get("authenticate", "auto"))
            yield _index(index["url"], str(index.get("name") or ""), authenticate, file, environ)
    extra = table.get("extra-index-url")
    for url in [table.get("index-url"), *(extra if isinstance(extra, list) else ())]:
        if isinstance(url, str):
            yield _index(url, "", "auto", file, environ)


def _index(url: str, name: str, authenticate: str, source: str, environ: Mapping[str, str]) -> Index:
    try:
        parts = urlsplit(url)
        username, password = unquote(parts.username or ""), parts.password is not None
    except ValueError:
        username, password = "", False
    if name:
        prefix = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
        username = environ.get(f"{prefix}_USERNAME") or username
        password = password or f"{prefix}_PASSWORD" in environ
    return Index(hints.shown(url), name, username, password, authenticate, source)


def _merged(indexes: list[Index]) -> tuple[Index, ...]:
    """Return the first index for each name and URL. Where two rules stand for one URL uv 0.13.9 takes one by chance."""
    merged: dict[str, Index] = {}
    names: set[str] = set()
    for index in indexes:
        if not index.name or index.name not in names:
            merged.setdefault(index.url, index)
            names.add(index.name)
    return tuple(merged.values())


def _is_true(value: str) -> bool:
    return value.lower() in ("1", "true", "yes", "on", "y", "t")
