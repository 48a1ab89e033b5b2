"""Makes a document of what the doctor found: what is shown as JSON, and by ``--verbose``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .. import __version__, advice, hints
from ..discovery.tool import Refusal, Tool
from . import shell
from .examination import Facts
from .probing import Probe
from .shell import Cause
from .shown import without_secrets
from .told import Told

#: The number of the JSON document's form; it changes when something is taken away or gets another meaning.
SCHEMA = 2
#: The names of what a `clients.Keyring` has.
_OF_A_CLIENT = ("path", "environment", "keyring", "has_keyring_fallback", "is_this_environment")


def as_json(facts: Facts, causes: Sequence[Cause]) -> str:
    """Return the report for programs: one JSON document; the tests hold it to a schema."""
    works = not any(cause.problem for cause in causes)
    found = [_cause_as_data(cause, facts) for cause in causes]
    return json.dumps({"schema": SCHEMA, "works": works, **of(facts), "causes": found}, indent=2)


def of(facts: Facts) -> dict[str, Any]:
    """Return all that was found, without secrets, but not what follows from it."""
    now, me = facts.survey, facts.me
    settings = now.settings._asdict()
    del settings["problems"]
    clients = {"uv": facts.uv_keyring, "pip": facts.pip_keyring, **facts.others}
    settings["commands"] = [row.pattern for row in now.settings.commands]  # not their words, which may hold anything
    document = {
        "version": __version__,
        "environment": {
            "root": facts.here.prefix,
            "python": me.version,
            "keyring": me.content.keyring,
            "providers": [one._asdict() for one in me.content.providers],
            "is_tool": now.findings.at_home,
        },
        "reason": advice.why_not(now) or "",
        "selected": me.selected,
        "backends": me.backends,
        "tools": [_tool_as_data(tool, probe) for tool, probe in facts.tools],
        "refused": list(map(_refusal_as_data, now.findings.refusals)),
        "settings": settings,
        "clients": {name: one and dict(zip(_OF_A_CLIENT, one)) for name, one in clients.items()},
        "told": [_told_as_data(one, facts) for one in facts.told],
        "lookups": [
            {**one, "service": hints.shown(view.service), "username": facts.name(one["username"]) or None}
            for view in facts.views
            for one in view.me.lookups
        ],
        "service": None if facts.service is None else hints.shown(facts.service),
        "username": facts.name(facts.username) or None,
    }
    return dict(without_secrets(document, facts.names, facts.hidden))


def _told_as_data(told: Told, facts: Facts) -> dict[str, Any]:
    indexes = [{**one._asdict(), "username": facts.name(one.username) or None} for one in told.indexes]
    return {**told._asdict(), "indexes": indexes}


def _cause_as_data(cause: Cause, facts: Facts) -> dict[str, Any]:
    platform = facts.here.platform
    words = without_secrets({"text": cause.text, "edit": cause.words(platform)}, facts.names, facts.hidden)
    cure = {"command": cause.command(platform), "cure": shell.as_data(cause.cure)}
    cure = without_secrets(cure, facts.names, facts.hidden, run=True)
    return {"name": cause.name, **words, **cure, "problem": cause.problem}


def _tool_as_data(tool: Tool, probe: Probe) -> dict[str, Any]:
    return {
        **{name: getattr(tool, name) for name in ("source", "path", "root", "interpreter", "known", "lent")},
        "python": probe.version,
        "keyring": probe.content.keyring,
        "providers": [one._asdict() for one in probe.content.providers],
        "adds": sorted({provider.distribution for provider in tool.adds}),
        "error": probe.error or probe.broken,
    }


def _refusal_as_data(refusal: Refusal) -> dict[str, str]:
    words = {name: getattr(refusal, name) for name in ("source", "path", "decides", "reason")}
    return {**words, "kind": refusal.kind.name.lower()}
