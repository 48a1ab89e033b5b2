"""Shows what the doctor found: as text of 80 columns, or as JSON."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from .. import __version__, hints
from ..discovery import Tool
from ..environment import Provider
from . import clients, uv_config
from .cause import Cause
from .examination import Examination
from .probing import Asked, Lookup, Probe

#: The number of the JSON document's form; it changes when something is taken away or gets another meaning.
SCHEMA = 1
_WIDTH = 80
#: Columns that stand before a wrapped text at the most.
_INDENT = 5
_BOLD, _RED, _GREEN, _PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[0m"


def as_text(examination: Examination, causes: list[Cause], *, colour: bool = False) -> str:
    """Return the report for people.

    Args:
        examination: What was found.
        causes: What is wrong.
        colour: Whether the terminal shows colours.
    """
    lines: list[str] = []
    for title, body in _sections(examination):
        lines += [_coloured(title, _BOLD, colour), *(f"  {line}" if line else "" for line in body), ""]
    problems = [cause for cause in causes if cause.problem]
    notes = [cause for cause in causes if not cause.problem]
    if notes:
        lines += [_coloured("To know", _BOLD, colour), *_causes(notes), ""]
    if problems:
        lines += [_coloured("What is wrong, and what mends it", _BOLD, colour), *_causes(problems), ""]
        lines.append(_coloured("It does not work.", _RED, colour))
    else:
        lines.append(_coloured("It works.", _GREEN, colour))
    return "\n".join("".join(c if c.isprintable() or c == "\x1b" else "?" for c in line) for line in lines)


def as_json(examination: Examination, causes: list[Cause]) -> str:
    """Return the report for programs: one JSON document; the tests hold it to a schema."""
    now, here, settings = examination.survey, examination.survey.here, examination.survey.settings
    document = {
        "schema": SCHEMA,
        "works": not any(cause.problem for cause in causes),
        "version": __version__,
        "environment": {
            "root": here.prefix,
            "python": examination.me.version,
            "keyring": examination.me.keyring,
            "providers": [dict(provider) for provider in examination.me.providers],
            "is_tool": examination.findings.at_home,
        },
        "reason": now.reason,
        "selected": examination.me.selected,
        "backends": [dict(backend) for backend in examination.me.backends],
        "tools": [_tool_as_data(tool, probe) for tool, probe in examination.probed()],
        "refused": [refusal._asdict() for refusal in examination.findings.refusals],
        "settings": {
            "file": settings.file,
            "enabled": settings.enabled,
            "tool": list(settings.tool),
            "services": list(settings.services),
            "timeout": settings.timeout,
            "selected": settings.selected,
            "sources": dict(settings.sources),
        },
        "clients": {
            "uv": _keyring_as_data(examination.uv_keyring),
            "pip": _keyring_as_data(examination.pip_keyring),
            "pip_version": examination.pip.version,
            "pip_keyring_provider": examination.pip.provider,
        },
        "uv": {
            "files_read": uv_config.READS_FILES,
            "files": list(examination.uv.files),
            "keyring_provider": examination.uv.provider,
            "indexes": [index._asdict() for index in examination.uv.indexes],
        },
        "lookups": [_lookup_as_data(lookup) for lookup in examination.me.lookups],
        "service": None if examination.service is None else hints.shown(examination.service),
        "username": examination.username,
        "causes": [cause._asdict() for cause in causes],
    }
    return json.dumps(document, indent=2)


def _tool_as_data(tool: Tool, probe: Probe) -> dict[str, Any]:
    return {
        "source": tool.source,
        "path": tool.path,
        "root": tool.root,
        "interpreter": tool.interpreter,
        "python": probe.version,
        "keyring": probe.keyring or tool.content.keyring,
        "providers": [one._asdict() for one in _providers(tool, probe)],
        "adds": sorted({provider.distribution for provider in tool.adds}),
        "known": tool.known,
        "error": probe.error or probe.broken,
    }


def _keyring_as_data(keyring: clients.Keyring | None) -> dict[str, Any] | None:
    if keyring is None:
        return None
    return {
        "path": keyring.path,
        "environment": keyring.root,
        "keyring": keyring.version,
        "has_keyring_fallback": keyring.ours,
        "is_this_environment": keyring.mine,
    }


def _lookup_as_data(lookup: Lookup) -> dict[str, Any]:
    return {**lookup._asdict(), "asked": [asked._asdict() for asked in lookup.asked]}


def _providers(tool: Tool, probe: Probe) -> tuple[Provider, ...]:
    """Return the providers of a tool: as it says itself, where files do not tell."""
    told = tuple(Provider(one["distribution"], one["version"], one["value"]) for one in probe.providers)
    return tool.content.providers if tool.known else told or tool.content.providers


def _sections(examination: Examination) -> Iterator[tuple[str, list[str]]]:
    yield f"keyring-fallback {__version__} in this environment", list(_environment(examination))
    yield "Which keyring is run from here", list(_clients(examination))
    yield "Backends, in the order in which they are asked", list(_backends(examination.me))
    yield "Global keyrings, in the order in which they are asked", list(_tools(examination))
    yield "Settings", list(_settings(examination))
    yield "uv", list(_uv(examination.uv))
    if examination.service is not None:
        for_whom = f" for the user name {examination.username}" if examination.username else ""
        yield f"Lookup of {hints.shown(examination.service)}{for_whom}", list(_lookups(examination))


def _environment(examination: Examination) -> Iterator[str]:
    me = examination.me
    yield examination.survey.here.prefix
    yield f"Python {me.version or 'that does not start'}, keyring {me.keyring or 'missing'}"
    yield from _wrapped("providers: ", _named(me.providers) or "none")
    if examination.survey.reason:
        yield from _wrapped("nothing is delegated: ", examination.survey.reason)


def _named(providers: Iterable[dict[str, str]]) -> str:
    return ", ".join(dict.fromkeys(f"{one['distribution']} {one['version']}" for one in providers))


def _clients(examination: Examination) -> Iterator[str]:
    pip = examination.pip
    yield from _wrapped("uv: ", _keyring(examination.uv_keyring))
    if pip.version:
        yield f"pip {pip.version}, keyring-provider {pip.provider}{f' ({pip.source})' if pip.source else ''}:"
        yield "  import: the keyring of this environment"
        yield from (f"  {line}" for line in _wrapped("subprocess: ", _keyring(examination.pip_keyring)))
    else:
        yield "pip: not in this environment"


def _keyring(keyring: clients.Keyring | None) -> str:
    if keyring is None:
        return "none is on PATH"
    version = f"keyring {keyring.version}" if keyring.version else "a keyring of unknown version"
    if keyring.mine:
        return f"{keyring.path} ({version}, this environment)"
    ours = {True: ", with keyring-fallback", False: ", without keyring-fallback", None: ""}[keyring.ours]
    return f"{keyring.path} ({version}{ours})"


def _backends(probe: Probe) -> Iterator[str]:
    if probe.error or probe.broken:
        yield from _wrapped("keyring cannot be used: ", probe.error or probe.broken)
    for backend in probe.backends:
        selected = "   <- this one is used" if backend["name"] == probe.selected else ""
        if backend["priority"] > 0 or selected:
            yield f"{backend['priority']:>5g}  {backend['name']}{selected}"
    if probe.selected and probe.selected not in [backend["name"] for backend in probe.backends]:
        yield f"    -  {probe.selected}   <- this one is used"


def _tools(examination: Examination) -> Iterator[str]:
    if not examination.findings.tools:
        yield "none"
    for number, (tool, probe) in enumerate(examination.probed(), 1):
        yield f"{number}. {tool.root or tool.path} ({tool.source})"
        if probe.error or probe.broken:
            yield from (f"   {line}" for line in _wrapped("broken: ", probe.error or probe.broken))
        elif not tool.interpreter:
            yield "   asked through its command line: its interpreter cannot be told"
        else:
            yield f"   Python {probe.version}, keyring {probe.keyring or tool.content.keyring or 'missing'}"
        if tool.interpreter:
            told = [one._asdict() for one in _providers(tool, probe)]
            yield from (f"   {line}" for line in _wrapped("providers: ", _named(told) or "none"))
            here = [one.distribution for one in tool.content.providers if one not in tool.adds]
            if here:
                yield from (f"   {line}" for line in _wrapped("here too, and not asked there: ", ", ".join(here)))
    own = os.path.join(examination.survey.here.prefix, "")
    refusals = [one for one in examination.findings.refusals if not one.path.startswith(own)]
    refusals = [one for one in refusals if "this environment itself" not in one.reason]
    if refusals:
        yield "Not used:"
    for refusal in refusals:
        yield f"- {refusal.path} ({refusal.source})"
        yield from _wrapped("  ", refusal.reason)


def _settings(examination: Examination) -> Iterator[str]:
    settings = examination.survey.settings
    yield f"file: {settings.file}"
    values = {
        "enabled": str(settings.enabled).lower(),
        "tool": "\n".join(settings.tool) or "the search",
        "services": " ".join(settings.services),
        "timeout": f"{settings.timeout:g} seconds",
        "default-keyring": settings.selected,
    }
    for name, value in values.items():
        source = settings.sources.get("selected" if name == "default-keyring" else name, "")
        if source or name != "default-keyring":
            yield f"{name}: {value} ({'set in ' + source if source else 'the default'})"


def _uv(uv: uv_config.UvConfig) -> Iterator[str]:
    if not uv_config.READS_FILES:
        yield "Its files are not read: this Python is older than 3.11. Its variables are."
    yield f"keyring-provider: {uv.provider} ({uv.source or 'the default'})"
    if uv.pip_provider:
        yield f"keyring-provider of uv pip: {uv.pip_provider}"
    for index in uv.indexes:
        yield f"index {index.url}"
        password = " and a password" if index.password else ""
        who = f"user name {index.username}{password}" if index.username else "no user name"
        yield f"  {who}, authenticate {index.authenticate} ({index.source})"
    if not uv.indexes:
        yield "no index but the default one"
    yield from uv.problems


def _lookups(examination: Examination) -> Iterator[str]:
    if not examination.me.lookups:
        yield "not made: keyring cannot be used"
    for lookup in examination.me.lookups:
        if lookup is not examination.lookup:
            yield "For any user name:"
        for asked in lookup.asked:
            yield from _wrapped("- ", f"{asked.who}: {_outcome(asked)}")
        seconds = f"in {lookup.milliseconds} ms"
        if lookup.outcome == "answer":
            yield f"Answer {seconds}: user name {lookup.username or 'unknown'}, password of {lookup.length} characters"
        elif lookup.outcome == "unfinished":
            yield "No end: this one did not answer in time"
        else:
            yield f"No answer {seconds}" + (f" ({lookup.error.partition(':')[0]})" if lookup.error else "")


def _outcome(asked: Asked) -> str:
    if asked.outcome == "unfinished":
        return "asked"
    if asked.outcome == "failed":
        return f"failed in {asked.milliseconds} ms"
    by = f" by {asked.answered_by}" if asked.answered_by not in ("", asked.who) else ""
    return f"{'answer' + by if asked.outcome == 'answer' else 'no answer'} in {asked.milliseconds} ms"


def _causes(causes: list[Cause]) -> Iterator[str]:
    for number, cause in enumerate(causes, 1):
        yield from _wrapped(f"  {number}. ", cause.text)
        if cause.edit:
            yield from _wrapped("     -> ", cause.edit)
        if cause.command:
            yield f"     $ {cause.command}"  # in one piece: it is to be copied


def _wrapped(start: str, text: str) -> list[str]:
    """Return text in lines; what is to be copied (paths, commands) stays in one piece."""
    hanging = " " * (len(start) if start.strip() in ("", "-", "->") or start.strip().endswith(".") else 2)
    return textwrap.wrap(
        text,
        _WIDTH - _INDENT,
        initial_indent=start,
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _coloured(text: str, colour: str, wanted: bool) -> str:  # noqa: FBT001 - the last word of three
    return f"{colour}{text}{_PLAIN}" if wanted else text
