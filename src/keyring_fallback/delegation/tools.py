"""Asks the tools: in which order, how each is run, in which environment, and which of its backends are asked."""

from __future__ import annotations

import sys
from typing import Any

from keyring.backend import KeyringBackend, get_all_keyring
from keyring.errors import PasswordDeleteError

from .. import hints
from ..discovery import trust
from ..discovery.tool import SETTING, Provider, Survey, Tool
from ..errors import NotAskedError, ToolError
from ..helper.backends import below
from ..helper.shared import name_of
from . import trace
from .call import ADVICE, Call, Invocation, Reply, Setup
from .environ import child_environ, neutral_folder

#: As long as a helper runs, Windows neither removes nor replaces the tool's files.
_WINDOWS_IDLE_SECONDS = 4.0


def ask_tools(survey: Survey, call: Call, *, everything: bool, idle: float = 0.0) -> Any:
    """Return the first answer of a tool, or None; for what is stored or deleted, True is the answer.

    Unless it is everything, only those backends are asked that this environment lacks; `idle` is that of `Invocation`.
    KeyringError: there is no answer, and a tool or a provider failed.
    """
    if not survey.settings.delegates(call.service):
        return None
    reply = _ask_command(survey, call)
    if reply.answer is not None:
        return reply.answer
    failures = [*reply.failures]
    for tool in survey.findings.tools:
        if not (everything or tool.lent or not tool.known or tool.own or _wanted(survey, tool, call.service)):
            continue  # it surely has no answer
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
        failed = not all(isinstance(one, PasswordDeleteError) for one in reply.failures)
        if failed and not call.method.startswith("get"):
            break  # or it may have been done: another tool must not do it instead
    if failures:
        raise failures[0]
    return None


def ask(survey: Survey, tool: Tool, call: Call, *, everything: bool, idle: float = 0.0) -> Reply:
    """Ask one tool; arguments as for `ask_tools`. ToolError: it could not be asked."""
    if tool.lent:
        from . import lent  # few people have a lender

        return lent.ask(tool, call, survey.settings.timeout)
    # others may have changed it since it was found
    if reason := trust.recheck(tool.decides, survey.here, named=tool.origin == SETTING):
        raise NotAskedError(f"{tool.name} is not asked, since {reason}", ADVICE)
    arguments = (tool.interpreter or tool.path, *(["-I"] if tool.interpreter and tool.isolated else []))
    run = Invocation(arguments, child_environ(survey, tool), tool.name, survey.settings.timeout, tool.content)
    idle = idle or (_WINDOWS_IDLE_SECONDS if tool.windows or survey.here.platform == "win32" else 0.0)
    folder = None if tool.interpreter else neutral_folder(survey.here)
    invocation = run._replace(folder=folder, shared=not tool.windows, idle=idle)
    if tool.interpreter:
        from . import bridge  # a lender has done all that

        return bridge.ask(invocation, _setup(survey, tool, call.service, everything=everything), call)
    from . import command_line  # most tools have an interpreter that can be told

    return command_line.ask(invocation, call)


def _ask_command(survey: Survey, call: Call) -> Reply:
    """Return the reply of the command that the user has for a service; a failure is a part of it."""
    row = survey.settings.row_for(call.service) if call.method.startswith("get") else None
    if row is None:
        return Reply()
    from . import commands  # few people have some

    name = f"the command {row.words[0]!r} for {row.pattern}"
    environ = child_environ(survey, Tool(SETTING, row.words[0], "", ""))
    invocation = Invocation((), environ, name, survey.settings.timeout, folder=neutral_folder(survey.here))
    try:
        with trace.Question(trace.Kind.COMMAND, name, *call[:3]) as question:
            reply = commands.ask(row, call, invocation, survey.here)
            question.replied(reply.answer, "", ())
            return reply
    except ToolError as error:
        return Reply(failures=(error,))


def _wanted(survey: Survey, tool: Tool, service: object) -> list[Provider]:
    """Return the tool's providers that may answer for a service, and that have not answered here."""
    failed = [one.module for one in survey.findings.local.providers if _has_failed(one.module)]
    held = (one for one in tool.content.providers if one in tool.adds or one.module in failed)
    return [one for one in held if hints.may_answer(one.distribution, one.version, service)]


def _has_failed(module: str) -> bool:
    """Tell whether a provider of this environment could not be loaded, is not viable or has raised."""
    made = [name_of(backend) for backend in get_all_keyring()]
    classes = [name for name in map(name_of, KeyringBackend._classes) if below(name, [module])]  # noqa: SLF001
    unusable = bool(classes) and not any(name in made for name in classes)
    return module not in sys.modules or unusable or any(below(name, [module]) for name in trace.raised())


def _setup(survey: Survey, tool: Tool, service: object, *, everything: bool) -> Setup:
    if everything:
        return Setup(everything=True, entry_points=(), own=(), skip=())
    viable = {type(backend).__module__ for backend in get_all_keyring()}
    local = (one.module for one in survey.findings.local.providers)
    values = tuple(one.value for one in _wanted(survey, tool, service)) if tool.known else None
    own = tuple(module for module in tool.own if module not in viable)  # no second prompt, no second hang
    skip = tuple(module for module in local if not _has_failed(module))
    return Setup(everything=False, entry_points=values, own=own, skip=skip)
