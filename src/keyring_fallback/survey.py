"""What is in force in this process: settings, tools, and whether we have anything to do."""

from __future__ import annotations

import os
import time

from . import config
from .discovery import search, trust
from .discovery.tool import Findings, State, Survey
from .here import NESTED, Here, config_file, here

__all__ = ["State", "Survey", "current", "here", "make"]

#: How long a survey is used again: a tool may be installed meanwhile.
_FRESH_SECONDS = 5.0


def make(here: Here) -> Survey:
    """Return what is in force in an environment, by looking at files only."""
    file = config_file(here.environ, here.home, here.platform)
    foreign = trust.Trust(here).project(file) if os.path.isfile(file) else None
    settings = config.read(here.environ, here.home, here.platform, foreign)
    if settings.commands and (reason := next(filter(None, trust.Trust(here).others([file])), None)):
        problem = config.Problem(config.Fault.COMMANDS_OF_OTHERS, file, "", str(reason))
        settings = settings._replace(commands=(), problems=(*settings.problems, problem))
    if here.environ.get(NESTED) or not settings.enabled:
        return Survey(settings, here, Findings(), State.NESTED if here.environ.get(NESTED) else State.OFF)
    findings = search.find(here, settings.tool)
    if findings.at_home:  # no other tool is asked then
        findings = findings._replace(tools=tuple(tool for tool in findings.tools if tool.lent))
    versions = {provider.module: provider.version for provider in findings.local.providers}
    # who does not work here may work there in another version
    theirs = (one for tool in findings.tools for one in tool.content.providers)
    useful = any(tool.useful for tool in findings.tools)
    useful = useful or any(versions.get(one.module, one.version) != one.version for one in theirs)
    delegating = useful or settings.commands
    state = State.DELEGATING if delegating else State.AT_HOME if findings.at_home else State.NOTHING
    return Survey(settings, here, findings, state)


_last: tuple[float, Here, Survey] | None = None


def current() -> Survey:
    """Return what is in force now; it is used again for some seconds while the environment stays the same."""
    global _last  # noqa: PLW0603 - keyring asks several times
    now, around = time.monotonic(), here()
    if _last is None or now - _last[0] > _FRESH_SECONDS or _last[1] != around:
        _last = now, around, make(around)
    return _last[2]
