"""Settings: from the environment, then from [fallback] in keyringrc.cfg, then defaults."""

from __future__ import annotations

import configparser
import fnmatch
import io
import os
import re
from collections.abc import Mapping
from enum import Enum
from typing import Callable

from . import hints
from .here import config_file, expanded, read_head
from .records import Record

#: keyring's own convention (keyring 25.7.0, backend.py).
VARIABLE_PREFIX = "KEYRING_PROPERTY_FALLBACK_"
_SELECTED = "PYTHON_KEYRING_BACKEND"
_MAX_BYTES = 64 << 10
_MAX_SECONDS = 24 * 60 * 60
_MAX_TOOLS = 20
_DEFAULTS = "the defaults"
#: The length of a value that makes no sense and is shown: of a word, or a number, and no token.
_LONGEST_SHOWN = 6
#: A row whose pattern begins with a bracket: to keyring it is a heading.
_NO_ROW = re.compile(r"(?m)^(\[[^\]\n]+\])[ \t]*(?:[^\s#;=][^\n=]*)?=")
_SECTIONS = ("fallback", "fallback.commands")


class Fault(Enum):
    """What is wrong with a setting."""

    FILE_UNREADABLE = "{}: cannot be read ({})"
    FILE_TOO_LARGE = "{}: larger than {} bytes"
    FILE_OF_A_PROJECT = "{}: not read for [fallback], since {}"
    OPTION_UNKNOWN = "{} is not known; the options are {}"
    SECTION_UNKNOWN = "{}: the section [{}] is not known; [fallback] or [fallback.commands] is meant perhaps"
    VALUE = "{}: {}"
    ROW = "{}: {}; this row is not used"
    ROW_BEGINS = "{}: a pattern cannot begin with {}, which is a heading to keyring: all below it is not used"
    COMMANDS_OF_OTHERS = "{}: [fallback.commands] is not used, since {}: it must be the user's own file"


class Problem(Record):
    """A setting that makes no sense."""

    fault: Fault  #: What is wrong.
    source: str  #: Where: a variable's name or the file's path.
    option: str  #: The option of [fallback] that the file has it in, or "" where it is a variable, or the whole file.
    detail: str  #: What is wrong with it, in words.
    used: str = ""  #: What is used instead, or "".

    def __str__(self) -> str:
        where = f"{self.source}: option {self.option!r} in [fallback]" if self.option else self.source
        line = str(self.fault.value).format(where, self.detail)
        return f"{line}; used instead: {self.used}" if self.used else line


class Row(Record):
    """A row of [fallback.commands]: a host, or a pattern for hosts, and the words of its command."""

    pattern: str
    words: tuple[str, ...]


class Settings(Record):
    """What the user has set."""

    enabled: bool = True  #: Whether lookups are delegated at all.
    #: Interpreters, environments or executables, asked in order. Nothing: they are searched for.
    tool: tuple[str, ...] = ()
    services: tuple[str, ...] = ("*",)  #: Which services are delegated: patterns on the host or on the whole name.
    timeout: float = 120.0  #: Seconds that one tool may take for one lookup.
    selected: str = ""  #: The backend that PYTHON_KEYRING_BACKEND or ``default-keyring`` names, or "".
    commands: tuple[Row, ...] = ()  #: The rows of [fallback.commands].
    file: str = ""  #: The path of keyringrc.cfg, whether it exists or not.
    sources: Mapping[str, str] = {}  #: Where each option is set: a variable's name or the file's path.
    problems: tuple[Problem, ...] = ()  #: What makes no sense, and what is used instead.

    def delegates(self, service: object) -> bool:
        """Tell whether the user wants a service to be delegated."""
        if "*" in self.services or hints.is_at(service, self.services):
            return True
        # a pattern for hosts must not fit the end of a URL's path
        name = service if isinstance(service, str) else ""
        return any(fnmatch.fnmatchcase(name, one) for one in self.services if "/" in one or "/" not in name)

    def row_for(self, service: object) -> Row | None:
        """Return the row for a service, by its host and by nothing else of it: the most exact pattern wins; or None."""
        fitting = [row for row in self.commands if hints.is_at(service, [row.pattern])]
        host = hints.host_of(service)
        return max(fitting, key=lambda row: (row.pattern == host, len(row.pattern.strip("*"))), default=None)


def read(environ: Mapping[str, str], home: str, platform: str, foreign: object = None) -> Settings:
    """Return the settings in force; arguments as `Here` has them. Never raises.

    `foreign` is why keyringrc.cfg may have come with a project, or None: keyring obeys it, we do not.
    """
    file = config_file(environ, home, platform)
    options, rows, selected, problems = _read_file(file)
    if foreign and (options or rows):
        options, rows, problems = {}, {}, [Problem(Fault.FILE_OF_A_PROJECT, file, "", str(foreign), _DEFAULTS)]
    found = {name: (value, file) for name, value in options.items()}
    for name in _PARSERS:
        variable = VARIABLE_PREFIX + name.upper()
        if (value := environ.get(variable, "")).strip():
            found[name] = value, variable

    sources = {} if selected is None else {"selected": file}
    if _SELECTED in environ:
        selected, sources["selected"] = environ[_SELECTED], _SELECTED
    parsed: dict[str, object] = {"selected": selected or ""}
    for name, (value, source) in found.items():
        option = name if source == file else ""
        if name not in _PARSERS:
            problems.append(Problem(Fault.OPTION_UNKNOWN, source, option, ", ".join(_PARSERS)))
            continue
        parser, default = _PARSERS[name]
        try:
            parsed[name] = parser(value, home)
            sources[name] = source
        except ValueError as error:
            problems.append(Problem(Fault.VALUE, source, option, str(error), default))
    if rows:
        parsed["commands"], sources["commands"] = _commands(rows, file, platform, problems), file
    return Settings(file=file, sources=sources, problems=tuple(problems), **parsed)  # type: ignore[arg-type]


def _commands(rows: Mapping[str, str], file: str, platform: str, problems: list[Problem]) -> tuple[Row, ...]:
    """Return the rows that make sense, split as by a POSIX shell, but for Windows' backslashes; note what is wrong."""
    import shlex

    found = []
    for pattern, value in rows.items():
        lexer = shlex.shlex(value, posix=True)
        lexer.whitespace_split, lexer.commenters = True, ""
        lexer.escape = "" if platform == "win32" else lexer.escape
        try:
            if value.startswith("//") or "/" in pattern:  # keyring's files have ":" for "=", too
                raise ValueError("it is a URL, and a host is wanted")
            if re.match(r"(?![/'\"])[^\s=]*(\s*=|:\s)", value):
                raise ValueError("a host is wanted, without a port, and by its name: an IPv6 address cannot stand here")
            words = tuple(lexer)
            if not words:
                raise ValueError("there is no command")
        except ValueError as error:
            problems.append(Problem(Fault.ROW, f"{file}: [fallback.commands], {pattern[:80]!r}", "", str(error)))
        else:
            found.append(Row(pattern, words))
    return tuple(found)


def _read_file(file: str) -> tuple[dict[str, str], dict[str, str], str | None, list[Problem]]:
    """Return the options of [fallback], the rows of [fallback.commands], default-keyring or None, and problems."""
    parser = configparser.RawConfigParser()
    try:
        data = read_head(file, _MAX_BYTES + 1) if file else b""
        if len(data) > _MAX_BYTES:
            return {}, {}, None, [Problem(Fault.FILE_TOO_LARGE, file, "", str(_MAX_BYTES), _DEFAULTS)]
        text = data.decode("utf-8")
        parser.read_file(io.StringIO(text, newline=None), file)
    except (FileNotFoundError, NotADirectoryError):
        text = ""
    except (OSError, ValueError, configparser.Error) as error:
        detail = str(error).split("\n")[0] or type(error).__name__
        if isinstance(error, UnicodeDecodeError) or str(error.__dict__.get("line", "")).startswith("\ufeff"):
            detail = "it is no UTF-8, or has a byte order mark, as from PowerShell: save it as UTF-8 without BOM"
        return {}, {}, None, [Problem(Fault.FILE_UNREADABLE, file, "", detail, _DEFAULTS)]
    options, rows = (dict(parser.items(one)) if parser.has_section(one) else {} for one in _SECTIONS)
    # [DEFAULT] is everybody's
    rows = {name: value for name, value in rows.items() if name not in parser.defaults()}
    ours = {name: value for name, value in options.items() if name in _PARSERS or name not in parser.defaults()}
    selected = parser.get("backend", "default-keyring", fallback=None)
    unknown = [one for one in parser.sections() if one not in _SECTIONS]
    strange = [one for one in unknown if any(_resembles(one, known) for known in _SECTIONS)]
    problems = [Problem(Fault.SECTION_UNKNOWN, file, "", one) for one in strange]
    if parser.has_section(_SECTIONS[1]):
        problems += [Problem(Fault.ROW_BEGINS, file, "", one) for one in _NO_ROW.findall(text)]
    return ours, rows, selected and selected.strip(), problems


def _resembles(name: str, known: str) -> bool:
    """Tell whether a name may be a mistyped known one: most of its letters are the same."""
    letters = [c for c in name.lower() if c.isalpha()]
    same = sum(min(letters.count(c), known.count(c)) for c in {*known})
    return len(letters) <= len(known) + 2 and same >= len(known) - 2


def _enabled(value: str, _home: str) -> bool:
    states = configparser.RawConfigParser.BOOLEAN_STATES
    word = value.strip().lower()
    if word not in states:
        raise ValueError(f"{_quoted(value)} is neither true nor false")
    return states[word]


def _tool(value: str, home: str) -> tuple[str, ...]:
    paths = tuple(expanded(line, home) for line in map(str.strip, value.splitlines()) if line)
    for path in paths:
        if not os.path.isabs(path) or "\0" in path:
            what = _quoted(path) if "@" in path or "://" in path else repr(path[:80])
            raise ValueError(f"{what} is not an absolute path")
    if not 0 < len(paths) <= _MAX_TOOLS:
        raise ValueError(f"{len(paths)} paths are given; there must be one, and at most {_MAX_TOOLS}")
    return paths


def _services(value: str, _home: str) -> tuple[str, ...]:
    patterns = tuple(value.replace(",", " ").split())
    if not patterns:
        raise ValueError("no pattern is given")
    return patterns


def _timeout(value: str, _home: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _MAX_SECONDS:  # also turns down inf and nan
        raise ValueError(f"{_quoted(value)} is not a number of seconds between 0 and {_MAX_SECONDS}")
    return seconds


#: For each option how its value is read, and the default in words.
_PARSERS: dict[str, tuple[Callable[[str, str], object], str]] = {
    "enabled": (_enabled, "true"),
    "tool": (_tool, "the search"),
    "services": (_services, "*"),
    "timeout": (_timeout, "120"),
}


def _quoted(value: str) -> str:
    """Return a value for a message: one line, and not what may be a token."""
    if len(value.strip()) > _LONGEST_SHOWN:
        return "what is set"
    return repr("".join(c if c.isprintable() else "?" for c in value.strip()))
