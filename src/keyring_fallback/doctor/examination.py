"""Gathers what decides whether lookups are answered, as data: `causes` says what is wrong, `report` shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from .. import discovery, survey, trust
from . import clients, probing, uv_config


class Examination(NamedTuple):
    """All that was found.

    Attributes:
        survey: What is in force for a lookup.
        findings: The tools, searched for also where we are switched off.
        me: What keyring is like in this environment.
        tools: What the probes say of `findings.tools`, in their order.
        uv_keyring: The ``keyring`` that uv runs from here.
        pip_keyring: The one that pip runs from here in its ``subprocess`` mode.
        pip: What pip is told.
        uv: What uv is told.
        service: What was looked up, or None.
        username: For whom, or None.
    """

    survey: survey.Survey
    findings: discovery.Findings
    me: probing.Probe
    tools: tuple[probing.Probe, ...]
    uv_keyring: clients.Keyring | None
    pip_keyring: clients.Keyring | None
    pip: clients.Pip
    uv: uv_config.UvConfig
    service: str | None = None
    username: str | None = None

    def probed(self) -> Iterator[tuple[discovery.Tool, probing.Probe]]:
        """Yield each tool with what its probe says."""
        return zip(self.findings.tools, self.tools)

    @property
    def lookup(self) -> probing.Lookup | None:
        """The call that a client would have made."""
        return self.me.lookups[0] if self.me.lookups else None

    @property
    def answered(self) -> bool:
        """Whether that call had an answer."""
        return self.lookup is not None and self.lookup.outcome == "answer"


def examine(service: str | None = None, username: str | None = None) -> Examination:
    """Return what there is, and what a lookup comes to; processes are started for it.

    Args:
        service: What to look up, as a client would ask for it, or None.
        username: The user name to look it up for, or None. One in a URL counts, too.
    """
    here = survey.here()
    now = survey.make(here)
    if service is not None:
        service, username = _without_user(service, username)
    findings = discovery.find(here, now.settings.tool)
    return Examination(
        survey=now,
        findings=findings,
        me=probing.this_environment(now, len(findings.tools), service, username),
        tools=tuple(probing.tool(here, tool) for tool in findings.tools),
        # uvx puts the environment that it made for us first on PATH: that is not where the person's uv looks
        uv_keyring=clients.on_path(here, clients.scripts(here) if trust.cache_reason(here.prefix) else ""),
        pip_keyring=clients.on_path(here, clients.scripts(here)),
        pip=clients.pip(here),
        uv=uv_config.read(here),
        service=service,
        username=username,
    )


def _without_user(service: str, username: str | None) -> tuple[str, str | None]:
    """Take the user name out of a URL, as uv and pip do before they ask; a password in it is not needed here."""
    try:
        parts = urlsplit(service)
        found = unquote(parts.username or "")
    except ValueError:
        return service, username
    if not parts.netloc or "@" not in parts.netloc:
        return service, username
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), username or found or None
