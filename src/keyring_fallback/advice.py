"""What the person at the terminal is told: a line that warns of something, or that says which provider is missing."""

from __future__ import annotations

import logging
import os
import sys
from typing import Callable

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


def hint(service: object, holds: Callable[[str], bool]) -> None:
    """Say which provider is missing, where a lookup for a known host had no answer for want of it.

    `holds` tells whether somebody has an answer for a host: uv and pip ask for it when the URL has none.
    """
    registry = hints.registry_of(service)
    now = survey.current()
    if registry is None or now.answers_itself or not now.settings.delegates(service):
        return
    held = [*now.findings.local.providers, *(one for tool in now.findings.tools for one in tool.content.providers)]
    known = all(tool.known for tool in now.findings.tools)
    if not known or any(hints.serves(registry, provider.distribution) for provider in held):
        return
    host = hints.host_of(service)
    said = f"no keyring here has a provider for {registry.name} ({host}): {registry.distribution} is missing"
    message = f"{said}; 'keyring-fallback doctor URL' says what mends it"
    if log.isEnabledFor(logging.WARNING) and message not in _warned and not (service != host and holds(host)):
        warn(message)


def is_keyrings_command() -> bool:
    """Tell whether this program is keyring's own command, asked for a known registry: what uv and pip run."""
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    asked = "keyring.cli" in sys.modules and name.partition(".")[0] in ("keyring", "__main__") and "get" in sys.argv
    return asked and any(hints.registry_of(word) for word in sys.argv[1:])


def warn(message: str) -> None:
    """Log a line, once in this process, unless stderr is full (a provider may have filled it) and would keep us."""
    if message not in _warned:
        _warned.add(message)
        try:
            from .delegation.waiting import takes
        except (ImportError, OSError):
            return
        if takes(2):
            log.warning("keyring-fallback: %s", message)
