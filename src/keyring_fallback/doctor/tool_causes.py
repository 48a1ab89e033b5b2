"""Names what is wrong with the global keyrings."""

from __future__ import annotations

import os
from collections.abc import Iterator

from .. import hints
from ..discovery import executable, trust
from ..discovery.places import UV
from ..discovery.tool import SETTING, Findings, Kind, Refusal, Tool
from . import cures
from .examination import Cause, Facts
from .shell import Command

_PROVIDERS = f"{cures.UNKNOWN} is " + ", ".join(f"{one.distribution} ({one.name})" for one in hints.REGISTRIES)


def find(facts: Facts) -> Iterator[Cause]:
    """Yield what is wrong with the global keyrings."""
    findings = facts.survey.findings
    if findings.at_home:
        if not facts.me.content.providers:
            yield from (_unusable(one, facts) for one in findings.refusals if one.origin == SETTING)
        return
    for tool, _ in facts.tools:
        if tool.doubt:
            text = f"The keyring {tool.location} is used since the setting 'tool' names it, although {tool.doubt}."
            yield Cause("untrusted", text, advice="close that to others if you can", problem=False)
    stopped = list(_stopped(facts))
    yield from stopped
    # keyring's own backends may work there only, as files tell of a tool that somebody has made for that
    stores = any(tool.known and tool.own and tool.isolated for tool, _ in facts.tools)
    useful = stores or bool(facts.able)
    refusals = list(_refusals(facts, useful=useful))
    refused = [cause for refusal in refusals for cause in _refused(refusal, facts)]
    yield from (cause._replace(problem=not useful) for cause in refused)
    # one that is to be mended may have a provider
    if facts.able or stopped or any(not one.kind.foreign for one in refusals):
        return
    distribution, names = _missing(facts)
    command, advice = facts.addition(distribution)
    advice = "; ".join(filter(None, (advice, names)))
    problem = not (stores or facts.me.content.providers)
    if not facts.tools:
        if not refused:
            text = "There is no global keyring: none of uv, pipx and the others has installed one."
            yield Cause("no-tool", text, command, advice, problem)
    elif refused or names or not facts.lookup:  # otherwise it is said of the registry
        text = f"The global keyring {facts.tools[0][0].location} has no provider."
        yield Cause("no-provider", text, command, advice, problem)


def _missing(facts: Facts) -> tuple[str, str]:
    """Return the provider for what is looked up, and "", or where that is unknown which there are."""
    services = [index.url for index in facts.uv.indexes] if facts.service is None else [facts.service]
    registry = next(filter(None, map(hints.registry_of, services)), None)
    return (registry.distribution, "") if registry else (cures.UNKNOWN, _PROVIDERS)


def _stopped(facts: Facts) -> Iterator[Cause]:
    """Yield the tools that do not start, or whose keyring does not."""
    for tool, probe in facts.tools:
        if reason := facts.stopped(probe):
            text = f"{tool.interpreter}: {reason}" if probe.error else reason
            yield _broken(tool, tool.location, text, facts)


def _refusals(facts: Facts, *, useful: bool) -> Iterator[Refusal]:
    """Yield the candidates that are a loss: each once, although links and PATH lead to it again."""
    named: set[str] = set()
    for refusal in facts.survey.findings.refusals:
        # what lies in a project on PATH is nobody's loss where there is a tool
        named_by_user = refusal.origin == SETTING
        if (refusal.kind.harmless and not named_by_user) or (useful and refusal.kind.foreign):
            continue
        if not named_by_user and not os.path.lexists(refusal.path):
            continue  # on another machine, where discovery does not look
        location = os.path.realpath(executable.target(refusal.path, facts.here.platform).root or refusal.path)
        if named.isdisjoint([location, *trust.folders_above(location)]):
            named.add(location)
            yield refusal


def _refused(refusal: Refusal, facts: Facts) -> Iterator[Cause]:
    path, kind = refusal.path, refusal.kind
    # the keyrings of this environment and of the one that comes first on PATH are not meant to be global ones
    known = [facts.here.prefix, facts.uv_keyring.root if facts.uv_keyring else ""]
    if refusal.origin == SETTING:
        yield _unusable(refusal, facts)
    elif not (kind.of_others or kind.foreign):
        yield _broken(refusal, path, refusal.reason, facts)
    elif not any(root and os.path.abspath(path).startswith(os.path.join(root, "")) for root in known):
        why = "others than you may decide what it runs" if kind.of_others else "it may not be yours"
        advice = f"if it is meant, say so: 'tool = {path}' in [fallback] of {facts.survey.settings.file}"
        if kind is Kind.OWNED:  # a tool that is named must not belong to others, either
            advice = "make it your own if you trust what is there, or install another"
        text = f"The keyring {path} ({refusal.source}) is not used: {refusal.reason}, so {why}."
        yield Cause("untrusted", text, _closing(refusal), advice)


def _unusable(refusal: Refusal, facts: Facts) -> Cause:
    text = f"The setting 'tool' names {refusal.path}, which cannot be used: {refusal.reason}."
    advice = f"correct or remove 'tool' ({facts.survey.settings.sources['tool']})"
    return Cause("setting-unusable", text, _closing(refusal), advice)


def _closing(refusal: Refusal) -> Command | None:
    """Return the command that closes to others what they may change, or None."""
    return Command(("chmod", "o-w", refusal.decides)) if refusal.kind is Kind.OPEN else None


def _broken(broken: Tool | Refusal, path: str, reason: str, facts: Facts) -> Cause:
    command, advice = cures.reinstall(broken, facts.here.platform), ""
    receipt = os.path.join(path, "uv-receipt.toml")
    if not command and os.path.isfile(receipt):
        advice = f"install it again, with 'uv tool install --force keyring' and all that {receipt} names"
    elif not command and os.path.islink(path) and not os.path.exists(path):
        findings = facts.survey.findings
        found: list[Tool | Refusal] = [*findings.tools, *findings.refusals]
        # a new one would take the place of uv's own
        if facts.able or any(one.origin == UV and one.path != path for one in found):
            advice = "remove this link, which leads nowhere"
        else:
            distribution, advice = _missing(facts)
            left = Findings((Tool(broken.origin, path, "", ""),))
            command = cures.provide(distribution, left, facts.here.platform)
    elif not command:
        advice = "install it again the way it was installed, or remove it"
    return Cause("broken", f"The global keyring {path} ({broken.source}) is broken: {reason}", command, advice)
