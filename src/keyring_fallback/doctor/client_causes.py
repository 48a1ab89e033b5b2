"""Names what keeps uv, pip and others from asking a keyring that has the answers."""

from __future__ import annotations

import os
from collections.abc import Iterator

from .. import hints
from ..discovery import executable, trust
from ..discovery.places import CONDA, PATH, SETTING
from ..here import Here
from . import clients, cures, told
from .examination import Facts
from .shell import Cause, Command, Cure, Edit, Variable
from .told import UV, Index, Told, poetry_variable

#: What shows why uv does not tell, or warns.
_SETTINGS = Command(("uv", "lock", "--show-settings"), mends=False)


def of_indexes(facts: Facts) -> Iterator[Cause]:
    """Yield what keeps them from asking for an index: it comes first, as what installs us asks that, too."""
    yield from _preferred(facts)
    yield from _indexes(facts)


def find(facts: Facts) -> Iterator[Cause]:
    """Yield what else keeps them from asking."""
    if facts.lacks_us and not facts.elsewhere:
        root = facts.here.prefix
        text = f"You ask from outside, and keyring-fallback is not installed in the environment in use here, {root}."
        yield Cause("missing-there", text, *facts.install(root, "keyring-fallback"))
    uv, pip = facts.client("uv"), facts.client("pip")
    if uv or (facts.uv_keyring and not pip):
        yield from _first_on_path("uv" if uv else "a program", facts.uv_keyring, facts)
    if pip and facts.runs(pip) and not (uv and facts.pip_keyring == facts.uv_keyring):
        yield from _first_on_path("pip", facts.pip_keyring, facts)
    looks = {
        "pip": (facts.in_use.executable, "-I", "-m", "pip", "config", "debug"),
        "poetry": ("poetry", "source", "show"),
    }
    for one in {(one.program, one.silence): one for one in facts.told if one.silence}.values():
        who = f"pip {one.program}" if one.client == "pip" else f"{one.client.split()[0]} ({one.program})"
        text = f"{who} does not tell what it would do: {one.silence}."
        look = Command(looks[one.client], mends=False) if one.client in looks else _SETTINGS
        advice = "the command shows what it says" if one.stops else "correct or remove that, and ask again"
        yield Cause("client-tells-nothing", text, look if one.stops else None, advice, problem=one.stops)
    if any(one.warns and not one.silence and one.client == "uv" for one in facts.told):
        text = "uv warns of something here, a settings file that it cannot read for example."
        yield Cause("uv-warns", text, _SETTINGS, "the command shows what it says", problem=False)
    yield from _not_told(facts)
    yield from _pip(facts)
    if pip and facts.runs(pip):
        yield from _run_by_pip(pip, facts)
    yield from _others(facts)


def _others(facts: Facts) -> Iterator[Cause]:
    """The clients whose own environment lacks us, or that ask no keyring: what one tells of is asked through it."""
    poetry = facts.client("poetry")
    if poetry and poetry.provider == "disabled":
        variable, asked = "POETRY_KEYRING_ENABLED", any(index.is_at(facts.service) for index in poetry.indexes)
        cure = Variable(variable, None) if variable in facts.here.environ else None
        advice = "" if cure else "set it to true in poetry.toml, or with 'poetry config keyring.enabled true'"
        yield Cause("poetry-disabled", "poetry's keyring.enabled is false: it asks none.", cure, advice, problem=asked)
    for index in poetry.indexes if poetry else ():
        if index.authenticate == "never" and index.is_at(facts.service) and not index.password:
            text = f"poetry asks no keyring for its source {index.name}: the URL has a user name ({index.source})."
            edit = Edit(str(index.source), "tool.poetry.source", "url", f'"{index.url}"', index.url)
            advice = f"{poetry_variable(index.name, 'username')} says the name where one is needed"
            yield Cause("poetry-username", text, edit, advice)
    for name, found in facts.others.items():
        if found.ours is False and not found.mine:
            what = "keyring-fallback is not installed there" if found.version else "there is none"
            text = f"{name} asks the keyring of its own environment, {found.root}, and {what}."
            told = facts.client(name)
            asked = any(index.is_at(facts.service) for index in (told.indexes if told else ()))
            yield Cause(
                "client-lacks-us", text, *cures.bring(name, found.root, facts.here, facts.everywhere()), problem=asked
            )


def _first_on_path(who: str, found: clients.Keyring | None, facts: Facts) -> Iterator[Cause]:
    """What keeps uv, and pip in its subprocess mode, from running a keyring that has the answers."""
    here = facts.here
    told = any(one.provider == "subprocess" for one in facts.told)
    first = Variable("PATH", clients.scripts(here), before=True)
    way = Variable("PIP_KEYRING_PROVIDER", "import") if who == "pip" and facts.imports else first
    past = None if facts.alone else way  # which may not last, and has nothing else to be found first
    advice = "put the global one's folder there: 'uv tool update-shell', or 'pipx ensurepath'" if facts.alone else ""
    if found is None:
        text = f"There is no keyring on PATH{'' if who == 'uv' else ' but its own'}: {who} has none to run."
        yield Cause("no-keyring-on-path", text, past, advice, problem=told)
        return
    if facts.mute and found == facts.uv_keyring:
        text = f"The first keyring on PATH, {found.path}, which {who} runs, has no answer; what it runs cannot be told."
        yield Cause("missing-there", text, past, advice, problem=told)
        return
    tools = {trust.identity(tool.location) for tool in facts.able or facts.survey.findings.tools}
    registry = hints.registry_of(facts.service)
    served = registry and any(hints.serves(registry, one.distribution) for one in found.providers)
    for one in facts.survey.findings.refusals:  # one that is to be mended was meant to be a tool
        if one.origin != PATH and not (one.kind.harmless or one.kind.foreign):
            tools.add(trust.identity(executable.target(one.path, here.platform).root or one.path))
    # half an environment passes for a plain interpreter
    half = os.path.dirname(os.path.dirname(found.root)) if os.path.isfile(found.root) else found.root
    ids = {*map(trust.identity, (found.root, found.path, half))}
    answers = [one for one in facts.lookup.get("asked", ()) if one["outcome"] == "answer"]
    by = [one["answered_by"] or one["who"] for one in answers if trust.identity(one["who"]) not in ids]
    by = [one for one in by if not one.startswith(("keyring.", *(f"{one.module}." for one in found.providers)))]
    unusable = any(one.origin == SETTING for one in facts.survey.findings.refusals)  # then nobody was looked for
    if found.mine or served or (unusable and not facts.survey.findings.at_home):
        return
    # what was made to be a global tool asks nobody else, with or without us
    at_home = {trust.identity(tool.root) for tool, _ in facts.tools if tool.origin not in (PATH, CONDA)} - {None}
    if not ids.isdisjoint(at_home):
        for one in by:
            text = f"{who} runs the keyring of {found.root}, which lacks what answers in this environment: {one}."
            advice = "have an environment with keyring and keyring-fallback first on PATH" if facts.alone else ""
            yield Cause("missing-there", text, past, advice, problem=told)
    elif found.ours is False and (by or tools.isdisjoint(ids)):
        text = f"The keyring that {who} runs is the one of {found.root}, and keyring-fallback is not installed there."
        cure, besides = facts.install(found.root, "keyring-fallback")
        systems = cure is None and os.path.isfile(found.root)  # where nobody installs
        cause = Cause("missing-there", text, cure, besides)
        yield cause._replace(cure=past, advice=advice, problem=told) if systems else cause


def _preferred(facts: Facts) -> Iterator[Cause]:
    """What uv and pip prefer to keyring: they ask nobody, and may have something that has expired."""
    for service, place in facts.preferred:
        text = f"uv, pip or poetry has a password for {hints.host_of(service)} from {place}, and asks no keyring then."
        cure = Variable(place, None) if place in facts.here.environ else None
        advice = "" if cure else f"if it is refused, take it out of {place}"
        yield Cause("password-elsewhere", text, cure, advice, problem=facts.service is not None)


def _indexes(facts: Facts) -> Iterator[Cause]:
    """What keeps uv from asking keyring for its indexes: those of known registries, and of the service's host."""
    host, found = hints.host_of(facts.service), facts.uv_keyring
    old = bool(found and found.is_old)
    unasked: list[tuple[Told, Index]] = []
    seen: set[str] = set()
    for client, index in ((one, index) for one in facts.told if one.client in UV for index in one.indexes):
        url, place = index.url, index.source or "uv does not say where"
        registry = hints.registry_of(url)
        # uv has the credentials of pyx itself
        known = (registry and registry.name != "pyx") or (host and hints.host_of(url) == host)
        if not known or (index.username and index.password):
            continue
        if client.provider != "subprocess" and index.authenticate != "never":
            unasked.append((client, index))
        if url in seen:
            continue
        seen.add(url)
        if index.authenticate == "never":
            text = f"uv is told never to authenticate for {url} ({place})."
            yield Cause("uv-never-authenticates", text, _always(index), "" if index.table else 'set it to "always"')
            continue
        if not index.username and index.authenticate != "always":
            yield _no_username(facts, index, place, registry.username if registry else None, old=old)
        elif found and not index.username and old:
            yield _too_old(f"uv asks for {url} without a user name", found, facts)
    if unasked:
        yield _unasked(*unasked[0], facts)


def _too_old(text: str, found: clients.Keyring, facts: Facts) -> Cause:
    text = f"{text}, and the keyring {found.version} in {found.root} cannot be asked so."
    return Cause("keyring-too-old", text, *facts.install(found.root, "keyring>=25.2.1"))


def _no_username(facts: Facts, index: Index, place: str, username: str | None, *, old: bool) -> Cause:
    named = index.url.replace("://", f"://{username or facts.shown_username or 'USERNAME'}@", 1)
    text = (
        f"uv does not ask keyring for {index.url}: the index has no user name in its URL, and no "
        f'authenticate = "always" ({place}).'
    )
    cure: Cure = None if old else _always(index)  # an old keyring's command cannot be asked so
    if len(facts.here.environ.get(index.source or "", "").split()) == 1:
        cure = Variable(place, f"{index.name}={named}" if index.name else named)
    # what has no table is nothing but a URL
    return Cause("uv-no-username", text, cure, "" if cure else f"put a user name into its URL ({place}): {named}")


def _always(index: Index) -> Edit | None:
    """Return the edit that has uv authenticate for an index, or None if no table for it was found."""
    if not (index.source and index.table):
        return None
    return Edit(index.source, _table("index", index.source), "authenticate", '"always"', index.url)


def _table(name: str, file: str) -> str:
    """Return the table of one of uv's files that has the same meaning in all of them."""
    return ".".join(filter(None, ("tool.uv" if file.endswith("pyproject.toml") else "", name)))


def _not_told(facts: Facts) -> Iterator[Cause]:
    """Say that uv asks no keyring, where what was looked up is none of its indexes: else it is said of that."""
    uv, host = [one for one in facts.told if one.client in UV and one.provider], hints.host_of(facts.service)
    known = any(hints.host_of(index.url) == host for one in facts.told for index in one.indexes)
    if facts.answered and uv and not known and not any(one.provider == "subprocess" for one in uv):
        text = f"uv asks keyring only where it is told to, and its keyring provider is {uv[0].provider}."
        advice = 'uv asks for an index with a user name in its URL, or with authenticate = "always"'
        yield Cause("uv-not-told", text, _asking(facts.here, uv[0].source), advice, problem=False)


def _unasked(client: Told, index: Index, facts: Facts) -> Cause:
    """Return why uv asks no keyring at all for an index."""
    only = client.client == "uv" and any(one.client == "uv pip" and one.provider == "subprocess" for one in facts.told)
    only_pip = ", and 'subprocess' for uv pip only" if only else ""
    said = f"its keyring provider is {client.provider} ({client.source or 'the default'}){only_pip}"
    uv = facts.client("uv")  # whose provider is that of uv pip, where that has none of its own
    alone = client.client == "uv pip" and uv is not None and uv.provider == "subprocess"
    text = f"{'uv pip' if alone else 'uv'} asks no keyring for {index.url}: {said}."
    cure = _asking(facts.here, client.source, None if index.member else index.source, name="pip" if alone else "")
    return Cause("uv-asks-no-keyring", text, cure)


def _asking(here: Here, *sources: str | None, name: str = "") -> Variable | Edit:
    """Return what has uv ask keyring, for good: an edit of the first source that is the person's to edit, or of theirs.

    A variable that says otherwise, or has uv read no file, wins: it is the person's shell that has to be changed.
    """
    if sources[0] in here.environ or here.environ.get("UV_NO_CONFIG"):
        return Variable("UV_KEYRING_PROVIDER", "subprocess")
    files = [*told.uv_files(here)]
    own = next(path for origin, path in files if origin == "User" or here.environ.get("UV_CONFIG_FILE"))
    file = next((one for one in sources for origin, path in files if one == path and origin != "System"), own)
    return Edit(file, _table(name, file), "keyring-provider", '"subprocess"')


def _pip(facts: Facts) -> Iterator[Cause]:
    pip, root = facts.client("pip"), facts.in_use.prefix
    asked = any(index.is_at(facts.service) for index in (pip.indexes if pip else ()))
    way = "import" if facts.imports else "subprocess"
    if pip and pip.provider == "disabled" and pip.source:
        cure = None if cures.is_file(pip.source) else Variable(pip.source, None)
        advice = "" if cure else f"set keyring-provider to {way} in {pip.source}, or remove it"
        yield Cause("pip-disabled", f"pip is told not to ask any keyring ({pip.source}).", cure, advice, problem=asked)
    elif pip and not facts.imports and pip.provider in (None, "import") and not pip.silence:
        text = f"pip {pip.program} asks no keyring but one in its own environment, {root}, where there is none."
        newer = (Variable("PIP_KEYRING_PROVIDER", way), "") if pip.provider else facts.install(root, "pip>=23.1")
        yield Cause("pip-no-keyring", text, *newer, problem=asked)
    elif pip and pip.provider is None and pip.quiet:
        text = f"pip {pip.program} is told to ask for no input ({pip.quiet}), and then asks no keyring."
        yield Cause("pip-silent", text, *facts.install(root, "pip>=23.1"), problem=asked)
    elif pip and pip.provider == "auto" and pip.quiet:
        text = f"pip is told to ask for no input ({pip.quiet}), and then asks no keyring unless it is told to."
        yield Cause("pip-silent", text, Variable("PIP_KEYRING_PROVIDER", way), problem=asked)


def _run_by_pip(pip: Told, facts: Facts) -> Iterator[Cause]:
    """What keeps the keyring that pip runs from answering it."""
    way, found = "import" if facts.imports else "subprocess", facts.pip_keyring
    if facts.asks_for_credentials(pip):
        urls = (index.url for index in pip.indexes if index.is_at(facts.service))
        old = found if found and found.is_old else None
        yield from (_too_old(f"pip asks for the credential of {url}", old, facts) for url in urls if old)
        return
    for index in pip.indexes:
        registry = hints.registry_of(index.url)
        due = index.is_at(facts.service)
        if not index.username and (registry or (due and not index.public)):
            text = (
                f"pip {pip.program} asks the keyring on PATH only for URLs with a user name, and not for {index.url}."
            )
            name = registry.username if registry else facts.shown_username or "USERNAME"
            named = index.url.replace("://", f"://{name}@", 1)
            advice = f"or put one into the URL ({index.source or 'as pip is told it'}): {named}"
            cure = Variable("PIP_KEYRING_PROVIDER", way) if facts.imports else None
            yield Cause("pip-no-username", text, cure, advice if cure else advice[3:], problem=due)
