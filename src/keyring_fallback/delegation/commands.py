"""Asks a command of the user's for a credential: the row of [fallback.commands] for a host."""

from __future__ import annotations

import json
import os
import re

from .. import hints
from ..config import Row
from ..discovery import executable
from ..discovery.trust import Trust
from ..errors import NotAskedError, ToolError
from ..here import Here
from ..hidden import Hidden
from .call import Call, Invocation, Reply, credential
from .command_line import finished
from .process import ended
from .waiting import Waiting, waiting_for

#: The user name that registries take with a token where nobody says another one.
_TOKEN_NAME = "__token__"  # noqa: S105 - a user name
#: What a word from outside may hold where cmd.exe reads it: it would take other characters for its own.
_PLAIN = re.compile(r"[\w.:/@=+-]*")
#: What a row's own word may hold there: Python puts it in quotes if it has blanks (subprocess.list2cmdline).
_QUOTED = re.compile(r'[^%"\n&|<>^]*|(?=.*[ \t])[^%"\n]*')
#: How JSON begins, and what is printed for a value that is not there (az and jq; aws with --output text).
_DOCUMENT, _NOTHING = ("{", "[", '"'), ("null", "None")
_BATCH = (".cmd", ".bat")


def ask(row: Row, call: Call, invocation: Invocation, here: Here) -> Reply:
    """Run a command for a ``get_password`` or ``get_credential``; what it prints is the answer.

    `invocation` has all but the arguments. ToolError: it is not found, fails, takes too long, or prints no credential.
    """
    registry = hints.registry_of(call.service)
    username = call.username or (registry.username if registry else _TOKEN_NAME)
    known = {"{service}": call.service, "{host}": hints.host_of(call.service), "{username}": username}
    put_in = [str(known[word]) for word in row.words if word in known]
    program = _program(row.words[0], here)
    name = invocation.name
    if program is None:
        why = "its program is missing on PATH, or lies where others decide what it is"
        raise NotAskedError(f"{name} is not found: {why}")
    batch = program.lower().endswith(_BATCH)
    if (batch and not all(map(_PLAIN.fullmatch, put_in))) or any(word.startswith("-") for word in put_in):
        raise NotAskedError(f"{name} is not asked: the service or the user name would be read as something else")
    if batch and not all(map(_QUOTED.fullmatch, row.words[1:])):
        raise NotAskedError(f"{name} is not asked: it is a batch file, and cmd.exe would take apart a word of its row")
    arguments = (program, *(str(known.get(word, word)) for word in row.words[1:]))
    waiting = Waiting(waiting_for(name, invocation.seconds))
    try:
        status, output = finished(invocation._replace(arguments=arguments), waiting, certain=True)
    finally:
        waiting.end()
    if status:
        raise ToolError(f"{name} {ended(status)}; run it by itself to see why")
    found = _read(output.strip("\r\n"), username)
    if found is None and output.strip():
        raise ToolError(f"{name} printed something else than a password in one word, or a JSON object with one")
    if found is None or call.method == "get_password":
        return Reply(found and str(found[1]), name)
    return Reply(credential(found[0], str(found[1])), name)


def _read(output: str, username: str) -> tuple[str, Hidden] | None:
    """Return the user name and the password that a command has printed, or None."""
    try:
        said = json.loads(output) if output.startswith(_DOCUMENT) else output
        if not isinstance(said, str):
            name, password = said.get("username") or username, said["password"]
            real = isinstance(name, str) and isinstance(password, str) and password
            return (name, Hidden(password)) if real else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    # az has it in quotes without --output tsv
    one_word = said not in ("", *_NOTHING) and said.isprintable() and not (set(said) & set(" <"))
    return (username, Hidden(said)) if one_word else None


def _program(word: str, here: Here, depth: int = 4) -> str | None:
    """Return a command's program: absolute, or first on PATH; nobody else can have put it or its interpreter there.

    That may be what ``/usr/bin/env`` finds on PATH, a script again, at most `depth` times (Linux, exec.c: five).
    """
    trust = Trust(here)
    for path in filter(os.path.isabs, executable.programs(word, here._replace(cwd=""), ends=(".exe", *_BATCH))):
        try:
            by, named = executable.what_runs_script(os.path.realpath(path))
        except OSError:
            by = named = ""  # no script: its interpreter would have to read it
        decides = [path, *filter(os.path.isabs, [by])]
        if any(trust.others(decides)) or (not os.path.isabs(word) and any(map(trust.project, decides))):
            continue
        if not named or (depth and _program(named, here, depth - 1)):
            return path
    return None
