"""What the person at the terminal is told: a line that warns of something, or that says which provider is missing."""

from __future__ import annotations

import logging

from . import hints, survey

log = logging.getLogger(__package__)

_warned: set[str] = set()


def why_not(now: survey.Survey) -> str | None:
    """Return why nothing is delegated, in words for the person, or None where something is."""
    settings, state = now.settings, now.state
    if state is survey.State.NESTED:
        return "this process was started by keyring-fallback to answer from its own environment"
    if state is survey.State.OFF:
        return f"keyring-fallback is switched off ({settings.sources['enabled']})"
    if state is survey.State.AT_HOME:
        return "this environment is itself a globally installed keyring"
    if state is survey.State.DELEGATING:
        return None
    if now.findings.tools:
        return "no global keyring has a provider that this environment lacks"
    named = f" at {', '.join(settings.tool)} (set in {settings.sources['tool']})" if settings.tool else ""
    return f"no global keyring was found{named}; 'keyring-fallback doctor' shows where it was looked for"


def hint(service: object) -> None:
    """Say which provider is missing, where a lookup for a known host had no answer for want of it."""
    registry = hints.registry_of(service)
    if registry is None:
        return
    now = survey.current()
    if now.answers_itself or not now.delegates(service) or not all(tool.known for tool in now.findings.tools):
        return
    held = [*now.findings.local.providers, *(one for tool in now.findings.tools for one in tool.content.providers)]
    if not any(hints.serves(registry, provider.distribution) for provider in held):
        try:
            from .doctor import cures, shell
        except (ImportError, OSError):
            return
        platform = now.here.platform
        command = shell.typed(cures.provide(registry.distribution, now.findings, platform), platform)
        what = f"no keyring here has a provider for {registry.name} ({hints.host_of(service)})"
        warn(f"{what}; install it: {command or registry.distribution}")


def warn(message: str) -> None:
    """Log a line, once in this process, unless stderr is full (a provider may have filled it) and would keep us."""
    if message not in _warned:
        _warned.add(message)
        try:
            from .delegation.waiting import takes
        except (ImportError, OSError):
            return
        if not takes(2):
            return
        log.warning("keyring-fallback: %s", message)
