"""Names what keeps lookups from being answered, each cause with the command or the edit that mends it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from .. import cures, discovery, hints, survey
from ..discovery import SETTING
from . import client_causes, lookup_causes
from .cause import Cause
from .examination import Examination

#: What discovery says of candidates that others may have put there, and of those that are no loss.
_OF_A_PROJECT = re.compile(r"it lies in |what \w+ says is not an absolute path")
_OF_OTHERS = re.compile(r".* belongs to another user$|everybody can write to ")
_NO_LOSS = re.compile(r"it is this environment|it is an activated|it has no keyring|it lies in a cache")
#: keyring's own chain asks GlobalKeyring, and ours; the others ask nobody else.
_CHAINS = ("keyring.backends.chainer.", "keyring_fallback.")


def find(examination: Examination) -> list[Cause]:
    """Return what is wrong, the most basic first; where `Cause.problem` is false, it is only worth a note."""
    found = [*_settings(examination), *_pins(examination), *_keyring(examination)]
    if examination.answered or not _problems(found):
        found += _tools(examination)
    if not examination.answered:
        found += lookup_causes.failures(examination)
        if examination.lookup is not None and not _problems(found):
            found += lookup_causes.nothing(examination)
    else:  # what is wrong for others than this lookup is only worth a note
        found = [cause._replace(problem=False) for cause in found]
    return [*found, *client_causes.find(examination)]


def _problems(found: list[Cause]) -> bool:
    return any(cause.problem for cause in found)


def _settings(examination: Examination) -> Iterator[Cause]:
    now = examination.survey
    settings = now.settings
    for line in settings.problems:
        yield Cause("setting-without-sense", line, edit="correct this option, or remove it", problem=False)
    if now.here.environ.get(survey.NESTED):
        yield Cause(
            "nested",
            f"The variable {survey.NESTED} is set, as in what keyring-fallback itself starts: nothing is delegated.",
            command=_unset(survey.NESTED, now.here.platform),
        )
    elif not settings.enabled:
        source = settings.sources["enabled"]
        by_file = source == settings.file
        yield Cause(
            "switched-off",
            f"keyring-fallback is switched off ({source}).",
            command="" if by_file else _unset(source, now.here.platform),
            edit=f"set 'enabled = true' in [fallback] of {source}" if by_file else "",
        )
    elif examination.service is not None and not now.delegates(examination.service):
        source = settings.sources["services"]
        host = hints.host_of(examination.service) or hints.shown(examination.service)
        where = f"[fallback] of {source}" if source == settings.file else source
        yield Cause(
            "service-excluded",
            f"The setting 'services' ({' '.join(settings.services)}) leaves this service out ({source}).",
            edit=f"add {host} to 'services' in {where}",
        )


def _pins(examination: Examination) -> Iterator[Cause]:
    """What is wrong with the backend that the user has selected."""
    now = examination.survey
    settings = now.settings
    empty = examination.me.broken.startswith("ValueError: Empty module name")
    if "selected" not in settings.sources and not empty:
        return
    source, name = settings.sources.get("selected", settings.file), settings.selected
    said, command, edit = f"PYTHON_KEYRING_BACKEND={name}", _unset(source, now.here.platform), ""
    if source == settings.file:
        said, command = f"'default-keyring = {name}' in {source}", ""
        edit = f"remove 'default-keyring' from [backend] in {source}"
    broken = {now.here.prefix: examination.me.broken}
    broken.update({tool.root or tool.path: probe.broken for tool, probe in examination.probed()})
    lacking = [place for place, error in broken.items() if error]
    if lacking:
        yield Cause(
            "selected-backend-missing",
            f"{said} selects a backend that cannot be used in {' and '.join(lacking)}: there keyring fails before it "
            f"loads any other ({broken[lacking[0]]}).",
            command=command,
            edit=edit,
            problem=bool(examination.me.broken),
        )
    if not examination.me.broken and not name.startswith(_CHAINS):
        yield Cause(
            "backend-selected",
            f"{said} selects one backend: nothing else is asked, no other backend and no global keyring.",
            command=command,
            edit=edit,
        )


def _keyring(examination: Examination) -> Iterator[Cause]:
    """What is wrong with this environment's keyring otherwise."""
    me, here, settings = examination.me, examination.survey.here, examination.survey.settings
    if not me.error and (not me.broken or any(_pins(examination))):
        return
    unread = any(line.startswith(f"{settings.file}: cannot be read") for line in settings.problems)
    reinstall = f"uv pip install --python {cures.quoted(here.prefix, here.platform)} --reinstall keyring"
    yield Cause(
        "keyring-broken",
        f"The keyring of this environment cannot be used: {me.error or me.broken}",
        command="" if unread else reinstall,
        edit=f"correct {settings.file}, or remove it" if unread else "",
    )


def _tools(examination: Examination) -> Iterator[Cause]:
    """What is wrong with the global keyrings."""
    findings, here = examination.findings, examination.survey.here
    if findings.at_home:
        return
    for tool, probe in examination.probed():
        if probe.error:
            yield _broken(tool.source, tool.root or tool.path, f"{tool.interpreter}: {probe.error}", here)
        elif probe.broken and "selected" not in examination.survey.settings.sources:
            yield _broken(tool.source, tool.root or tool.path, f"its keyring cannot be used: {probe.broken}", here)
    useful = [tool for tool, probe in examination.probed() if tool.useful and not probe.error]
    # what lies in a project on PATH is nobody's loss where there is a tool
    refusals = [one for one in findings.refusals if not (useful and _OF_A_PROJECT.match(one.reason))]
    refused = [cause for refusal in refusals for cause in _refused(refusal, examination)]
    yield from (cause._replace(problem=not useful) for cause in refused)
    if useful or any(probe.error for probe in examination.tools):
        return
    registry = hints.registry_of(examination.service)
    distribution = registry.distribution if registry else "PROVIDER"
    if findings.tools:
        tool = findings.tools[0]
        if not tool.content.providers and not (registry and examination.lookup):  # then it is said of the registry
            yield Cause(
                "no-provider",
                f"The global keyring {tool.root or tool.path} has no provider.",
                command=cures.add_provider(distribution, tool, here.platform),
                edit=_provider_names(distribution),
            )
    elif not refused:
        yield Cause(
            "no-tool",
            "There is no global keyring: none of uv, pipx and the others has installed one.",
            command=cures.add_provider(distribution, None, here.platform),
            edit=_provider_names(distribution),
            problem=not examination.me.providers,
        )


def _provider_names(distribution: str) -> str:
    if distribution != "PROVIDER":
        return ""
    return "PROVIDER is " + ", ".join(f"{one.distribution} ({one.name})" for one in hints.REGISTRIES)


def _refused(refusal: discovery.Refusal, examination: Examination) -> Iterator[Cause]:
    here, settings = examination.survey.here, examination.survey.settings
    if refusal.source == SETTING:
        if not _NO_LOSS.match(refusal.reason):
            yield Cause(
                "setting-unusable",
                f"The setting 'tool' names {refusal.path}, which cannot be used: {refusal.reason}.",
                command=_opened(refusal.reason),
                edit=f"correct or remove 'tool' ({settings.sources['tool']})",
            )
    elif _NO_LOSS.match(refusal.reason):
        return
    elif _OF_OTHERS.match(refusal.reason) or _OF_A_PROJECT.match(refusal.reason):
        if _is_mine(refusal.path, examination):
            return
        why = "others than you may decide what it runs" if _OF_OTHERS.match(refusal.reason) else "it may not be yours"
        command = _opened(refusal.reason)
        yield Cause(
            "untrusted",
            f"The keyring {refusal.path} ({refusal.source}) is not used: {refusal.reason}, so {why}.",
            command=command,
            edit="" if command else f"if it is yours, say so: 'tool = {refusal.path}' in [fallback] of {settings.file}",
        )
    else:
        yield _broken(refusal.source, refusal.path, refusal.reason, here)


def _is_mine(path: str, examination: Examination) -> bool:
    """Tell whether a path lies in this environment, or in the one whose keyring comes first on PATH."""
    roots = [examination.survey.here.prefix]
    if examination.uv_keyring is not None and examination.uv_keyring.root:
        roots.append(examination.uv_keyring.root)
    return any(os.path.abspath(path).startswith(root.rstrip(os.sep) + os.sep) for root in roots)


def _opened(reason: str) -> str:
    """Return the command that takes the reason for distrust away, where there is one."""
    found = re.match(r"everybody can write to (.*)", reason)
    return f"chmod o-w {cures.quoted(found[1], 'linux')}" if found else ""


def _broken(source: str, path: str, reason: str, here: discovery.Here) -> Cause:
    command = cures.reinstall(source, path, here.platform)
    return Cause(
        "broken",
        f"The global keyring {path} ({source}) is broken: {reason}",
        command=command,
        edit="" if command else "install it again the way it was installed, or remove it",
    )


def _unset(variable: str, platform: str) -> str:
    return f"Remove-Item Env:{variable}" if platform == "win32" else f"unset {variable}"
