"""Changes one option in a TOML or INI file, and nothing else in it.

Possible changes are made line by line and read by the parser that reads the file: the first one that changes what is
meant, and nothing more, is taken. So it does not matter what a line only looks like.
"""

from __future__ import annotations

import configparser
import contextlib
import copy
import difflib
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, Callable

from .. import hints
from ..discovery import acl
from .shell import Edit

#: What is added to a file's name for the copy that stays beside it.
COPY = ".before-keyring-fallback"
_MAX_BYTES = 1 << 20
_MAX_LINES = 50  # of one value
#: A value of one line with the comment behind it.
_COMMENT = re.compile(r"""[^=:]*[=:]\s*(?:"[^"\\]*"|'[^']*'|[^"'#\s][^"'#]*)(?<!\s)(\s*#.*)""", re.DOTALL)


class CannotEditError(Exception):
    """A file cannot be changed; the message says why."""


class MeanwhileError(CannotEditError):
    """A file has changed since it was read."""


class Change:
    """A change of a file that was thought out and not made yet: the file that a link leads to, before and after.

    CannotEditError: the file cannot be read, or is too unusual to be changed by a program.
    """

    def __init__(self, edit: Edit) -> None:
        self.file = os.path.realpath(edit.file)
        self.before, _ = _read(self.file)
        parse = _ini if edit.file.endswith((".cfg", ".conf", ".ini", "pypirc")) else _toml()
        try:
            meant = parse(self.before)
        except ValueError as error:
            raise CannotEditError(f"it is not understood as it is ({str(error).splitlines()[0]})") from None
        wanted = _changed(meant, edit, parse)
        mark = "\ufeff" * self.before.startswith("\ufeff")  # uv reads a file with a BOM, and keyring does not
        texts = [self.before[len(mark) :]] if wanted == meant else _candidates(self.before[len(mark) :], edit)
        after = next((mark + text for text in texts if _means(text, wanted, parse)), None)
        if after is None:
            raise CannotEditError("it is written in a way that a program should not change")
        self.after = after

    def difference(self) -> str:
        """Return the lines that change, as a diff without the lines around them."""
        before, after = self.before.splitlines(), self.after.splitlines()
        return "\n".join(difflib.unified_diff(before, after, self.file, self.file, n=0, lineterm=""))

    def make(self) -> None:
        """Write the file, by rename; a copy of what was there before this process changed it stays beside it.

        CannotEditError: it cannot be written, or has changed meanwhile.
        """
        if self.after == self.before:  # it says so already: a second run was faster
            return
        folder, name = os.path.split(self.file)
        temporary = ""
        try:
            os.makedirs(folder, exist_ok=True)
            text, status = _read(self.file)
            if text != self.before:
                raise MeanwhileError("it has changed meanwhile")
            if status and not status.st_mode & stat.S_IWUSR:
                raise CannotEditError("it is read-only")
            if acl.is_there(self.file):
                raise CannotEditError("it has an access control list")
            descriptor, temporary = tempfile.mkstemp(prefix=name, dir=folder)
            _write(descriptor, self.after, status)
            if _read(self.file)[0] != self.before:
                raise MeanwhileError("it has changed meanwhile")
            if status:
                _copy(self.file, self.before, status)
            os.replace(temporary, self.file)
        except OSError as error:
            raise CannotEditError(f"it cannot be written ({error.strerror})") from None
        finally:
            with contextlib.suppress(OSError):  # it was not made, or has become the file
                os.unlink(temporary)


#: The files that have their copies.
_copied: set[str] = set()


def _copy(file: str, text: str, status: os.stat_result) -> None:
    if file in _copied:
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(file + COPY)
    _write(os.open(file + COPY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), text, status)
    _copied.add(file)


def _write(descriptor: int, text: str, status: os.stat_result | None) -> None:
    """Write a new file, and give it the owner, the group and the mode of another; OSError: that is not permitted.

    By its descriptor: whoever owns the folder may have put a link to another file in its place.
    """
    with open(descriptor, "wb") as stream:
        stream.write(text.encode("utf-8"))
        if status is None or sys.platform == "win32":
            return
        try:
            os.fchown(descriptor, status.st_uid, status.st_gid)
        except PermissionError:
            if status.st_uid != os.geteuid():
                raise  # one's own may have a group that one is not in
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


def _read(file: str) -> tuple[str, os.stat_result | None]:
    """Return a file's text and its status, or "" and None if there is none; CannotEditError: it cannot be edited."""
    flags = (getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_BINARY"))
    try:
        with open(os.open(file, os.O_RDONLY | sum(flags)), "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise CannotEditError("it is no regular file")
            data = stream.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise CannotEditError(f"it is larger than {_MAX_BYTES} bytes")
        return data.decode("utf-8"), status
    except UnicodeDecodeError:
        raise CannotEditError("it is not UTF-8: save it as UTF-8") from None
    except FileNotFoundError:
        return "", None
    except OSError as error:
        raise CannotEditError(f"it cannot be read ({error.strerror})") from None


def _toml() -> Callable[[str], dict[str, Any]]:
    try:
        import tomllib  # type: ignore[import-not-found, unused-ignore]  # novm
    except ImportError:
        raise CannotEditError("this Python has no parser for TOML (3.11 and newer have)") from None
    return lambda text: tomllib.loads(text.replace("\r\n", "\n").lstrip("\ufeff"))  # type: ignore[no-any-return, unused-ignore]


def _ini(text: str) -> dict[str, Any]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(str(error)) from None
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _means(text: str, wanted: dict[str, Any], parse: Callable[[str], dict[str, Any]]) -> bool:
    with contextlib.suppress(ValueError):
        return parse(text) == wanted
    return False


def _changed(meant: dict[str, Any], edit: Edit, parse: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """Return what a file is to mean; CannotEditError: there is nothing there that could be changed so."""
    wanted = copy.deepcopy(meant)
    table: Any = wanted
    for key in filter(None, edit.table.split(".")) if edit.file.endswith(".toml") else [edit.table]:
        table = table.setdefault(key, {}) if isinstance(table, dict) else None
    if edit.element and isinstance(table, list):
        tables = (one for one in table if isinstance(one, dict))
        table = next((one for one in tables if hints.shown(one.get("url"), whole=True) == edit.element), None)
    if not isinstance(table, dict) or (edit.element and not table):
        raise CannotEditError(f"it has no table [{edit.table}] for that")
    if edit.value is None:
        table.pop(edit.option, None)
        if parse is _ini and not table:
            del wanted[edit.table]
        elif edit.option == "default-keyring":  # keyring complains of a [backend] without it (25.7.0, core.py)
            wants = "keyring wants a default-keyring there"
            raise CannotEditError(f"{wants}: keyring.backends.chainer.ChainerBackend is all")
    elif parse is _ini:
        table[edit.option] = edit.value
    else:
        table[edit.option] = parse(f"x = {edit.value}")["x"]
    return wanted


def _candidates(text: str, edit: Edit) -> Iterator[str]:
    """Yield texts in which the option is set or removed, the least unusual ones first."""
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    line = f"{edit.option} = {edit.value}{end}"
    option = re.compile(rf"\s*['\"]?{re.escape(edit.option)}['\"]?\s*[=:]")
    headings = [number for number, one in enumerate(lines) if re.match(r"\s*\[", one)]
    for number in (number for number, one in enumerate(lines) if option.match(one)):
        for count in range(1, min(_MAX_LINES, len(lines) - number) + 1):
            comment = _COMMENT.match(lines[number]) if count == 1 and edit.value is not None else None
            kept = line[: -len(end)] + comment[1] if comment else line
            new = [] if edit.value is None else [kept if kept.endswith(("\n", "\r\n")) else kept + end]
            yield "".join([*lines[:number], *new, *lines[number + count :]])
            for above in [one for one in headings if one < number][-1:] if edit.value is None else ():
                yield "".join([*lines[:above], *lines[above + 1 : number], *lines[number + count :]])
    if edit.value is None:
        return
    for number in headings:  # directly below the heading
        last = lines[number] if lines[number].endswith("\n") else lines[number] + end
        yield "".join([*lines[:number], last, line, *lines[number + 1 :]])
    for number, one in enumerate(lines):  # an inline table
        for brace in re.finditer(r"(?<!\s)\s*\}", one):
            added = f", {edit.option} = {edit.value}{brace[0]}"
            yield "".join([*lines[:number], one[: brace.start()] + added + one[brace.end() :], *lines[number + 1 :]])
    whole = text if not text or text.endswith("\n") else text + end
    if edit.table:
        yield whole + (end if whole.strip() else "") + f"[{edit.table}]{end}{line}"
    else:
        first = headings[0] if headings else len(lines)
        while first > 0 and re.match(r"\s*(#|$)", lines[first - 1]):  # comments belong to the heading
            first -= 1
        yield "".join([*lines[:first], line, *([end] if headings and first == 0 else []), *lines[first:]])
        yield line + text
