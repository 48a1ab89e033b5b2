"""Names what keeps lookups from being answered, each cause with the command or the edit that mends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import hints, survey
from ..config import Fault
from ..discovery import trust
from ..here import NESTED
from . import client_causes, cures, tool_causes
from .examination import Facts
from .probing import Probe
from .shell import Cause, Command, Cure, Edit, Variable
from .told import UV, poetry_variable

#: keyring's own chain asks GlobalKeyring, and ours; the others ask nobody else.
_OURS = "keyring_fallback."
_CHAINS = ("keyring.backends.chainer.", _OURS)
#: What makes no sense, where it is no option.
_WHAT = dict.fromkeys((Fault.FILE_UNREADABLE, Fault.FILE_TOO_LARGE, Fault.FILE_OF_A_PROJECT), "file")
_WHAT[Fault.SECTION_UNKNOWN] = "section"


def find(facts: Facts) -> list[Cause]:
    """Return what is wrong, the most basic first; what is said for several indexes is said once."""
    found = [cause for one in facts.views for cause in _basic(one)]
    asking = [one for one in (facts, *facts.each) if one.due or one.answered]
    found += [cause for look in (client_causes.of_indexes, client_causes.find) for one in asking for cause in look(one)]
    causes: dict[tuple[str, str], Cause] = {}
    for cause in found:
        if cause.problem or (cause.name, cause.text) not in causes:
            causes[cause.name, cause.text] = cause
    asked = any(one.answered for one in facts.views)
    if facts.service is None and not asked and not any(cause.problem for cause in causes.values()):
        text = "No client is told here of an index that a keyring has to be asked for."
        if facts.each:
            names = ", ".join(hints.shown(one.service) for one in facts.each)
            text = f"No index that a client is told of here had an answer, and some may be public: {names}."
        look = Command(("keyring-fallback", "doctor", "URL"), mends=False)
        causes["nothing-asked", text] = Cause("nothing-asked", text, look, "URL is that of your private index")
    return [*causes.values()]


def _basic(facts: Facts) -> list[Cause]:
    """Return what is wrong with one lookup, whoever makes it."""
    found = [*_settings(facts), *_selected(facts)]
    if facts.answered or not any(cause.problem for cause in found):
        found += tool_causes.find(facts)
    if facts.answered and not _uv_fails(facts):  # what is wrong for others is only worth a note
        found = [cause._replace(problem=False) for cause in found]
    elif facts.lookup and facts.due:
        found += _failures(facts)
        if not any(cause.problem for cause in found) and (facts.elsewhere or not facts.lacks_us):
            found.append(_nothing(facts))
    return found


def _uv_fails(facts: Facts) -> bool:
    """Tell whether uv is told to run the keyring of a tool itself, and that cannot be used."""
    told = any(one.provider == "subprocess" for one in facts.told if one.client in UV)
    run = trust.identity(facts.uv_keyring.root) if told and facts.uv_keyring else None
    broken = [tool.root for tool, probe in facts.tools if probe.error or probe.broken]
    return run is not None and run in map(trust.identity, broken)


def _settings(facts: Facts) -> Iterator[Cause]:
    now, settings = facts.survey, facts.survey.settings
    for problem in settings.problems:
        if facts.me.broken and problem.fault is Fault.FILE_UNREADABLE:
            continue  # keyring cannot read it either, and that is more
        advice = f"correct this {_WHAT.get(problem.fault, 'option')}, or remove it"
        yield Cause("setting-without-sense", str(problem), advice=advice, problem=False)
    if facts.here.environ.get(NESTED):
        text = f"The variable {NESTED} is set, as in what keyring-fallback itself starts: nothing is delegated."
        yield Cause("nested", text, Variable(NESTED, None))
    elif not settings.enabled:
        source = settings.sources["enabled"]
        cure = cures.either(source, None, Edit(source, "fallback", "enabled", "true"))
        yield Cause("switched-off", f"keyring-fallback is switched off ({source}).", cure)
    elif facts.service is not None and not now.settings.delegates(facts.service):
        source = settings.sources["services"]
        host = hints.host_of(facts.service) or hints.shown(facts.service)
        text = f"The setting 'services' ({' '.join(settings.services)}) leaves {host} out ({source})."
        value = " ".join([*settings.services, host])
        yield Cause("service-excluded", text, cures.either(source, value, Edit(source, "fallback", "services", value)))


def _selected(facts: Facts) -> Iterator[Cause]:
    """What is wrong with the backend that the user has selected, or with this environment's keyring otherwise."""
    me, here, settings = facts.me, facts.here, facts.survey.settings
    source, name = settings.sources.get("selected", settings.file), settings.selected
    selected = "selected" in settings.sources
    lacks = selected and me.lacks(name)
    if selected:
        said = f"'default-keyring = {name}' in {source}" if cures.is_file(source) else f"{source}={name}"
        cure: Cure = cures.either(source, None, Edit(source, "backend", "default-keyring", None))
        advice = ""
        probes = {here.prefix: me, **{tool.location: probe for tool, probe in facts.tools}}
        lacking = [place for place, probe in probes.items() if probe.lacks(name)]
        if lacking:
            fails = f"there keyring fails before it loads any other ({probes[lacking[0]].broken})"
            text = f"{said} selects a backend that cannot be used in {' and '.join(lacking)}: {fails}."
            tool = next((tool for tool, _ in facts.tools if tool.location in lacking), None)
            if tool and not lacks and name.startswith(_OURS):
                advice = f"install keyring-fallback there, too, or remove the setting ({source})"
                cure = cures.add_provider("keyring-fallback", tool, here.platform, facts.everywhere())
            yield Cause("selected-backend-missing", text, cure, advice, problem=lacks or _uv_fails(facts))
        if not me.broken and not name.startswith(_CHAINS):
            text = f"{said} selects one backend: nothing else is asked, no other backend and no global keyring."
            yield Cause("backend-selected", text, cure)
    unfinished = any(lookup["outcome"] == "unfinished" for lookup in me.lookups)  # then it is who was asked
    if facts.lacks_us:
        return
    if (me.error and not unfinished) or (me.broken and not lacks):
        text = f"The keyring of this environment cannot be used: {me.error or me.broken}"
        cure, advice = None, "it is whole, so mend what it complains of"
        if me.error or me.unimportable:
            cure, advice = facts.install(here.prefix, "keyring", again=True)
        for unread in (one for one in settings.problems if one.fault is Fault.FILE_UNREADABLE):
            cure, advice = None, f"correct {settings.file}, or remove it ({unread.detail})"
        yield Cause("keyring-broken", text, cure, advice)
    delegating = facts.survey.state is survey.State.DELEGATING
    loaded = any(one["name"].startswith(_OURS) for one in me.backends)
    if delegating and not (selected or me.error or me.broken or loaded):
        text = "The keyring of this environment cannot load the backends of keyring-fallback."
        again, _ = facts.install(here.prefix, "keyring-fallback", again=True)
        yield Cause("not-loaded", text, again, "run 'keyring --list-backends' to see why")


def _failures(facts: Facts) -> Iterator[Cause]:
    """What went wrong in the lookup, or answered for somebody else."""
    lookup, service, platform = facts.lookup, hints.shown(facts.service), facts.here.platform
    if facts.me.lookups[-1]["outcome"] == "unfinished":
        asked = facts.me.lookups[-1]["asked"][-1]
        alone, advice = None, "it may wait for you: ask again on a terminal"
        if asked["kind"] == "backend":
            words = ("keyring-fallback", "doctor", service, *filter(None, [facts.shown_username]))
            alone = Command(words, (Variable("PYTHON_KEYRING_BACKEND", "keyring_fallback.GlobalKeyring"),), mends=False)
            advice = "the command asks without it; if that works, remove that backend"
        yield Cause("no-end", f"{asked['who']} was asked, and {facts.me.error}.", alone, advice)
    for one in (one for one in facts.me.lookups if one["method"] != lookup["method"]):
        name = one["username"]
        if one["outcome"] == "answer" and name:
            text = f"There is an answer for the user name {name}, but not for {facts.name(facts.username)}."
            url = f", in a URL: {service.replace('://', f'://{name}@', 1)}" if "://" in service else ""
            poetry = facts.client("poetry")
            indexes = poetry.indexes if poetry else ()
            source = next((index.name for index in indexes if index.is_at(facts.service)), None)
            cure = Variable(poetry_variable(source, "username"), name) if source else None
            yield Cause("other-username", text, cure, "" if cure else f"use the user name {name}{url}")
    registry = hints.registry_of(facts.service)
    login = f", or log in: {registry.login}" if registry else ""
    failed: dict[str, dict[str, Any]] = {}
    for one in (one for call in facts.me.lookups for one in call["asked"] if one["outcome"] == "failed"):
        failed.setdefault(one["who"], one)
    tools = {tool.location: (tool, probe) for tool, probe in facts.tools}
    for who, asked in failed.items():
        errors = [error.rstrip(".") for error in asked["errors"]]
        text, command, advice = f"{who} failed: {'. '.join(errors)}.", None, f"do what it says{login}"
        tool, probe = tools.get(who, (None, Probe()))
        if tool:
            text = " ".join(f"{error}." for error in errors)
            command = cures.ask_alone(tool, service, facts.shown_username, platform)
            advice += "; the command asks it alone, and shows no password"
        # where a tool does not start, that is said; and one backend is keyring's way to say that it has none
        if not facts.stopped(probe) and not who.startswith("keyring.backends.fail."):
            yield Cause("provider-failed", text, command, advice)
    if lookup["outcome"] == "failed" and not failed:
        yield Cause("provider-failed", f"keyring failed: {lookup['error'].rstrip('.')}.", advice="do what it says")


def _nothing(facts: Facts) -> Cause:
    """Why nobody answered, where nothing went wrong."""
    host, registry = hints.host_of(facts.service), hints.registry_of(facts.service)
    if not hints.is_url(facts.service):
        text = f"{hints.shown(facts.service)!r} is not a URL, and providers answer for URLs only."
        url = f"https://{host if '.' in host else 'HOST'}/..."
        advice = "have the client ask with the whole URL of the index: some ask with the name of a repository"
        return Cause("not-a-url", text, Command(("keyring-fallback", "doctor", url), mends=False), advice)
    held = [one for probe in (facts.me, *(probe for _, probe in facts.tools)) for one in probe.content.providers]
    empty = facts.lookup["outcome"] == "answer"
    if registry and not (empty or facts.commanded or any(hints.serves(registry, one.distribution) for one in held)):
        text = f"No keyring here has a provider for {registry.name} ({host})."
        return Cause("no-provider", text, *tool_causes.addition(facts, registry.distribution))
    if facts.commanded:
        command, advice = None, "check the URL and the user name, and run the command by itself"
    elif registry:
        command, advice = None, f"check the URL, the user name ({registry.username}), and the login: {registry.login}"
    else:
        command, how = tool_causes.addition(facts, cures.UNKNOWN)
        what = "run the command" if command else how.replace(cures.UNKNOWN, "it")
        advice = f"check the URL and the user name; for a provider that serves this host, {what}"
    asked = ", ".join(one["who"] for one in facts.lookup["asked"]) or "nobody"
    has = "an empty password" if empty else "no answer"
    text = f"Who was asked ({asked}) has {has} for {hints.shown(facts.service)}."
    return Cause("no-answer", text, command, advice)
