"""Settings: from the environment, then from the [fallback] section of keyringrc.cfg, then defaults."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from typing import Callable

from .places import config_file
from .records import Record

#: Prefix of the variables that win over the file; keyring's own convention (keyring 25.7.0, backend.py).
VARIABLE_PREFIX = "KEYRING_PROPERTY_FALLBACK_"

_MAX_BYTES = 1 << 20
_TRUE, _FALSE = ("1", "yes", "true", "on"), ("0", "no", "false", "off")


class Settings(Record):
    """What the user has set.

    Attributes:
        enabled: Whether lookups are delegated at all.
        tool: Interpreters, environments or executables, asked in order; none: they are searched for.
        services: Patterns of the services that are delegated: on the host or on the whole name.
        timeout: Seconds that one tool may take for one lookup.
        selected: The backend that PYTHON_KEYRING_BACKEND or ``default-keyring`` names, or "".
        file: The path of keyringrc.cfg, whether it exists or not.
        sources: For each option that is set, where: a variable's name or the file's path.
        problems: One line for each value that makes no sense: where it stands and what is used instead.
    """

    enabled: bool = True
    tool: tuple[str, ...] = ()
    services: tuple[str, ...] = ("*",)
    timeout: float = 120.0
    selected: str = ""
    file: str = ""
    sources: Mapping[str, str] = {}
    problems: tuple[str, ...] = ()


def read(environ: Mapping[str, str], home: str, platform: str) -> Settings:
    """Return the settings in force; what is wrong with them is in `Settings.problems`, nothing is raised.

    Args:
        environ: The environment.
        home: The user's home folder.
        platform: As `sys.platform` names it.
    """
    file = config_file(environ, home, platform)
    values, problems = _read_file(file)
    raw: dict[str, tuple[str, str]] = {
        name: (value, f"{file}: option {name!r} in [fallback]") for name, value in values.items() if name != "selected"
    }
    for name in Settings._fields[:4]:
        variable = VARIABLE_PREFIX + name.upper()
        if environ.get(variable, "").strip():
            raw[name] = (environ[variable], variable)

    settings = Settings(file=file)
    parsed: dict[str, object] = {}
    sources: dict[str, str] = {}
    for name, (value, source) in raw.items():
        if name not in _PARSERS:
            problems.append(f"{source} is not known; the options are {', '.join(_PARSERS)}")
            continue
        try:
            parsed[name] = _PARSERS[name](value, home)
            sources[name] = source if source.startswith(VARIABLE_PREFIX) else file
        except ValueError as error:
            problems.append(f"{source}: {error}; used instead: {_shown(getattr(settings, name))}")
    selected = environ.get("PYTHON_KEYRING_BACKEND")
    if selected is not None:
        sources["selected"] = "PYTHON_KEYRING_BACKEND"
    else:
        selected = values.get("selected", "")
        if selected:
            sources["selected"] = file
    return settings._replace(selected=selected, sources=sources, problems=tuple(problems), **parsed)  # type: ignore[arg-type]


def _read_file(file: str) -> tuple[dict[str, str], list[str]]:
    """Return the options of [fallback], with default-keyring as ``selected``, and what is wrong with the file."""
    parser = configparser.RawConfigParser()
    try:
        if os.path.getsize(file) > _MAX_BYTES:
            return {}, [f"{file}: larger than {_MAX_BYTES} bytes; used instead: the defaults"]
        with open(file, encoding="utf-8") as stream:
            parser.read_file(stream)
    except (FileNotFoundError, NotADirectoryError):
        return {}, []
    except (OSError, ValueError, configparser.Error) as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        return {}, [f"{file}: cannot be read ({reason}); used instead: the defaults"]
    values = dict(parser.items("fallback")) if parser.has_section("fallback") else {}
    for name in parser.defaults():
        if name not in _PARSERS:
            values.pop(name, None)  # [DEFAULT] is everybody's
    values["selected"] = parser.get("backend", "default-keyring", fallback="").strip()
    return values, []


def _enabled(value: str, _home: str) -> bool:
    word = value.strip().lower()
    if word not in _TRUE + _FALSE:
        msg = f"{_shown(value)} is neither true nor false"
        raise ValueError(msg)
    return word in _TRUE


def _tool(value: str, home: str) -> tuple[str, ...]:
    paths = []
    for line in filter(None, map(str.strip, value.splitlines())):
        path = home + line[1:] if line == "~" or line.startswith(("~/", "~\\")) else line
        if not os.path.isabs(path) or "\0" in path:
            msg = f"{_shown(line)} is not an absolute path"
            raise ValueError(msg)
        paths.append(path)
    if not paths:
        msg = "no path is given"
        raise ValueError(msg)
    return tuple(paths)


def _services(value: str, _home: str) -> tuple[str, ...]:
    patterns = tuple(value.replace(",", " ").split())
    if not patterns:
        msg = "no pattern is given"
        raise ValueError(msg)
    return patterns


def _timeout(value: str, _home: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 86400:  # noqa: PLR2004 - a day; also turns down inf and nan
        msg = f"{_shown(value)} is not a number of seconds between 0 and 86400"
        raise ValueError(msg)
    return seconds


_PARSERS: dict[str, Callable[[str, str], object]] = {
    "enabled": _enabled,
    "tool": _tool,
    "services": _services,
    "timeout": _timeout,
}


def _shown(value: object) -> str:
    """Return a value for a message: in one line, without control characters, and not too long."""
    if isinstance(value, tuple):
        return " ".join(value) or "the search"
    text = value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value).lower()
    text = "".join(c if c.isprintable() else "?" for c in text.strip())
    return repr(text[:80]) if isinstance(value, str) else text
