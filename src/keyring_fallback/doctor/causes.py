"""Names what keeps lookups from being answered, each cause with the command or the edit that mends it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator

from .. import cures, discovery, hints, survey, trust
from . import clients
from .examination import Cause, Facts, Probe

#: What discovery says of candidates that are no loss, that may have come with a project, and that others may change.
_NO_LOSS = re.compile(r"it is this environment|it is an activated|it has no keyring|it lies in a cache")
_OF_A_PROJECT = re.compile(r"it lies in |what \w+ says is not an absolute path")
_OF_OTHERS = re.compile(r".* belongs to another user$|everybody can write to (?P<open>.*)")
#: keyring's own chain asks GlobalKeyring, and ours; the others ask nobody else.
_CHAINS = ("keyring.backends.chainer.", "keyring_fallback.")
_PROVIDERS = "PROVIDER is " + ", ".join(f"{one.distribution} ({one.name})" for one in hints.REGISTRIES)
#: The release of keyring whose command line answers lookups without a user name (NEWS.rst; pip 26.3 wants it too).
_WITHOUT_USERNAME = (25, 2, 1)


def find(facts: Facts) -> list[Cause]:
    """Return what is wrong, the most basic first."""
    found = [*_settings(facts), *_selected(facts)]
    if facts.answered or not any(cause.problem for cause in found):
        found += _tools(facts)
    if facts.answered:  # what is wrong for others than this lookup is only worth a note
        found = [cause._replace(problem=False) for cause in found]
    elif facts.lookup:
        found += _failures(facts)
        if not any(cause.problem for cause in found):
            found.append(_nothing(facts))
    return [*found, *_first_on_path(facts), *_indexes(facts), *_pip(facts)]


def _is_file(source: str) -> bool:
    """Tell whether the source of a setting is a file, and not a variable."""
    return bool(os.path.dirname(source))


def _cure(source: str, command: str, edit: str) -> tuple[str, str]:
    """Return the command where a variable is the source of what is wrong, or the edit where a file is."""
    return ("", edit) if _is_file(source) else (command, "")


def _settings(facts: Facts) -> Iterator[Cause]:
    now, settings, platform = facts.survey, facts.survey.settings, facts.here.platform
    for line in settings.problems:
        yield Cause("setting-without-sense", line, edit="correct this option, or remove it", problem=False)
    if facts.here.environ.get(survey.NESTED):
        text = f"The variable {survey.NESTED} is set, as in what keyring-fallback itself starts: nothing is delegated."
        yield Cause("nested", text, cures.variable(survey.NESTED, "", platform))
    elif not settings.enabled:
        source = settings.sources["enabled"]
        cure = _cure(source, cures.variable(source, "", platform), f"set 'enabled = true' in [fallback] of {source}")
        yield Cause("switched-off", f"keyring-fallback is switched off ({source}).", *cure)
    elif facts.service is not None and not now.delegates(facts.service):
        source = settings.sources["services"]
        text = f"The setting 'services' ({' '.join(settings.services)}) leaves this service out ({source})."
        host = hints.host_of(facts.service) or hints.shown(facts.service)
        where = f"[fallback] of {source}" if _is_file(source) else source
        yield Cause("service-excluded", text, edit=f"add {host} to 'services' in {where}")


def _selected(facts: Facts) -> Iterator[Cause]:
    """What is wrong with the backend that the user has selected, or with this environment's keyring otherwise."""
    me, here, settings = facts.me, facts.here, facts.survey.settings
    source, name = settings.sources.get("selected", settings.file), settings.selected
    selected = "selected" in settings.sources or me.broken.startswith("ValueError: Empty module name")
    if selected:
        said = f"'default-keyring = {name}' in {source}" if _is_file(source) else f"{source}={name}"
        edit = f"remove 'default-keyring' from [backend] in {source}"
        cure = _cure(source, cures.variable(source, "", here.platform), edit)
        broken = {here.prefix: me.broken, **{tool.location: probe.broken for tool, probe in facts.tools}}
        lacking = [place for place, error in broken.items() if error]
        if lacking:
            text = (
                f"{said} selects a backend that cannot be used in {' and '.join(lacking)}: there keyring fails before "
                f"it loads any other ({broken[lacking[0]]})."
            )
            yield Cause("selected-backend-missing", text, *cure, problem=bool(me.broken))
        if not me.broken and not name.startswith(_CHAINS):
            text = f"{said} selects one backend: nothing else is asked, no other backend and no global keyring."
            yield Cause("backend-selected", text, *cure)
    if me.error or (me.broken and not selected):
        command = f"uv pip install --python {cures.quoted(here.prefix, here.platform)} --reinstall keyring"
        unread = any(line.startswith(f"{settings.file}: cannot be read") for line in settings.problems)
        cure = ("", f"correct {settings.file}, or remove it") if unread else (command, "")
        yield Cause("keyring-broken", f"The keyring of this environment cannot be used: {me.error or me.broken}", *cure)


def _tools(facts: Facts) -> Iterator[Cause]:
    """What is wrong with the global keyrings."""
    findings, platform = facts.survey.findings, facts.here.platform
    if findings.at_home:
        return
    for tool, probe in facts.tools:
        reason = f"{tool.interpreter}: {probe.error}" if probe.error else ""
        if probe.broken and "selected" not in facts.survey.settings.sources:
            reason = reason or f"its keyring cannot be used: {probe.broken}"
        if reason:
            yield _broken(tool.source, tool.location, reason, platform)
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
        yield Cause("no-provider", f"The global keyring {first.location} has no provider.", command, names)


def _refused(refusal: discovery.Refusal, facts: Facts) -> Iterator[Cause]:
    source, path, reason = refusal
    settings, of_others = facts.survey.settings, _OF_OTHERS.match(reason)
    command = f"chmod o-w {cures.quoted(of_others['open'], 'linux')}" if of_others and of_others["open"] else ""
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
    return Cause("broken", f"The global keyring {path} ({source}) is broken: {reason}", command, edit)


def _failures(facts: Facts) -> Iterator[Cause]:
    """What went wrong in the lookup, or answered for somebody else."""
    lookup, service, platform = facts.lookup, hints.shown(facts.service), facts.here.platform
    if lookup["outcome"] == "unfinished":
        (asked,) = lookup["asked"]
        words = ["keyring-fallback", "doctor", service, *([facts.username] if facts.username else [])]
        doctor = " ".join(cures.quoted(word, platform) for word in words)
        alone = cures.variable("PYTHON_KEYRING_BACKEND", "keyring_fallback.GlobalKeyring", platform, doctor)
        cure = (alone, "") if asked["kind"] == "backend" else ("", "it may wait for you: ask again on a terminal")
        yield Cause("no-end", f"{asked['who']} was asked and gave no answer in time.", *cure)
    for one in facts.me.lookups[1:]:
        name = one["username"]
        if one["outcome"] == "answer" and name:
            text = f"There is an answer for the user name {name}, but not for {facts.username}."
            url = f", in a URL: {service.replace('://', f'://{name}@', 1)}" if "://" in service else ""
            yield Cause("other-username", text, edit=f"use the user name {name}{url}")
            return
    failed = {one["who"]: one for call in facts.me.lookups for one in call["asked"] if one["outcome"] == "failed"}
    tools = {tool.location: (tool, probe) for tool, probe in facts.tools}
    for who, asked in failed.items():
        errors = [error.partition("; run 'keyring-fallback doctor'")[0].rstrip(".") for error in asked["errors"]]
        text, command, edit = f"{who} failed: {'. '.join(errors)}.", "", "do what it says"
        tool, probe = tools.get(who, (None, Probe()))
        if tool:
            text = " ".join(f"{error}." for error in errors)
            command = cures.ask_alone(tool, service, facts.username, platform)
            edit += "; the command asks it alone, and shows no password"
        # where a tool does not start, that is said; and one backend is keyring's way to say that it has none
        if not probe.error and not who.startswith("keyring.backends.fail."):
            yield Cause("provider-failed", text, command, edit)
    if lookup["outcome"] == "failed" and not failed:
        yield Cause("provider-failed", f"keyring failed: {lookup['error']}.", edit="do what it says")


def _nothing(facts: Facts) -> Cause:
    """Why nobody answered, where nothing went wrong."""
    host, registry = hints.host_of(facts.service), hints.registry_of(facts.service)
    if not hints.is_url(facts.service):
        return Cause(
            "not-a-url",
            f"{hints.shown(facts.service)!r} is not a URL, and providers answer for URLs only.",
            f"keyring-fallback doctor https://{host if registry else 'HOST'}/...",
            "have the client ask with the whole URL of the index: some ask with the name of a repository",
        )
    held = [facts.me.content, *(probe.content for _, probe in facts.tools)]
    tool = facts.tools[0][0] if facts.tools else None
    if registry and not any(hints.serves(registry, one.distribution) for content in held for one in content.providers):
        command = cures.add_provider(registry.distribution, tool, facts.here.platform)
        return Cause("no-provider", f"No keyring here has a provider for {registry.name} ({host}).", command)
    return Cause(
        "no-answer",
        f"Who was asked ({', '.join(one['who'] for one in facts.lookup['asked']) or 'nobody'}) has no answer for this "
        "service.",
        cures.add_provider("PROVIDER", tool, facts.here.platform),
        "check the URL and the user name; for a provider that serves this host, run the command",
    )


def _first_on_path(facts: Facts) -> Iterator[Cause]:
    """What keeps uv, and pip in its subprocess mode, from running a keyring that has the answers."""
    found, here = facts.uv_keyring, facts.here
    if found is None:
        text = "There is no keyring on PATH: uv, and pip in its subprocess mode, have none to run."
        command = cures.first_on_path(clients.scripts(here), here.platform)
        yield Cause("no-keyring-on-path", text, command, problem=facts.uv.provider == "subprocess")
        return
    able = [tool for tool, _ in facts.tools if tool.content.providers or not tool.known]
    tools = {trust.identity(tool.location) for tool in able or facts.survey.findings.tools}
    registry = hints.registry_of(facts.service)
    served = registry and any(hints.serves(registry, one.distribution) for one in found.providers)
    itself = not tools.isdisjoint(map(trust.identity, (found.root, found.path)))
    if not found.mine and found.ours is False and not itself and not served:
        uv = bool(shutil.which("uv", path=here.environ.get("PATH", "")))
        command = cures.add_us(found.root, able[0] if able else None, here.platform, uv=uv)
        text = (
            f"The first keyring on PATH, which uv runs, is the one of {found.root}, and keyring-fallback is not "
            "installed there."
        )
        yield Cause("missing-there", text, command)


def _indexes(facts: Facts) -> Iterator[Cause]:
    """What keeps uv from asking keyring for its indexes: those of known registries, and of the service's host."""
    uv, host, platform, found = facts.uv, hints.host_of(facts.service), facts.here.platform, facts.uv_keyring
    version = [int(part) for part in found.version.split(".")[:3] if part.isdigit()] if found else []
    unasked: list[clients.Index] = []
    for index in uv.indexes:
        url, source = index.url, index.source
        registry = hints.registry_of(url)
        # uv has the credentials of pyx itself
        known = (registry and registry.name != "pyx") or (host and hints.host_of(url) == host)
        if not known or (index.username and index.password):
            continue
        if index.authenticate == "never":
            edit = f'replace authenticate = "never" by "always" for this index in {source}'
            text = f"uv is told never to authenticate for {url} ({source})."
            yield Cause("uv-never-authenticates", text, edit=edit)
            continue
        unasked.append(index)
        if not index.username and index.authenticate != "always":
            named = url.replace("://", f"://{registry.username if registry else facts.username or 'USERNAME'}@", 1)
            command = cures.variable(source, f"{index.name}={named}" if index.name else named, platform)
            alone = len(facts.here.environ.get(source, "").split()) == 1
            text = (
                f"uv does not ask keyring for {url}: the index has no user name in its URL, and no "
                f'authenticate = "always" ({source}).'
            )
            edit = f"put a user name into its URL in {source}: {named}"
            if _is_file(source):
                edit = f'add authenticate = "always" to this index in {source}'
            yield Cause("uv-no-username", text, command if alone else "", edit)
        elif found and not index.username and version and tuple(version) < _WITHOUT_USERNAME:
            text = (
                f"uv asks for {url} without a user name, and the keyring {found.version} in {found.root} cannot be "
                "asked so."
            )
            command = f"uv pip install --python {cures.quoted(found.root, platform)} 'keyring>=25.2.1'"
            yield Cause("keyring-too-old", text, command)
    if unasked and uv.provider != "subprocess":
        file = uv.source or unasked[0].source
        only_pip = ", and 'subprocess' for uv pip only" if uv.pip_provider == "subprocess" else ""
        table = " to [tool.uv]" if file.endswith("pyproject.toml") else ""
        said = f"its keyring provider is {uv.provider} ({uv.source or 'the default'}){only_pip}"
        command = cures.variable("UV_KEYRING_PROVIDER", "subprocess", platform)
        cure = _cure(file, command, f'add keyring-provider = "subprocess"{table} in {file}')
        yield Cause("uv-asks-no-keyring", f"uv asks no keyring for {unasked[0].url}: {said}.", *cure)


def _pip(facts: Facts) -> Iterator[Cause]:
    pip = facts.pip
    if pip.provider == "disabled":
        edit = f"set keyring-provider to import in {pip.source}, or remove it"
        yield Cause("pip-disabled", f"pip is told not to ask any keyring ({pip.source}).", edit=edit, problem=False)
    elif pip.provider == "auto" and pip.silent:
        text = f"pip is told to ask for no input ({pip.silent}), and then asks no keyring unless it is told to."
        command = cures.variable("PIP_KEYRING_PROVIDER", "import", facts.here.platform)
        yield Cause("pip-silent", text, command, problem=False)
