"""What is wrong and what mends it, as data and as typed in a shell, POSIX or PowerShell; `platform` as in `Here`."""

from __future__ import annotations

import re
import shlex
from typing import Union

from ..records import Record


class Variable(Record):
    """An environment variable to be set or removed: in the person's shell, or for a `Command`."""

    name: str  #: Its name.
    value: str | None  #: Its value; None removes it.
    before: bool = False  #: Whether the value is a folder that comes before what is there, as on PATH.


class Command(Record):
    """A command to be run without a shell."""

    words: tuple[str, ...]  #: The program and its arguments.
    variables: tuple[Variable, ...] = ()  #: What is set for it.
    #: Whether it mends something as it stands: others only look, or have a word that is to be replaced.
    mends: bool = True
    quiet: bool = False  #: Whether its output is to be thrown away.


class Edit(Record):
    """A change of one option in a file: an INI file of keyring's or pip's, or a TOML file."""

    file: str  #: Its path.
    table: str  #: The table or section, "" for the top of a TOML file.
    option: str  #: Its name.
    value: str | None  #: What it is set to, as it stands in the file; None removes it.
    #: Where the table is one of an array: the URL that this one has, as `hints.shown` shows it whole, or "".
    element: str = ""


#: What mends something, if a program can do it.
Cure = Union[Command, Variable, Edit, None]


class Cause(Record):
    """Something that is wrong, and what mends it."""

    name: str  #: Its name, which stays the same.
    text: str  #: What is wrong, in whole sentences.
    cure: Cure = None  #: What mends it, as data, or None.
    advice: str = ""  #: What to know of that, or to do besides or instead, or "".
    problem: bool = True  #: Whether it keeps lookups from being answered; otherwise it is worth a note.

    def command(self, platform: str) -> str:
        """Return what is typed to mend it, or ""; the platform as `sys.platform` names it."""
        return "" if isinstance(self.cure, Edit) else typed(self.cure, platform)

    def words(self, platform: str) -> str:
        """Return what is said besides, or ""; the platform as `sys.platform` names it."""
        said = described(self.cure) if isinstance(self.cure, Edit) else ""
        said = lasting(self.cure, platform) if isinstance(self.cure, Variable) else said
        return "; ".join(filter(None, (said, self.advice)))


def as_data(cure: Cure) -> dict[str, object] | None:
    """Return a cure for a JSON document; ``kind`` is "command", "variable" or "edit"."""
    if cure is None:
        return None
    data = {"kind": type(cure).__name__.lower(), **cure._asdict()}
    if isinstance(cure, Command):
        data["variables"] = [one._asdict() for one in cure.variables]
    return data


def typed(cure: Command | Variable | None, platform: str) -> str:
    """Return a command, or what changes a variable for all commands that come, as it is typed; "" for None."""
    if cure is None:
        return ""
    windows = platform == "win32"
    if isinstance(cure, Variable):
        if cure.value is None:
            return f"Remove-Item Env:{cure.name}" if windows else f"unset {cure.name}"
        return _assigned(cure, platform) if windows else f"export {_assigned(cure, platform)}"
    line = " ".join(quoted(word, platform) for word in cure.words)
    if windows and line.startswith("'"):  # PowerShell takes a quoted first word for a text, and shows it
        line = f"& {line}"
    if cure.quiet:
        line += f" > {'$null' if windows else '/dev/null'}"
    return ("; " if windows else " ").join([*(_assigned(one, platform) for one in cure.variables), line])


def described(edit: Edit) -> str:
    """Return what to change in a file, in words."""
    table = f"[[{edit.table}]]" if edit.element else f"[{edit.table}]"
    which = f" for {edit.element}" if edit.element else ""
    if edit.value is None:
        return f"remove '{edit.option}'{which} from {table} in {edit.file}"
    where = f"in {table} of" if edit.table else "at the top of"  # below a table's heading it would be part of that
    return f"set '{edit.option} = {edit.value}'{which} {where} {edit.file}"


def lasting(variable: Variable, platform: str) -> str:
    """Return in words what makes the change of a variable last: the command is for one shell."""
    where = "your user environment variables" if platform == "win32" else "your shell's start-up file"
    return f"and remove it from {where}, if it is set there" if variable.value is None else f"and put it into {where}"


def quoted(word: str, platform: str) -> str:
    """Return a word as it is typed in a shell."""
    if platform != "win32":  # a requirement's marker has such quotes
        return f'"{word}"' if re.fullmatch(r"[^\"$`\\!]*'[^\"$`\\!]*", word) else shlex.quote(word)
    return word if re.fullmatch(r"[\w.:/\\@%+=-]+", word) and not word.startswith("@") else _literal(word)


def _literal(text: str) -> str:
    """Return a text in PowerShell's quotes, which end at any of five characters (its tokenizer's IsSingleQuote)."""
    return "'" + re.sub("(['\u2018-\u201b])", r"\1\1", text) + "'"


def _assigned(variable: Variable, platform: str) -> str:
    name, value = variable.name, variable.value or ""
    if platform == "win32":
        return f"$env:{name} = {_literal(value)}" + (f" + ';' + $env:{name}" if variable.before else "")
    return f"{name}={shlex.quote(value)}" + (f":${name}" if variable.before else "")
