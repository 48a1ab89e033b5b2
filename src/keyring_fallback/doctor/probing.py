"""Runs the probe in an environment and reads what it says, whatever becomes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .. import survey
from ..delegation.environ import child_environ
from ..delegation.process import Process, ReplyTooLargeError, ended
from ..delegation.scripts import script
from ..delegation.waiting import Waiting
from ..discovery import environment, wsl
from ..discovery.tool import Content, Tool

#: Seconds that the probe of a tool may take: it makes no lookup.
TOOL_SECONDS = 30.0


class Probe(NamedTuple):
    """What `helper.probe` says of an environment."""

    version: str = ""  #: Of its Python, or "" if that does not start.
    content: Content = Content()  #: What it holds: of a tool that tells nothing, what discovery has read.
    error: str = ""  #: Why its Python does not start or is not heard of, or "".
    broken: str = ""  #: Why its keyring cannot be used, or "".
    missing: str | None = None  #: The module that it is for want of, or None.
    unimportable: bool = False  #: Whether it is since a module cannot be imported, missing or not.
    selected: str = ""  #: The backend that is used, or "".
    backends: Sequence[dict[str, Any]] = ()  #: ``name`` and ``priority`` of all, in the order in which they are asked.
    #: The calls that were made: ``method``, ``outcome`` ("answer", "nothing", "failed", "unfinished"),
    #: ``milliseconds``, ``username`` of the answer, ``length`` of the password, ``error``, ``service`` (the number of
    #: the question), and in order who was ``asked``: ``who`` (a backend, or the location of a tool), ``kind``
    #: ("backend", "tool"), ``outcome``, ``milliseconds``, ``answered_by`` (the tool's backend), ``errors``.
    lookups: Sequence[dict[str, Any]] = ()

    def lacks(self, selected: str) -> bool:
        """Tell whether its keyring lacks the backend that is selected, and not a part of its own."""
        if self.missing:
            return self.missing != "keyring" and f"{selected}.".startswith(f"{self.missing}.")
        return bool(self.broken) and not self.unimportable


def request(questions: Sequence[tuple[str, str | None, bool]]) -> dict[str, Any]:
    """Return what asks the probe for lookups: the arguments of `lookup.look_up`."""
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return {"module": f"{__package__}.lookup", "folder": folder, "arguments": questions}


def of_tool(tool: Tool, now: survey.Survey) -> Probe:
    """Return what a tool's keyring is like."""
    if not tool.interpreter:
        return Probe(content=tool.content)
    environ = child_environ(now, tool)
    arguments = [tool.interpreter, *(["-I"] if tool.isolated else [])]
    selected = {"selected": now.here.environ.get("PYTHON_KEYRING_BACKEND")}
    probe = run(arguments, environ, selected, TOOL_SECONDS, f"{tool.name} to start")
    return probe if probe.version else probe._replace(content=tool.content)


class _Waiting(Waiting):
    """Keeps what a probe says; from the moment a tool is asked, who waits for whom is said by those who ask it."""

    errors = rest = b""
    known: Mapping[str, Any] = {}

    def read(self, data: bytes) -> bool:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            try:
                said = json.loads(line)
            except (ValueError, RecursionError):
                continue
            # others may have printed before the probe took its descriptors
            if isinstance(said, dict) and said.keys() >= {"version", "path", "lookups"}:
                self.known = said
        return False

    def heard(self, data: bytes) -> None:
        self.errors = (self.errors + data)[-8192:]

    def pause(self) -> float:
        asked = (one for lookup in self.known.get("lookups", ()) for one in lookup["asked"])
        return 1.0 if any(one["kind"] == "tool" for one in asked) else super().pause()


def run(
    arguments: Sequence[str], environ: Mapping[str, str], request: dict[str, Any], seconds: float, whom: str
) -> Probe:
    """Run the probe and read what it says, whatever becomes of it; the stderr of a lookup is for the person to see."""
    waiting = _Waiting(f"keyring-fallback: waiting for {whom}; Ctrl-C stops it")
    try:
        probe = script("probe", shared=not wsl.is_windows(arguments[0]))
        process = Process([*arguments, *probe.arguments], environ, listen="module" not in request)
    except (OSError, ValueError) as reason:
        return Probe(error=f"it cannot be started ({getattr(reason, 'strerror', None) or type(reason).__name__})")
    try:
        process.send(probe.first + json.dumps(request).encode("ascii"), end=True)
        process.collect(waiting.read, seconds, waiting)
        status = process.wait(1.0)
        error = "it closed its output, and has not ended" if status is None else f"it {ended(status)}"
        last = " ".join(waiting.errors.decode("utf-8", "replace").splitlines()[-1:]).strip()
        error += f" ({last})" if last else ""
    except (TimeoutError, ReplyTooLargeError):
        error = f"it gave no answer within {seconds:g} seconds"
    finally:
        waiting.end()
        process.kill()
    known = dict(waiting.known)
    content = environment.read_path(map(wsl.seen, known.pop("path", ())))
    return Probe(content=content, error="" if known.pop("end", False) else error, **known)
