"""Names what keeps uv and pip from asking the right keyring, or from asking at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from .. import cures, hints, trust
from . import Cause, clients
from .examination import Facts

#: The release of keyring whose command line answers lookups without a user name (NEWS.rst; pip 26.3 wants it too).
_WITHOUT_USERNAME = (25, 2, 1)


def find(facts: Facts) -> Iterator[Cause]:
    """Yield what is wrong with how clients get to a keyring."""
    yield from _first_on_path(facts)
    yield from _indexes(facts)
    pip = facts.pip
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
            cures.variable("PIP_KEYRING_PROVIDER", "import", facts.here.platform),
            problem=False,
        )


def _first_on_path(facts: Facts) -> Iterator[Cause]:
    found, here = facts.uv_keyring, facts.here
    if found is None:
        path = cures.first_on_path(clients.scripts(here), here.platform)
        yield Cause(
            "no-keyring-on-path",
            "There is no keyring on PATH: uv, and pip in its subprocess mode, have none to run.",
            path if here.platform == "win32" else f"export {path}",
            problem=facts.uv.provider == "subprocess",
        )
        return
    able = [tool for tool, _ in facts.tools if tool.content.providers or not tool.known]
    tools = {trust.identity(tool.root or tool.path) for tool in able or facts.survey.findings.tools}
    if found.mine or found.ours is not False or not tools.isdisjoint(map(trust.identity, (found.root, found.path))):
        return
    registry = hints.registry_of(facts.service)
    if registry and any(hints.serves(registry, one.distribution) for one in found.providers):
        return
    uv = bool(shutil.which("uv", path=here.environ.get("PATH", "")))
    yield Cause(
        "missing-there",
        f"The first keyring on PATH, which uv runs, is the one of {found.root}, and keyring-fallback is not installed "
        "there.",
        cures.add_us(found.root, able[0] if able else None, here.platform, uv=uv),
    )


def _indexes(facts: Facts) -> Iterator[Cause]:
    """What keeps uv from asking keyring for its indexes: those of known registries, and of the service's host."""
    uv, host, platform = facts.uv, hints.host_of(facts.service), facts.here.platform
    unasked: list[clients.Index] = []
    for index in uv.indexes:
        registry = hints.registry_of(index.url)
        # uv has the credentials of pyx itself
        known = (registry and registry.name != "pyx") or (host and hints.host_of(index.url) == host)
        if not known or (index.username and index.password):
            continue
        if index.authenticate == "never":
            yield Cause(
                "uv-never-authenticates",
                f"uv is told never to authenticate for {index.url} ({index.source}).",
                edit=f'replace authenticate = "never" by "always" for this index in {index.source}',
            )
            continue
        if not index.username and index.authenticate != "always":
            username = registry.username if registry else facts.username or "USERNAME"
            url = index.url.replace("://", f"://{username}@", 1)
            command, edit = "", f'add authenticate = "always" to this index in {index.source}'
            if not os.path.isabs(index.source):
                edit = f"put a user name into its URL in {index.source}: {url}"
                if len(facts.here.environ[index.source].split()) == 1:
                    command = cures.variable(index.source, f"{index.name}={url}" if index.name else url, platform)
            yield Cause(
                "uv-no-username",
                f"uv does not ask keyring for {index.url}: the index has no user name in its URL, and no "
                f'authenticate = "always" ({index.source}).',
                command,
                edit,
            )
        yield from _too_old(index, facts)
        unasked.append(index)
    if unasked and uv.provider != "subprocess":
        file = uv.source or unasked[0].source
        table = " to [tool.uv]" if file.endswith("pyproject.toml") else ""
        only_pip = ", and 'subprocess' for uv pip only" if uv.pip_provider == "subprocess" else ""
        yield Cause(
            "uv-asks-no-keyring",
            f"uv asks no keyring for {unasked[0].url}: its keyring provider is {uv.provider} "
            f"({uv.source or 'the default'}){only_pip}.",
            "" if os.path.isabs(file) else cures.variable("UV_KEYRING_PROVIDER", "subprocess", platform),
            f'add keyring-provider = "subprocess"{table} in {file}' if os.path.isabs(file) else "",
        )


def _too_old(index: clients.Index, facts: Facts) -> Iterator[Cause]:
    found = facts.uv_keyring
    if found is None or index.username or index.authenticate != "always":
        return
    numbers = tuple(int(part) for part in found.version.split(".")[:3] if part.isdigit())
    if numbers and numbers < _WITHOUT_USERNAME:
        root = cures.quoted(found.root, facts.here.platform)
        yield Cause(
            "keyring-too-old",
            f"uv asks for {index.url} without a user name, and the keyring {found.version} in {found.root} cannot be "
            "asked so.",
            f"uv pip install --python {root} 'keyring>=25.2.1'",
        )
