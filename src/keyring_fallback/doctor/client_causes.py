"""Names what keeps uv and pip from asking a keyring that has the answers."""

from __future__ import annotations

from collections.abc import Iterator

from .. import hints
from ..discovery import executable, trust
from ..discovery.places import PATH
from . import clients, cures, uv_settings
from .examination import Cause, Facts
from .shell import Cure, Edit, Variable

#: The release of keyring whose command line answers lookups without a user name (NEWS.rst; pip 26.3 wants it too).
_WITHOUT_USERNAME = (25, 2, 1)


def find(facts: Facts) -> Iterator[Cause]:
    """Yield what keeps uv and pip from asking."""
    yield from _first_on_path(facts)
    for line in facts.uv.problems:
        # uv only warns of the other kind (uv 0.13.9, uv-settings/src/lib.rs); it reads TOML 1.1, Python's tomllib 1.0
        stops = not line.partition(" cannot be read ")[0].endswith("pyproject.toml")
        text = f"A file of uv's: {line}{'; uv stops there' if stops else ''}."
        advice = "correct it; if uv reads it, it is of a newer TOML than this Python knows"
        yield Cause("uv-file-unreadable", text, advice=advice, problem=stops)
    yield from _indexes(facts)
    yield from _not_told(facts)
    yield from _pip(facts)


def _first_on_path(facts: Facts) -> Iterator[Cause]:
    """What keeps uv, and pip in its subprocess mode, from running a keyring that has the answers."""
    found, here = facts.uv_keyring, facts.here
    if found is None:
        text = "There is no keyring on PATH: uv, and pip in its subprocess mode, have none to run."
        first = Variable("PATH", clients.scripts(here), before=True)
        yield Cause("no-keyring-on-path", text, first, problem=facts.uv.provider == "subprocess")
        return
    tools = {trust.identity(tool.location) for tool in facts.able or facts.survey.findings.tools}
    registry = hints.registry_of(facts.service)
    served = registry and any(hints.serves(registry, one.distribution) for one in found.providers)
    for one in facts.survey.findings.refusals:  # one that is to be mended was meant to be a tool
        if one.origin != PATH and not (one.kind.harmless or one.kind.foreign):
            tools.add(trust.identity(executable.target(one.path, here.platform).root or one.path))
    itself = not tools.isdisjoint(map(trust.identity, (found.root, found.path)))
    if not found.mine and found.ours is False and not itself and not served:
        text = (
            f"The first keyring on PATH, which uv runs, is the one of {found.root}, and keyring-fallback is not "
            "installed there."
        )
        yield Cause("missing-there", text, *facts.install(found.root, "keyring-fallback"))


def _indexes(facts: Facts) -> Iterator[Cause]:
    """What keeps uv from asking keyring for its indexes: those of known registries, and of the service's host."""
    uv, host, found = facts.uv, hints.host_of(facts.service), facts.uv_keyring
    version = [int(part) for part in found.version.split(".")[:3] if part.isdigit()] if found else []
    unasked: list[uv_settings.Index] = []
    for index in uv.indexes:
        url, source = index.url, index.source
        registry = hints.registry_of(url)
        # uv has the credentials of pyx itself
        known = (registry and registry.name != "pyx") or (host and hints.host_of(url) == host)
        if not known or (index.username and index.password):
            continue
        if index.authenticate == "never":
            text = f"uv is told never to authenticate for {url} ({source})."
            yield Cause("uv-never-authenticates", text, _always(index))
            continue
        if _provider(index, uv) != "subprocess":
            unasked.append(index)
        if not index.username and index.authenticate != "always":
            named = url.replace("://", f"://{registry.username if registry else facts.username or 'USERNAME'}@", 1)
            cure: Cure = None
            advice = f"put a user name into its URL in {source}: {named}"
            text = (
                f"uv does not ask keyring for {url}: the index has no user name in its URL, and no "
                f'authenticate = "always" ({source}).'
            )
            if len(facts.here.environ.get(source, "").split()) == 1:
                cure = Variable(source, f"{index.name}={named}" if index.name else named)
            elif index.option.endswith("index"):  # the others are nothing but URLs
                cure, advice = _always(index), ""
            yield Cause("uv-no-username", text, cure, advice)
        elif found and not index.username and version and tuple(version) < _WITHOUT_USERNAME:
            text = (
                f"uv asks for {url} without a user name, and the keyring {found.version} in {found.root} cannot be "
                "asked so."
            )
            yield Cause("keyring-too-old", text, *facts.install(found.root, "keyring>=25.2.1"))
    if unasked:
        yield _unasked(unasked[0], facts)


def _not_told(facts: Facts) -> Iterator[Cause]:
    """Say that uv asks no keyring, where what was looked up is none of its indexes: else it is said of that."""
    uv, here, host = facts.uv, facts.here, hints.host_of(facts.service)
    known = any(hints.host_of(index.url) == host for index in uv.indexes)
    told = "subprocess" in (uv.provider, uv.pip_provider) or uv.problems or not uv_settings.READS_FILES
    if facts.answered and not known and not told and cures.has_uv(here):
        text = f"uv asks keyring only where it is told to, and its keyring provider is {uv.provider}."
        advice = 'or set keyring-provider = "subprocess" in uv.toml, or in [tool.uv] of pyproject.toml'
        yield Cause("uv-not-told", text, Variable("UV_KEYRING_PROVIDER", "subprocess"), advice, problem=False)


def _always(index: uv_settings.Index) -> Edit:
    """Return the edit that has uv authenticate for an index."""
    return Edit(index.source, _table("index", index.source), "authenticate", '"always"', index.url)


def _table(name: str, file: str) -> str:
    """Return the table of one of uv's files that has the same meaning in all of them."""
    return ".".join(filter(None, ("tool.uv" if file.endswith("pyproject.toml") else "", name)))


def _provider(index: uv_settings.Index, uv: uv_settings.Uv) -> str:
    """Return the keyring provider that uv uses for an index."""
    return (uv.pip_provider if index.option.startswith("pip.") else "") or uv.provider


def _unasked(index: uv_settings.Index, facts: Facts) -> Cause:
    """Return why uv asks no keyring at all for an index."""
    uv = facts.uv
    only_pip = ", and 'subprocess' for uv pip only" if uv.pip_provider == "subprocess" else ""
    said = f"its keyring provider is {_provider(index, uv)} ({uv.source or 'the default'}){only_pip}"
    file = uv.source or index.source
    edit = Edit(file, _table("", file), "keyring-provider", '"subprocess"')
    text = f"uv asks no keyring for {index.url}: {said}."
    variable = Variable("UV_KEYRING_PROVIDER", "subprocess")  # whatever variable names the index
    return Cause("uv-asks-no-keyring", text, edit if cures.is_file(file) else variable)


def _pip(facts: Facts) -> Iterator[Cause]:
    pip = facts.pip
    if pip.provider == "disabled":
        cure = None if cures.is_file(pip.source) else Variable(pip.source, None)
        advice = "" if cure else f"set keyring-provider to import in {pip.source}, or remove it"
        yield Cause("pip-disabled", f"pip is told not to ask any keyring ({pip.source}).", cure, advice, problem=False)
    elif pip.provider == "auto" and pip.silent:
        text = f"pip is told to ask for no input ({pip.silent}), and then asks no keyring unless it is told to."
        yield Cause("pip-silent", text, Variable("PIP_KEYRING_PROVIDER", "import"), problem=False)
