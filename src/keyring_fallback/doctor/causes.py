"""Names what keeps lookups from being answered, each cause with the command or the edit that mends it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from .. import cures, discovery, hints, survey
from . import Cause, client_causes
from .examination import Facts

#: What discovery says of candidates that are no loss, that may have come with a project, and that others may change.
_NO_LOSS = re.compile(r"it is this environment|it is an activated|it has no keyring|it lies in a cache")
_OF_A_PROJECT = re.compile(r"it lies in |what \w+ says is not an absolute path")
_OF_OTHERS = re.compile(r".* belongs to another user$|everybody can write to (?P<open>.*)")
#: keyring's own chain asks GlobalKeyring, and ours; the others ask nobody else.
_CHAINS = ("keyring.backends.chainer.", "keyring_fallback.")
_PROVIDERS = "PROVIDER is " + ", ".join(f"{one.distribution} ({one.name})" for one in hints.REGISTRIES)


def find(facts: Facts) -> list[Cause]:
    """Return what is wrong, the most basic first."""
    found = [*_settings(facts), *_selected(facts)]
    if facts.answered or not _has_problems(found):
        found += _tools(facts)
    if facts.answered:  # what is wrong for others than this lookup is only worth a note
        found = [cause._replace(problem=False) for cause in found]
    elif facts.lookup:
        found += _failures(facts)
        if not _has_problems(found):
            found.append(_nothing(facts))
    return [*found, *client_causes.find(facts)]


def _has_problems(found: list[Cause]) -> bool:
    return any(cause.problem for cause in found)


def _settings(facts: Facts) -> Iterator[Cause]:
    now, settings, sources = facts.survey, facts.survey.settings, facts.survey.settings.sources
    for line in settings.problems:
        yield Cause("setting-without-sense", line, edit="correct this option, or remove it", problem=False)
    if now.here.environ.get(survey.NESTED):
        yield Cause(
            "nested",
            f"The variable {survey.NESTED} is set, as in what keyring-fallback itself starts: nothing is delegated.",
            cures.variable(survey.NESTED, "", now.here.platform),
        )
    elif not settings.enabled:
        edit = f"set 'enabled = true' in [fallback] of {sources['enabled']}"
        text = f"keyring-fallback is switched off ({sources['enabled']})."
        yield Cause("switched-off", text, *_taken_back(sources["enabled"], edit, facts))
    elif facts.service is not None and not now.delegates(facts.service):
        source = sources["services"]
        host = hints.host_of(facts.service) or hints.shown(facts.service)
        where = f"[fallback] of {source}" if source == settings.file else source
        yield Cause(
            "service-excluded",
            f"The setting 'services' ({' '.join(settings.services)}) leaves this service out ({source}).",
            edit=f"add {host} to 'services' in {where}",
        )


def _taken_back(source: str, edit: str, facts: Facts) -> tuple[str, str]:
    """Return the command and the edit that take a setting back: a variable is unset, a file is edited."""
    by_file = source == facts.survey.settings.file
    return ("", edit) if by_file else (cures.variable(source, "", facts.here.platform), "")


def _selected(facts: Facts) -> Iterator[Cause]:
    """What is wrong with the backend that the user has selected, or with this environment's keyring otherwise."""
    me, here, settings = facts.me, facts.here, facts.survey.settings
    source, name = settings.sources.get("selected", settings.file), settings.selected
    selected = "selected" in settings.sources or me.broken.startswith("ValueError: Empty module name")
    if selected:
        by_file = source == settings.file
        said = f"'default-keyring = {name}' in {source}" if by_file else f"PYTHON_KEYRING_BACKEND={name}"
        cure = _taken_back(source, f"remove 'default-keyring' from [backend] in {source}", facts)
        broken = {here.prefix: me.broken, **{tool.root or tool.path: probe.broken for tool, probe in facts.tools}}
        lacking = [place for place, error in broken.items() if error]
        if lacking:
            yield Cause(
                "selected-backend-missing",
                f"{said} selects a backend that cannot be used in {' and '.join(lacking)}: there keyring fails before "
                f"it loads any other ({broken[lacking[0]]}).",
                *cure,
                problem=bool(me.broken),
            )
        if not me.broken and not name.startswith(_CHAINS):
            text = f"{said} selects one backend: nothing else is asked, no other backend and no global keyring."
            yield Cause("backend-selected", text, *cure)
    if me.error or (me.broken and not selected):
        unread = any(line.startswith(f"{settings.file}: cannot be read") for line in settings.problems)
        reinstall = f"uv pip install --python {cures.quoted(here.prefix, here.platform)} --reinstall keyring"
        yield Cause(
            "keyring-broken",
            f"The keyring of this environment cannot be used: {me.error or me.broken}",
            command="" if unread else reinstall,
            edit=f"correct {settings.file}, or remove it" if unread else "",
        )


def _tools(facts: Facts) -> Iterator[Cause]:
    """What is wrong with the global keyrings."""
    findings, platform = facts.survey.findings, facts.here.platform
    if findings.at_home:
        return
    for tool, probe in facts.tools:
        if probe.error:
            yield _broken(tool.source, tool.root or tool.path, f"{tool.interpreter}: {probe.error}", platform)
        elif probe.broken and "selected" not in facts.survey.settings.sources:
            yield _broken(tool.source, tool.root or tool.path, f"its keyring cannot be used: {probe.broken}", platform)
    useful = any(tool.useful and not probe.error for tool, probe in facts.tools)
    refused = [
        cause._replace(problem=not useful)
        for refusal in findings.refusals
        # what lies in a project on PATH is nobody's loss where there is a tool
        if not _NO_LOSS.match(refusal.reason) and not (useful and _OF_A_PROJECT.match(refusal.reason))
        for cause in _refused(refusal, facts)
    ]
    yield from refused
    if useful or any(probe.error for _, probe in facts.tools):
        return
    registry = hints.registry_of(facts.service)
    distribution, names = (registry.distribution, "") if registry else ("PROVIDER", _PROVIDERS)
    first = findings.tools[0] if findings.tools else None
    command = cures.add_provider(distribution, first, platform)
    if first is None:
        if not refused:
            text = "There is no global keyring: none of uv, pipx and the others has installed one."
            yield Cause("no-tool", text, command, names, problem=not facts.me.content.providers)
    elif not first.content.providers and not (registry and facts.lookup):  # then it is said of the registry
        yield Cause("no-provider", f"The global keyring {first.root or first.path} has no provider.", command, names)


def _refused(refusal: discovery.Refusal, facts: Facts) -> Iterator[Cause]:
    path, reason, settings = refusal.path, refusal.reason, facts.survey.settings
    of_others = _OF_OTHERS.match(reason)
    opened = of_others and of_others["open"]
    command = f"chmod o-w {cures.quoted(opened, 'linux')}" if opened else ""
    if refusal.source == discovery.SETTING:
        yield Cause(
            "setting-unusable",
            f"The setting 'tool' names {path}, which cannot be used: {reason}.",
            command,
            f"correct or remove 'tool' ({settings.sources['tool']})",
        )
    elif not of_others and not _OF_A_PROJECT.match(reason):
        yield _broken(refusal.source, path, reason, facts.here.platform)
    else:
        # that this environment's keyring is none, and the one that comes first on PATH, is no news
        roots = [facts.here.prefix, *([facts.uv_keyring.root] if facts.uv_keyring and facts.uv_keyring.root else [])]
        if any(os.path.abspath(path).startswith(os.path.join(root, "")) for root in roots):
            return
        why = "others than you may decide what it runs" if of_others else "it may not be yours"
        yield Cause(
            "untrusted",
            f"The keyring {path} ({refusal.source}) is not used: {reason}, so {why}.",
            command,
            "" if command else f"if it is yours, say so: 'tool = {path}' in [fallback] of {settings.file}",
        )


def _broken(source: str, path: str, reason: str, platform: str) -> Cause:
    command = cures.reinstall(source, path, platform)
    edit = "" if command else "install it again the way it was installed, or remove it"
    return Cause("broken", f"The global keyring {path} ({source}) is broken: {reason}", command, edit)


def _failures(facts: Facts) -> Iterator[Cause]:
    """What went wrong in the lookup, or answered for somebody else."""
    lookup, service = facts.lookup, hints.shown(facts.service)
    if lookup["outcome"] == "unfinished":
        (asked,) = lookup["asked"]
        alone = f"PYTHON_KEYRING_BACKEND=keyring_fallback.GlobalKeyring keyring-fallback doctor {service}"
        cure = (alone, "") if asked["kind"] == "backend" else ("", "it may wait for you: ask again on a terminal")
        yield Cause("no-end", f"{asked['who']} was asked and gave no answer in time.", *cure)
    for one in facts.me.lookups[1:]:
        if one["outcome"] == "answer" and one["username"]:
            name = one["username"]
            text = f"There is an answer for the user name {name}, but not for {facts.username}."
            url = re.sub(r"^(\w+://)", rf"\g<1>{name}@", service)
            edit = f"use the user name {name}" + (f", in a URL: {url}" if "://" in url else "")
            yield Cause("other-username", text, edit=edit)
            return
    failed = {one["who"]: one for call in facts.me.lookups for one in call["asked"] if one["outcome"] == "failed"}
    tools = {tool.root or tool.path: (tool, probe) for tool, probe in facts.tools}
    for who, asked in failed.items():
        errors = [error.partition("; run 'keyring-fallback doctor'")[0].rstrip(".") for error in asked["errors"]]
        if who not in tools:
            if not who.startswith("keyring.backends.fail."):  # keyring's way to say that it has no backend
                yield Cause("provider-failed", f"{who} failed: {'. '.join(errors)}.", edit="do what it says")
        elif not tools[who][1].error:  # otherwise it is broken, and that is said
            yield Cause(
                "provider-failed",
                " ".join(f"{error}." for error in errors),
                cures.ask_alone(tools[who][0], service, facts.username, facts.here.platform),
                "do what it says; the command asks it alone, and shows no password",
            )
    if lookup["outcome"] == "failed" and not failed:
        yield Cause("provider-failed", f"keyring failed: {lookup['error']}.", edit="do what it says")


def _nothing(facts: Facts) -> Cause:
    """Why nobody answered, where nothing went wrong."""
    service, platform = facts.service, facts.here.platform
    host, registry = hints.host_of(service), hints.registry_of(service)
    tool = facts.survey.findings.tools[0] if facts.survey.findings.tools else None
    contents = [facts.me.content, *(one.content for pair in facts.tools for one in pair)]
    if not hints.is_url(service):
        return Cause(
            "not-a-url",
            f"{hints.shown(service)!r} is not a URL, and providers answer for URLs only.",
            f"keyring-fallback doctor https://{host if registry else 'HOST'}/...",
            "have the client ask with the whole URL of the index: some ask with the name of a repository",
        )
    if registry and not any(hints.serves(registry, one.distribution) for held in contents for one in held.providers):
        return Cause(
            "no-provider",
            f"No keyring here has a provider for {registry.name} ({host}).",
            cures.add_provider(registry.distribution, tool, platform),
        )
    asked = ", ".join(one["who"] for one in facts.lookup["asked"])
    return Cause(
        "no-answer",
        f"Who was asked ({asked or 'nobody'}) has no answer for this service.",
        cures.add_provider("PROVIDER", tool, platform),
        "check the URL and the user name; for a provider that serves this host, run the command",
    )
