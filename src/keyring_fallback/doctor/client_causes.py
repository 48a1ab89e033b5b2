"""Names what keeps uv and pip from asking the right keyring, or from asking at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from .. import cures, hints, trust
from ..discovery import Tool
from . import clients
from .cause import Cause
from .examination import Examination
from .uv_config import Index

#: The release of keyring whose command line answers lookups without a user name (NEWS.rst; pip 26.3 wants it too).
_WITHOUT_USERNAME = (25, 2, 1)


def find(examination: Examination) -> Iterator[Cause]:
    """Yield what is wrong with how clients get to a keyring."""
    yield from _first_on_path(examination)
    yield from _indexes(examination)
    yield from _pip(examination)


def _pip(examination: Examination) -> Iterator[Cause]:
    pip = examination.pip
    if pip.provider == "disabled":
        yield Cause(
            "pip-disabled",
            f"pip is told not to ask any keyring ({pip.source}).",
            edit=f"set keyring-provider to import in {pip.source}, or remove it",
            problem=False,
        )
    elif pip.provider == "auto" and pip.silent:
        yield Cause(
            "pip-silent",
            f"pip is told to ask for no input ({pip.silent}), and then asks no keyring unless it is told to.",
            command=_set("PIP_KEYRING_PROVIDER", "import", examination),
            problem=False,
        )


def _first_on_path(examination: Examination) -> Iterator[Cause]:
    found, here = examination.uv_keyring, examination.survey.here
    wanted = examination.uv.asks_keyring
    if found is None:
        yield Cause(
            "no-keyring-on-path",
            "There is no keyring on PATH: uv, and pip in its subprocess mode, have none to run.",
            command=_activate(examination),
            problem=wanted,
        )
        return
    tools = examination.findings.tools
    able = [tool for tool in tools if tool.content.providers or not tool.known]
    if found.mine or found.ours or found.ours is None or _is_one_of(found, able or list(tools)):
        return
    registry = hints.registry_of(examination.service)
    if registry and any(hints.serves(registry, one.distribution) for one in found.content.providers):
        return
    tool = able[0] if able else None
    uv = bool(shutil.which("uv", path=here.environ.get("PATH", "")))
    yield Cause(
        "missing-there",
        f"The first keyring on PATH, which uv runs, is the one of {found.root}, and keyring-fallback is not installed "
        "there.",
        command=cures.add_us(found.root, tool, here.platform, uv=uv),
    )


def _is_one_of(found: clients.Keyring, tools: list[Tool]) -> bool:
    identities = [trust.identity(tool.root or tool.path) for tool in tools]
    return any(trust.identity(path) in identities for path in filter(None, (found.root, found.path)))


def _activate(examination: Examination) -> str:
    """Return the command that puts this environment's keyring on PATH."""
    here = examination.survey.here
    folder = clients.scripts(here)
    if here.platform == "win32":
        return f"$env:PATH = {cures.quoted(folder, here.platform)} + ';' + $env:PATH"
    return f"export PATH={cures.quoted(folder, here.platform)}:$PATH"


def _indexes(examination: Examination) -> Iterator[Cause]:
    """What keeps uv from asking keyring for its indexes: those of known registries, and of the service's host."""
    uv = examination.uv
    host = hints.host_of(examination.service)
    without_provider: list[Index] = []
    for index in uv.indexes:
        registry = hints.registry_of(index.url)
        if registry and registry.name == "pyx" and hints.host_of(index.url) != host:
            continue  # uv has its credentials itself
        if not (registry or (host and hints.host_of(index.url) == host)) or (index.username and index.password):
            continue
        username = registry.username if registry else examination.username or "USERNAME"
        if index.authenticate == "never":
            yield Cause(
                "uv-never-authenticates",
                f"uv is told never to authenticate for {index.url} ({index.source}).",
                edit=f'replace authenticate = "never" by "always" for this index in {index.source}',
            )
            continue
        if not index.username and index.authenticate != "always":
            url = index.url.replace("://", f"://{username}@", 1)
            yield Cause(
                "uv-no-username",
                f"uv does not ask keyring for {index.url}: the index has no user name in its URL, and no "
                f'authenticate = "always" ({index.source}).',
                command=_in_variable(index, url, examination),
                edit=f"put a user name into its URL in {index.source}: {url}"
                if _is_variable(index)
                else f'add authenticate = "always" to this index in {index.source}',
            )
        yield from _too_old(examination, index)
        if not uv.asks_keyring:
            without_provider.append(index)
    if without_provider:
        yield _no_provider(examination, without_provider[0])


def _no_provider(examination: Examination, index: Index) -> Cause:
    uv = examination.uv
    said = f"its keyring provider is {uv.provider} ({uv.source or 'the default'})"
    only_pip = ", and 'subprocess' for uv pip only" if uv.pip_provider == "subprocess" else ""
    file = uv.source or index.source
    if os.path.isabs(file):
        table = " to [tool.uv]" if file.endswith("pyproject.toml") else ""
        return Cause(
            "uv-asks-no-keyring",
            f"uv asks no keyring for {index.url}: {said}{only_pip}.",
            edit=f'add keyring-provider = "subprocess"{table} in {file}',
        )
    return Cause(
        "uv-asks-no-keyring",
        f"uv asks no keyring for {index.url}: {said}{only_pip}.",
        command=_set("UV_KEYRING_PROVIDER", "subprocess", examination),
    )


def _too_old(examination: Examination, index: Index) -> Iterator[Cause]:
    found = examination.uv_keyring
    if index.username or index.authenticate != "always" or found is None or not found.version:
        return
    numbers = tuple(int(part) for part in found.version.split(".")[:3] if part.isdigit())
    if numbers and numbers < _WITHOUT_USERNAME:
        root = cures.quoted(found.root, examination.survey.here.platform)
        yield Cause(
            "keyring-too-old",
            f"uv asks for {index.url} without a user name, and the keyring {found.version} in {found.root} cannot be "
            "asked so.",
            command=f"uv pip install --python {root} 'keyring>=25.2.1'",
        )


def _is_variable(index: Index) -> bool:
    return not os.path.isabs(index.source)


def _in_variable(index: Index, url: str, examination: Examination) -> str:
    """Return the command that gives the variable which names an index another URL, where it names no other index."""
    environ = examination.survey.here.environ
    if not _is_variable(index) or len(environ.get(index.source, "").split()) != 1:
        return ""
    return _set(index.source, f"{index.name}={url}" if index.name else url, examination)


def _set(variable: str, value: str, examination: Examination) -> str:
    platform = examination.survey.here.platform
    if platform == "win32":
        return f"$env:{variable} = '{value}'"
    return f"export {variable}={cures.quoted(value, platform)}"
