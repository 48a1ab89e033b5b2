"""Names what is wrong with the global keyrings."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from .. import cures, discovery, hints, shell
from .examination import Cause, Facts

#: What discovery says of candidates that are no loss, that may have come with a project, and that others may change.
_NO_LOSS = re.compile(r"it is this environment|it is an activated|it has no keyring|it lies in a cache")
_OF_A_PROJECT = re.compile(r"it lies in |what \w+ says is not an absolute path")
_OF_OTHERS = re.compile(r".* belongs to another user$|everybody can write to (?P<open>.*)")
_PROVIDERS = "PROVIDER is " + ", ".join(f"{one.distribution} ({one.name})" for one in hints.REGISTRIES)


def find(facts: Facts) -> Iterator[Cause]:
    """Yield what is wrong with the global keyrings."""
    findings, platform = facts.survey.findings, facts.here.platform
    if findings.at_home:
        return
    for tool, probe in facts.tools:
        reason = f"{tool.interpreter}: {probe.error}" if probe.error else ""
        if probe.broken and "selected" not in facts.survey.settings.sources:
            reason = reason or f"its keyring cannot be used: {probe.broken}"
        if reason:
            yield _broken(tool.source, tool.location, reason, platform)
    # keyring's own backends may work there only
    stores = any(probe.content.optional - facts.me.content.optional for _, probe in facts.tools)
    useful = stores or bool(facts.able)
    refused = [
        cause._replace(problem=not useful)
        for refusal in findings.refusals
        # what lies in a project on PATH is nobody's loss where there is a tool
        if not _NO_LOSS.match(refusal.reason) and not (useful and _OF_A_PROJECT.match(refusal.reason))
        for cause in _refused(refusal, facts)
    ]
    yield from refused
    if facts.able or any(probe.error or probe.broken for _, probe in facts.tools):
        return
    registry = hints.registry_of(facts.service)
    distribution, names = (registry.distribution, "") if registry else ("PROVIDER", _PROVIDERS)
    command, problem = (
        cures.add_provider(distribution, facts.first, platform),
        not (stores or facts.me.content.providers),
    )
    if facts.first is None:
        if not refused:
            text = "There is no global keyring: none of uv, pipx and the others has installed one."
            yield Cause("no-tool", text, command, names, problem)
    elif not (registry and facts.lookup):  # then it is said of the registry
        yield Cause(
            "no-provider", f"The global keyring {facts.first.location} has no provider.", command, names, problem
        )


def _refused(refusal: discovery.Refusal, facts: Facts) -> Iterator[Cause]:
    source, path, reason = refusal
    settings, of_others = facts.survey.settings, _OF_OTHERS.match(reason)
    command = f"chmod o-w {shell.quoted(of_others['open'], 'linux')}" if of_others and of_others["open"] else ""
    # the keyrings of this environment and of the one that comes first on PATH are not meant to be global ones
    known = [facts.here.prefix, facts.uv_keyring.root if facts.uv_keyring else ""]
    if source == discovery.SETTING:
        text = f"The setting 'tool' names {path}, which cannot be used: {reason}."
        yield Cause("setting-unusable", text, command, f"correct or remove 'tool' ({settings.sources['tool']})")
    elif not of_others and not _OF_A_PROJECT.match(reason):
        yield _broken(source, path, reason, facts.here.platform)
    elif not any(root and os.path.abspath(path).startswith(os.path.join(root, "")) for root in known):
        why = "others than you may decide what it runs" if of_others else "it may not be yours"
        edit = "" if command else f"if it is yours, say so: 'tool = {path}' in [fallback] of {settings.file}"
        yield Cause("untrusted", f"The keyring {path} ({source}) is not used: {reason}, so {why}.", command, edit)


def _broken(source: str, path: str, reason: str, platform: str) -> Cause:
    command = cures.reinstall(source, path, platform)
    edit = "" if command else "install it again the way it was installed, or remove it"
    receipt = os.path.join(path, "uv-receipt.toml")
    if not command and os.path.isfile(receipt):
        edit = f"install it again, with 'uv tool install --force keyring' and all that {receipt} names"
    return Cause("broken", f"The global keyring {path} ({source}) is broken: {reason}", command, edit)
