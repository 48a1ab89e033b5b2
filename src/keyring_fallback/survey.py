"""What is in force in this process: settings, tools, and whether we have anything to do."""

from __future__ import annotations

import fnmatch
import time

from . import config, hints
from .discovery import search
from .discovery.tool import SETTING, Findings
from .here import Here, here
from .records import Record

__all__ = ["NESTED", "Survey", "current", "here", "make"]

#: Marks the environment of what we start: nothing in there delegates again.
NESTED = "KEYRING_FALLBACK_NESTED"
#: Variables that belong to this environment's Python and would mislead another one.
DROPPED = ("PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__")
#: How long a survey is used again: a tool may be installed meanwhile.
_FRESH_SECONDS = 5.0


class Survey(Record):
    """What is in force.

    Attributes:
        settings: The user's settings.
        here: This environment.
        findings: The tools; none where we are switched off or nested.
        local: Why this environment answers for itself, or "".
        reason: Why nothing is delegated, or "".
    """

    settings: config.Settings
    here: Here
    findings: Findings
    local: str
    reason: str

    def pins(self, name: str) -> bool:
        """Tell whether the user has selected a backend of ours by its name."""
        return self.settings.selected in (f"{__package__}.{name}", f"{__package__}.backend.{name}")

    def problems(self) -> list[str]:
        """Return what is wrong with the settings, and with the tools that they name, a line each."""
        if self.local:
            return [*self.settings.problems]
        named = f"{self.settings.sources.get('tool', '')}: the tool"
        unused = (
            f"{named} {refusal.path} is not used: {refusal.reason}"
            for refusal in self.findings.refusals
            if refusal.source == SETTING
        )
        doubtful = (
            f"{named} {tool.path} is used, although {tool.doubt}; close that to others if you can"
            for tool in self.findings.tools
            if tool.doubt
        )
        return [*self.settings.problems, *unused, *doubtful]

    def delegates(self, service: object) -> bool:
        """Tell whether the user wants a service to be delegated."""
        names = [hints.host_of(service), service if isinstance(service, str) else ""]
        return any(
            pattern == "*" or fnmatch.fnmatchcase(name, pattern) for name in names for pattern in self.settings.services
        )


def make(here: Here) -> Survey:
    """Return what is in force in an environment, by looking at files only."""
    settings = config.read(here.environ, here.home, here.platform)
    findings = Findings()
    local = reason = ""
    if here.environ.get(NESTED):
        local = "this process was started by keyring-fallback to answer from its own environment"
    elif not settings.enabled:
        local = f"keyring-fallback is switched off ({settings.sources['enabled']})"
    else:
        findings = search.find(here, settings.tool)
        if findings.at_home:
            local = "this environment is itself a globally installed keyring"
        elif not findings.tools:
            named = f" at {', '.join(settings.tool)} (set in {settings.sources['tool']})" if settings.tool else ""
            reason = f"no global keyring was found{named}; 'keyring-fallback doctor' shows where it was looked for"
        elif not any(tool.useful for tool in findings.tools):
            reason = "no global keyring has a provider that this environment lacks"
    return Survey(settings, here, findings, local, local or reason)


_last: tuple[float, Here, Survey] | None = None


def current() -> Survey:
    """Return what is in force now; it is used again for some seconds while the environment stays the same."""
    global _last  # noqa: PLW0603 - keyring asks several times
    now, around = time.monotonic(), here()
    if _last is None or now - _last[0] > _FRESH_SECONDS or _last[1] != around:
        _last = now, around, make(around)
    return _last[2]
