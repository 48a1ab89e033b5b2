"""What uv is told about indexes and keyring. Reads files, runs nothing.

uv's rules are those of 0.12.5: docs/concepts/configuration-files.md, uv-settings/src/lib.rs, uv-dirs/src/lib.rs,
uv-workspace/src/workspace.rs and uv-distribution-types/src/index.rs.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from .. import hints
from ..discovery import trust
from ..here import Here
from .clients import TRUE, folders

#: Whether this Python can read uv's files.
READS_FILES = sys.version_info >= (3, 11)
_tomllib: Any = importlib.import_module("tomllib") if READS_FILES else None


class Index(NamedTuple):
    """A package index of uv's.

    Attributes:
        url: Its URL, without user name and password.
        name: Its name, or "".
        username: The user name that uv has for it, or "".
        password: Whether uv has a password for it, too.
        authenticate: "auto", "always" or "never".
        source: The file or variable that it is set in.
        option: The option in the file: "index", which may say when to authenticate, "index-url" or "extra-index-url";
            "pip." stands before it where it is for ``uv pip`` only.
    """

    url: str
    name: str
    username: str
    password: bool
    authenticate: str
    source: str
    option: str


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


def read(here: Here) -> Uv:
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
    if chosen := environ.get("UV_CONFIG_FILE"):
        yield os.path.join(here.cwd, chosen), ""
        return
    if environ.get("UV_NO_CONFIG", "").lower() in TRUE:
        return
    for folder in _upwards(_workspace(here.cwd, problems)) if here.cwd else ():
        settings, project = os.path.join(folder, "uv.toml"), os.path.join(folder, "pyproject.toml")
        if os.path.exists(settings):
            yield settings, ""
            break
        if _table(project, "tool.uv", problems) is not None:
            yield project, "tool.uv"
            break
    own, everybodys = folders(here)
    if here.platform != "win32":
        everybodys.append("/etc")
    if environ.get("UV_NO_SYSTEM_CONFIG", "").lower() in TRUE:
        everybodys = []
    for where in ([own], everybodys):
        files = (os.path.join(folder, "uv", "uv.toml") for folder in where)
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
    listed: list[tuple[str, str, dict[str, Any]]] = []
    for variable in ("UV_INDEX", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_URL"):
        words = re.findall(r"(?:([\w.-]+)=)?(\S+)", environ.get(variable, ""))
        listed += ((variable, "", {"name": name, "url": url}) for name, url in words)
    for file, table in told.items():
        of_pip = table["pip"] if isinstance(table.get("pip"), dict) else {}
        for prefix, options in (("", table), ("pip.", of_pip)):
            for option in ("index", "index-url", "extra-index-url"):
                value = options.get(option)
                values = value if isinstance(value, list) else [value]
                listed += ((file, prefix + option, one if isinstance(one, dict) else {"url": one}) for one in values)
    for source, option, index in listed:
        url = index.get("url")
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
        authenticate = str(index.get("authenticate", "auto"))
        yield Index(hints.shown(url), name, username, password, authenticate, source, option)
