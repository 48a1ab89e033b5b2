"""Runs the probe in this environment and in the tools, and reads what it says."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .. import hints, survey
from ..discovery import Here, Tool
from ..process import Process
from ..waiting import Waiting

_PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_probe.py")
#: Seconds that the probe of a tool may take: it makes no lookup.
TOOL_SECONDS = 30.0
#: Seconds that this environment's keyring may take for a lookup, beside the time limit of each tool.
LOCAL_SECONDS = 60.0
_DROPPED = ("PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__")


class Asked(NamedTuple):
    """One that was asked in a lookup.

    Attributes:
        who: A backend of this environment, or the root or path of a tool.
        kind: "backend" or "tool".
        outcome: "answer", "nothing", "failed", or "unfinished".
        milliseconds: How long it took.
        answered_by: The backend of the tool that had the answer, or "".
        errors: What failed, one line each.
    """

    who: str
    kind: str
    outcome: str
    milliseconds: int = 0
    answered_by: str = ""
    errors: tuple[str, ...] = ()


class Lookup(NamedTuple):
    """One call of keyring's.

    Attributes:
        method: The method.
        outcome: "answer", "nothing", "failed", or "unfinished".
        milliseconds: How long it took.
        username: The user name of the answer, or None.
        length: The number of characters of the password.
        error: What it raised, or "".
        asked: Who was asked, in order.
    """

    method: str
    outcome: str
    milliseconds: int = 0
    username: str | None = None
    length: int = 0
    error: str = ""
    asked: tuple[Asked, ...] = ()


class Probe(NamedTuple):
    """What the probe said of an environment.

    Attributes:
        version: Of its Python, or "" if that does not start.
        keyring: The version of keyring, or "".
        providers: Its providers: ``distribution``, ``version`` and ``value`` of each.
        error: Why its Python does not start or is not heard of, or "".
        broken: Why its keyring cannot be used, or "".
        selected: The backend that is used, or "".
        backends: ``name`` and ``priority`` of all, in the order in which they are asked.
        lookups: The calls that were made.
    """

    version: str = ""
    keyring: str = ""
    providers: tuple[dict[str, str], ...] = ()
    error: str = ""
    broken: str = ""
    selected: str = ""
    backends: tuple[dict[str, Any], ...] = ()
    lookups: tuple[Lookup, ...] = ()


class _Wait(NamedTuple):
    """How long the probe may take, what to say if that is long, and whether its stderr is for the person to see."""

    seconds: float
    line: str
    seen: bool


def this_environment(now: survey.Survey, tools: int, service: str | None, username: str | None) -> Probe:
    """Return what keyring is like here, and what a lookup comes to.

    Args:
        now: What is in force.
        tools: How many tools may be asked.
        service: What to look up, or None.
        username: For whom, or None.
    """
    asked = f"to answer for {hints.shown(service)!r}" if service is not None else "to start"
    line = f"keyring-fallback: waiting for the keyring of this environment {asked}; Ctrl-C stops it"
    request = {"backends": True, "service": service, "username": username}
    seconds = LOCAL_SECONDS + 2 * now.settings.timeout * max(1, tools)
    return _run([now.here.executable], now.here.environ, request, _Wait(seconds, line, seen=True))


def tool(here: Here, tool: Tool) -> Probe:
    """Return what keyring is like in a tool; nothing is known of one whose interpreter cannot be told."""
    if not tool.interpreter:
        return Probe()
    environ = {name: value for name, value in here.environ.items() if name not in _DROPPED}
    environ[survey.NESTED] = "1"
    arguments = [tool.interpreter, "-I"] if tool.isolated else [tool.interpreter]
    line = f"keyring-fallback: waiting for the global keyring {tool.root or tool.path} to start; Ctrl-C stops it"
    request = {"backends": False, "service": None, "username": None}
    return _run(arguments, environ, request, _Wait(TOOL_SECONDS, line, seen=False))


def _run(arguments: Sequence[str], environ: Mapping[str, str], request: dict[str, Any], wait: _Wait) -> Probe:
    """Run the probe and read what it says, whatever becomes of it."""
    try:
        process = Process([*arguments, _PROBE], dict(environ), listen=not wait.seen)
    except (OSError, ValueError) as error:
        return Probe(error=f"it cannot be started ({getattr(error, 'strerror', None) or type(error).__name__})")
    waiting = Waiting(wait.line)
    try:
        process.send(json.dumps(request).encode("ascii"), end=True)
        output, errors, complete = _listen(process, time.monotonic() + wait.seconds, waiting)
        status = process.wait(1.0)
    finally:
        waiting.end()
        process.kill()
    probe = _read(output)
    if complete and b'"event": "end"' in output:
        return probe
    if not complete:
        return probe._replace(error=f"it gave no answer within {wait.seconds:g} seconds")
    last = " ".join(errors.decode("utf-8", "replace").splitlines()[-1:]).strip()
    how = f"was killed by signal {-status}" if status and status < 0 else f"ended with exit status {status}"
    return probe._replace(error=f"it {how} ({last})" if last else f"it {how}")


def _listen(process: Process, deadline: float, waiting: Waiting) -> tuple[bytes, bytes, bool]:
    """Return what a program says on stdout and stderr, and whether it came to its end."""
    output = errors = b""
    elsewhere = False
    while time.monotonic() < deadline:
        # from the moment a tool is asked, who waits for whom is said by those who ask it
        elsewhere = elsewhere or b'"event": "asking", "kind": "tool"' in output
        heard = process.hear(min(deadline - time.monotonic(), 1.0 if elsewhere else waiting.pause()))
        if heard is None:
            continue
        if heard.where == "stderr":
            errors = (errors + heard.data)[-8192:]
        elif heard.data:
            output += heard.data
        else:
            return output, errors, True
    return output, errors, False


def _read(output: bytes) -> Probe:
    """Return what the probe's events say."""
    probe = Probe()
    lookups: list[Lookup] = []
    asked: list[Asked] = []
    unfinished: Lookup | None = None
    for line in output.splitlines():
        event = _event(line)
        kind = event.pop("event", "")
        if kind == "python":
            providers = tuple(event["providers"])
            probe = probe._replace(version=event["version"], keyring=event["keyring"], providers=providers)
        elif kind == "broken":
            probe = probe._replace(broken=event["error"])
        elif kind == "backends":
            probe = probe._replace(selected=event["selected"], backends=tuple(event["backends"]))
        elif kind == "asking":
            unfinished = Lookup(
                event["method"], "unfinished", asked=(Asked(event["who"], event["kind"], "unfinished"),)
            )
        elif kind == "asked":
            asked.append(Asked(**{**event, "errors": tuple(event["errors"])}))
        elif kind == "result":
            lookups.append(Lookup(**event, asked=tuple(asked)))
            asked, unfinished = [], None
    return probe._replace(lookups=tuple(lookups + ([unfinished] if unfinished else [])))


def _event(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:  # cut off, or printed before the probe took its descriptors
        return {}
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else {}
