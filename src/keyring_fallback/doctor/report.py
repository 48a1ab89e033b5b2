"""Shows what the doctor found: as text of 80 columns, or as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Union

from .. import hints
from ..discovery.tool import Provider
from . import clients, document
from .examination import Facts
from .shell import Cause
from .shown import without_secrets

_WIDTH, _MARK = 80, 3
_BOLD, _RED, _GREEN, _PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[0m"
WORKS, FAILS = "It works.", "It does not work."
NOTHING = "Nothing was looked up; try: keyring-fallback doctor URL"
_NOW = "What to do now"
#: For each area of the short report the causes that belong there.
AREAS = {
    cause: area
    for area, causes in {
        "environment": "keyring-broken not-loaded",
        "settings": "nested switched-off service-excluded setting-without-sense setting-unusable backend-selected "
        "selected-backend-missing",
        "tools": "no-tool no-provider broken untrusted",
        "uv": "missing-there no-keyring-on-path keyring-too-old uv-no-username uv-asks-no-keyring uv-not-told "
        "uv-never-authenticates uv-warns client-tells-nothing password-elsewhere",
        "clients": "client-lacks-us poetry-disabled poetry-username",
        "pip": "pip-disabled pip-no-keyring pip-silent pip-no-username",
        "lookup": "provider-failed no-answer no-end other-username not-a-url nothing-asked",
    }.items()
    for cause in causes.split()
}
#: Without and with colours: all is well, worth a note, something is wrong.
_MARKS = (("ok", "--", "no"), ("\N{CHECK MARK}", "\N{MIDDLE DOT}", "\N{BALLOT X}"))
#: A line that stays in one piece, or how a paragraph starts and what comes then.
_Line = Union[str, tuple[str, str]]


def as_text(facts: Facts, causes: Sequence[Cause], *, colour: bool = False, verbose: bool = False) -> str:
    """Return the report for people: the verdict, what is wrong, what is well; with all facts only on demand."""
    problems = [cause for cause in causes if cause.problem]
    notes = [cause for cause in causes if not cause.problem]
    works = not problems
    sections = [
        (_NOW, _causes(problems[:1], facts, 1)),
        ("What else is wrong", _causes(problems[1:], facts, 2)),
        ("To know", _causes(notes, facts, 1)),
        ("What was looked at", _areas(facts, causes, colour=colour)),
        *([("All that was found, in the order in which it is asked", _outline(document.of(facts)))] if verbose else ()),
    ]
    unasked = not facts.each and [one.name for one in problems] == ["nothing-asked"]
    lines = [(WORKS if works else NOTHING if unasked else FAILS, _GREEN if works else _RED), ("", "")]
    for title, body in sections:
        laid_out = [(line, "") for one in body for line in _laid_out(one, facts)]
        heads = _wrapped(without_secrets(title, facts.names, facts.hidden), "", "  ")
        lines += [*((line, _BOLD) for line in heads), *laid_out, ("", "")] if laid_out else []
    lines[-1:] = [] if verbose else [("  --verbose shows all that was found.", "")]
    return "\n".join(_line(line, code if colour else "") for line, code in lines)


def _line(line: str, code: str) -> str:
    line = "".join(c if c.isprintable() else "?" for c in line)
    return f"{code}{line}{_PLAIN}" if code else line


def _laid_out(line: _Line, facts: Facts) -> list[str]:
    if isinstance(line, str):  # a command or a path, for example
        return [str(without_secrets(f"  {line}", facts.names, facts.hidden, run=True))]
    start, text = line
    mark = len(start.strip()) <= _MARK  # what follows a mark or a number stands below its first line
    blanks = len(start) if mark else len(start) - len(start.lstrip()) + 2
    wrapped = _wrapped(text, f"  {start}", " " * (2 + blanks))
    return [str(without_secrets(one, facts.names, facts.hidden)) for one in wrapped]


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return textwrap.TextWrapper(_WIDTH, first, others, break_long_words=False, break_on_hyphens=False).wrap(text)


def _areas(facts: Facts, causes: Sequence[Cause], *, colour: bool) -> Iterator[_Line]:
    """Yield a line for each area: whether all is well there, and what there is."""
    settings, me = facts.survey.settings, facts.me
    told = ", ".join(name.replace("selected", "default-keyring") for name in settings.sources) or "none"
    places = ", ".join(dict.fromkeys(settings.sources.values())) or settings.file
    uv, pip = facts.client("uv"), facts.client("pip")
    held = (
        f"{tool.name} (for {' '.join(tool.lent)})"
        if tool.lent
        else f"{tool.name if tool.windows else tool.location} ({_named(probe.content.providers)})"
        for tool, probe in facts.tools
    )
    ours = {True: "with keyring-fallback", False: "without keyring-fallback", None: "not known"}
    named = (f"{name} ({'here' if one.mine else ours[one.ours]})" for name, one in facts.others.items())
    tools, others = ", ".join(held), ", ".join(named)
    outside = ", keyring-fallback's own" if facts.alone else ", from outside" if facts.outside else ""
    own = "" if facts.imports else f" in {facts.in_use.prefix}, without keyring"
    for name, words, well in (
        ("environment", f"{facts.here.prefix}: keyring {me.content.keyring or 'missing'}{outside}", True),
        ("settings", f"{told} ({places})", True),
        ("tools", tools or "no global keyring", True),
        *([("uv", _keyring(facts.uv_keyring, facts), True)] if uv else []),
        ("pip", f"pip {pip.program}{own}" if pip else "not in this environment", bool(pip)),
        *([("clients", others, True)] if others else []),
    ):
        ill = [cause.problem for cause in causes if AREAS.get(cause.name) == name]
        yield f"{_MARKS[colour][2 if any(ill) else 1 if ill or not well else 0]} {name}: ", words
    for one in facts.views:
        mark = 0 if one.answered else 2 if one.due and one.lookup else 1
        yield f"{_MARKS[colour][mark]} lookup: ", _looked_up(one)
    for url, place in facts.preferred if facts.service is None else ():
        yield f"{_MARKS[colour][1]} lookup: ", f"{url}: none was made, a password is in {place}"


def _looked_up(facts: Facts) -> str:
    if facts.service is None:
        return "none was made"
    words = {"answer": "an answer", "nothing": "no answer", "failed": "a failure", "unfinished": "no end"}
    came = facts.lookup.get("outcome", "")
    outcome = "an empty password" if came == "answer" and not facts.answered else words.get(came, "none was made")
    outcome += "" if facts.due or facts.answered else ", which no public index needs"
    told = (one for one in facts.told if any(index.is_at(facts.service) for index in one.indexes))
    who = ", ".join(dict.fromkeys(one.client.split()[0] for one in told))
    return f"{hints.shown(facts.service)}{f' ({who})' if who else ''}: {outcome}"


def _named(providers: Iterable[Provider]) -> str:
    return ", ".join(dict.fromkeys(f"{one.distribution} {one.version}" for one in providers)) or "no provider"


def _keyring(keyring: clients.Keyring | None, facts: Facts) -> str:
    if keyring is None:
        return "none is on PATH"
    version = f"keyring {keyring.version}" if keyring.version else "a keyring of unknown version"
    ours = {True: ", with keyring-fallback", False: ", without keyring-fallback", None: ""}[keyring.ours]
    if keyring.root and keyring.root in [tool.root for tool, _ in facts.tools]:
        ours = ", the global keyring"
    return f"{keyring.path} ({version}{', this environment' if keyring.mine else ours})"


def _outline(value: Any, indent: str = "") -> Iterator[_Line]:
    """Yield what a JSON value holds, a line for each, what is in it further in; what is empty is left out."""
    for key, one in value.items() if isinstance(value, dict) else (("-", one) for one in value):
        start = f"{indent}{key}" if key == "-" else f"{indent}{key}:"
        if not isinstance(one, (dict, list, tuple)):
            yield from [(f"{start} ", str(one))] if one not in (None, "") else []
        elif key == "-" and one:
            (first, *others) = _outline(one, f"{indent}  ")
            begin, *text = [first] if isinstance(first, str) else first
            begin = f"{start} {begin[len(indent) + 2 :]}"
            yield (begin, text[0]) if text else begin
            yield from others
        elif one:
            yield start
            yield from _outline(one, f"{indent}  ")


def _causes(causes: Sequence[Cause], facts: Facts, first: int) -> Iterator[_Line]:
    platform = facts.here.platform
    prompt = "PS>" if platform == "win32" else "$"  # PowerShell has variables that begin with "$"
    for number, cause in enumerate(causes, first):
        yield f"{number}. ", cause.text
        if command := cause.command(platform):
            yield f"   {prompt} {command}"
        if words := cause.words(platform):
            yield "   -> ", words
