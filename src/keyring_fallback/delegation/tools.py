"""Asks the tools: in which order, how each is run, in which environment, and which of its backends are asked."""

from __future__ import annotations

from typing import Any

from keyring.backend import get_all_keyring
from keyring.errors import KeyringError, PasswordDeleteError

from .. import hints
from ..discovery import trust
from ..discovery.tool import SETTING, Tool
from ..errors import NotAskedError, ToolError
from ..survey import Survey
from . import trace
from .call import ADVICE, Call, Invocation, Reply, Setup
from .environ import child_environ, neutral_folder

#: As long as a helper runs, Windows neither removes nor replaces the tool's files.
_WINDOWS_IDLE_SECONDS = 4.0


def ask_tools(survey: Survey, call: Call, *, everything: bool, idle: float = 0.0) -> Any:
    """Return the first answer of a tool, or None; for what is stored or deleted, True is the answer.

    Args:
        survey: What is in force.
        call: What is asked.
        everything: Whether to ask all backends of a tool, not only what this environment lacks.
        idle: See `Invocation.idle`.

    Raises:
        KeyringError: There is no answer, and a tool or a provider failed.
    """
    if not survey.delegates(call.service):
        return None
    failures: list[KeyringError] = []
    for tool in survey.findings.tools:
        if not (everything or tool.lent or _can_serve(tool, call.service)):
            continue
        try:
            with trace.Question(trace.Kind.TOOL, tool.location, *call[:3]) as question:
                reply = ask(survey, tool, call, everything=everything, idle=idle)
                question.replied(reply.answer, reply.backend, reply.failures + reply.unloaded)
        except NotAskedError as error:
            failures.append(error)
            continue
        except ToolError as error:
            reply = Reply(failures=(error,))
        if reply.answer is not None:
            return reply.answer
        failures += reply.failures + reply.unloaded
        if not call.method.startswith("get") and not all(
            isinstance(one, PasswordDeleteError) for one in reply.failures
        ):
            break  # it has failed, or may have been done: another tool must not do it instead
    if failures:
        raise failures[0]
    return None


def ask(survey: Survey, tool: Tool, call: Call, *, everything: bool, idle: float = 0.0) -> Reply:
    """Ask one tool; the arguments are those of `ask_tools`.

    Raises:
        ToolError: The tool could not be asked.
    """
    if tool.lent:
        from . import lent  # few people have a lender

        return lent.ask(tool, call, survey.settings.timeout)
    isolated = bool(tool.interpreter) and tool.isolated
    windows = tool.windows or survey.here.platform == "win32"
    # others may have changed it since it was found
    if reason := trust.recheck(tool.decides, survey.here, named=tool.origin == SETTING):
        raise NotAskedError(f"{tool.name} is not asked, since {reason}; {ADVICE}")
    invocation = Invocation(
        (tool.interpreter or tool.path, *(["-I"] if isolated else [])),
        child_environ(survey, tool),
        tool.name,
        survey.settings.timeout,
        tool.content,
        idle=idle or (_WINDOWS_IDLE_SECONDS if windows else 0.0),
        shared=not tool.windows,
        windows=windows,
        folder=None if tool.interpreter else neutral_folder(survey.here),
    )
    if tool.interpreter:
        from . import bridge  # a lender has done all that

        return bridge.ask(invocation, _setup(survey, tool, everything=everything), call)
    from . import command_line  # most tools have an interpreter that can be told

    return command_line.ask(invocation, call)


def _can_serve(tool: Tool, service: object) -> bool:
    """Tell whether a tool may have an answer; if in doubt, it may."""
    if not tool.useful:
        return False
    if not tool.known or tool.own or hints.is_url(service):
        return True
    return not all(hints.only_urls(provider.distribution, provider.version) for provider in tool.adds)


def _setup(survey: Survey, tool: Tool, *, everything: bool) -> Setup:
    if everything:
        return Setup(everything=True, entry_points=(), own=(), skip=())
    viable = {type(backend).__module__ for backend in get_all_keyring()}
    return Setup(
        everything=False,
        entry_points=tuple(provider.value for provider in tool.adds) if tool.known else None,
        own=tuple(module for module in tool.own if module not in viable),  # no second prompt, no second hang
        skip=tuple(provider.module for provider in survey.findings.local.providers),
    )
