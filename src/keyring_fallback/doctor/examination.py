"""Gathers what decides whether lookups are answered, as data: `causes` says what is wrong, `report` shows it."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from .. import hints, survey
from ..delegation.environ import child_environ
from ..delegation.process import Process, ReplyTooLargeError
from ..delegation.scripts import script
from ..delegation.waiting import Waiting
from ..discovery import environment, layout, search, trust, wsl
from ..discovery.tool import Content, Tool
from ..here import Here
from ..hidden import Variables
from . import clients, cures, shell
from .shown import HIDDEN
from .told import MASK, UV, Index, Told

#: Seconds that the probe of a tool may take: it makes no lookup.
TOOL_SECONDS = 30.0
#: Seconds that this environment's keyring may take for a lookup, beside the time limit of each tool.
LOCAL_SECONDS = 60.0


class Cause(NamedTuple):
    """Something that is wrong, and what mends it.

    Attributes:
        name: Its name, which stays the same.
        text: What is wrong, in whole sentences.
        cure: What mends it, as data, or None.
        advice: What to know of that, or to do besides or instead, or "".
        problem: Whether it keeps lookups from being answered; otherwise it is worth a note.
    """

    name: str
    text: str
    cure: shell.Cure = None
    advice: str = ""
    problem: bool = True

    def command(self, platform: str) -> str:
        """Return what is typed to mend it, or ""; the platform as `sys.platform` names it."""
        return "" if isinstance(self.cure, shell.Edit) else shell.typed(self.cure, platform)

    def words(self, platform: str) -> str:
        """Return what is said besides, or ""; the platform as `sys.platform` names it."""
        said = shell.described(self.cure) if isinstance(self.cure, shell.Edit) else ""
        said = shell.lasting(self.cure, platform) if isinstance(self.cure, shell.Variable) else said
        return "; ".join(filter(None, (said, self.advice)))


class Probe(NamedTuple):
    """What `helper.probe` says of an environment.

    Attributes:
        version: Of its Python, or "" if that does not start.
        content: What it holds: of a tool that tells nothing, what discovery has read.
        error: Why its Python does not start or is not heard of, or "".
        broken: Why its keyring cannot be used, or "".
        missing: The module that it is for want of, or None.
        unimportable: Whether it is since a module cannot be imported, missing or not.
        selected: The backend that is used, or "".
        backends: ``name`` and ``priority`` of all, in the order in which they are asked.
        lookups: The calls that were made: ``method``, ``outcome`` ("answer", "nothing", "failed", "unfinished"),
            ``milliseconds``, ``username`` of the answer, ``length`` of the password, ``error``, ``service`` (the number
            of the question), and in order who was ``asked``: ``who`` (a backend, or the location of a tool), ``kind``
            ("backend", "tool"), ``outcome``, ``milliseconds``, ``answered_by`` (the tool's backend), ``errors``.
    """

    version: str = ""
    content: Content = Content()
    error: str = ""
    broken: str = ""
    missing: str | None = None
    unimportable: bool = False
    selected: str = ""
    backends: Sequence[dict[str, Any]] = ()
    lookups: Sequence[dict[str, Any]] = ()

    def lacks(self, selected: str) -> bool:
        """Tell whether its keyring lacks the backend that is selected, and not a part of its own."""
        if self.missing:
            return self.missing != "keyring" and f"{selected}.".startswith(f"{self.missing}.")
        return bool(self.broken) and not self.unimportable


class Facts(NamedTuple):
    """All that was found.

    Attributes:
        survey: What is in force; `survey.findings` also where we are switched off.
        me: What keyring is like in this environment.
        tools: The tools, and what it is like there; nothing is known where the interpreter cannot be told.
        uv_keyring: The ``keyring`` that uv runs from here.
        pip_keyring: The one that pip runs from here in its ``subprocess`` mode.
        others: The keyrings of what is in `clients.OTHERS` and on PATH, by its name.
        told: What uv, pip and poetry say that they would do.
        preferred: What they prefer to keyring, where there is such: for which URL, and the place of that.
        service: What was looked up, or None: then `each` has all that was.
        username: For whom, or None.
        hidden: The user names that may be tokens and are not shown: those of indexes, and in a URL without a password.
        outside: Whether it is asked from a place of ``uvx``'s, which `here` is only where there is no other one.
        due: Whether there has to be an answer: what is looked up is no public index.
        each: The same for each index that a keyring is to be asked for.
    """

    survey: survey.Survey
    me: Probe
    tools: Sequence[tuple[Tool, Probe]]
    uv_keyring: clients.Keyring | None
    pip_keyring: clients.Keyring | None
    others: Mapping[str, clients.Keyring]
    told: Sequence[Told]
    preferred: Sequence[tuple[str, str]]
    service: str | None
    username: str | None
    hidden: Collection[str] = ()
    outside: bool = False
    due: bool = True
    each: Sequence[Facts] = ()

    @property
    def views(self) -> Sequence[Facts]:
        """What each lookup is seen with: these facts where something was named, or none is there to be looked up."""
        return self.each or [self]

    @property
    def names(self) -> set[str]:
        """The user names that may be shown: the registries' own, the one that was asked for, those of answers."""
        answered = (lookup["username"] for one in self.views for lookup in one.me.lookups)
        names = {*(one.username for one in hints.REGISTRIES), *filter(None, (self.username, *answered))}
        return names - {*self.hidden}

    def name(self, username: str | None) -> str:
        """Return a user name as it is shown."""
        return HIDDEN if username and username not in self.names else username or ""

    @property
    def here(self) -> Here:
        """This environment."""
        return self.survey.here

    def client(self, name: str) -> Told | None:
        """Return what a client says that it would do, or None if there is no such client here."""
        return next((one for one in self.told if one.client == name), None)

    @property
    def indexes(self) -> list[Index]:
        """The indexes that uv is told of."""
        return list(dict.fromkeys(index for one in self.told if one.client in UV for index in one.indexes))

    @property
    def lookup(self) -> dict[str, Any]:
        """The call of those that a client would have made which had an answer, or the first; empty if none was made."""
        made = [one for one in self.me.lookups if one["method"] == self.me.lookups[0]["method"]]
        return next((one for one in made if one["outcome"] == "answer"), made[0] if made else {})

    @property
    def answered(self) -> bool:
        """Whether that call had an answer."""
        return self.lookup.get("outcome") == "answer"

    def stopped(self, probe: Probe) -> str:
        """Return why a tool does not start, or why its keyring does not for want of a part of its own, or ""."""
        selected = "selected" in self.survey.settings.sources and probe.lacks(self.survey.settings.selected)
        return probe.error or ("" if selected or not probe.broken else f"its keyring cannot be used: {probe.broken}")

    @property
    def able(self) -> list[Tool]:
        """The tools that have a provider, or may have one: those whose interpreter cannot be told."""
        return [
            tool
            for tool, probe in self.tools
            if not probe.error and (probe.content.providers or not (tool.interpreter or tool.known))
        ]

    def install(self, root: str, requirement: str, *, again: bool = False) -> tuple[shell.Cure, str]:
        """Return what installs something into an environment, and what else to do; arguments as for `cures.install`."""
        return cures.install(root, requirement, self.able[0] if self.able else None, self.here, again=again)


def examine(service: str | None = None, username: str | None = None) -> Facts:
    """Return what there is, and what a lookup comes to; processes are started for it.

    Args:
        service: What to look up, as a client would ask for it, or None.
        username: The user name to look it up for, or None. One in a URL counts, too.
    """
    here, outside = _surroundings()
    now = survey.make(here)
    now = now._replace(findings=search.find(here, now.settings.tool))
    told = [*clients.uv(here), *clients.pip(here), *clients.poetry(here)]
    indexes = [index for one in told for index in one.indexes]
    given, secret = username, ""
    preferred, questions = [], {}
    if service is not None:
        service, username, secret = _without_user(service, username)
        indexes_there = [one for one in indexes if one.is_at(service)]
        named = (one.username for one in indexes_there if one.username not in (None, MASK))
        username = username or next(named, None)  # which may be a token, as one in a URL may
        preferred = [(service, one.password) for one in indexes_there if one.password]
        preferred += [(service, place) for place in clients.credentials(here, hints.host_of(service))]
        questions[service, username] = True
    for index in indexes if service is None else ():
        places = [index.password] if index.password else clients.credentials(here, hints.host_of(index.url))
        preferred += [(index.url, place) for place in places]
        if not (places or index.public):
            questions[index.url, index.username if index.username != MASK else None] = index.public is False
    whom = " and ".join(repr(hints.shown(one)) for one, _ in questions)
    whom = f"the keyring of this environment to {f'answer for {whom}' if whom else 'start'}"
    uv = next((one.program for one in told if one.client == "uv"), "")
    seconds = LOCAL_SECONDS + 2 * now.settings.timeout * max(1, len(now.findings.tools)) * max(1, len(questions))
    me = _probe([here.executable], here.environ, _lookup(list(questions)), seconds, whom)
    names = {secret, *(one.username for one in indexes)} - {given, *(one.username for one in hints.REGISTRIES)}
    facts = Facts(
        survey=now,
        me=me if service is not None else me._replace(lookups=()),
        tools=[(tool, _probe_of(tool, now)) for tool in now.findings.tools],
        uv_keyring=clients.on_path(here, client=uv),
        pip_keyring=clients.on_path(here, clients.scripts(here)),
        others={name: one for name in clients.OTHERS if (one := clients.on_path(here, name=name))},
        told=told,
        preferred=list(dict.fromkeys(preferred)),
        service=service,
        username=username,
        hidden=sorted(filter(None, names)),
        outside=outside,
    )
    if service is not None:
        return facts
    each = []
    for number, ((url, name), due) in enumerate(questions.items()):
        mine = [one for one in me.lookups if one["service"] == number]
        # what never answered is said of one only
        ended = me.lookups and me.lookups[-1] not in mine
        view = me._replace(lookups=mine, error="" if ended else me.error)
        each.append(facts._replace(me=view, preferred=(), service=url, username=name, due=due))
    return facts._replace(each=each)


def _surroundings() -> tuple[Here, bool]:
    """Return this environment, or if ``uvx`` made it for us the active or the project's one, and whether it did."""
    here = survey.here()
    if not trust.is_cached(here.prefix):
        return here, False
    # uvx puts its environment first on PATH: that is not where the person's uv looks
    ours = trust.identity(clients.scripts(here))
    entries = here.environ.get("PATH", "").split(os.pathsep)
    path = os.pathsep.join(one for one in entries if not one or trust.identity(one) != ours)
    here = here._replace(environ=Variables({**here.environ, "PATH": path}))
    name = here.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv"
    folders = filter(None, (here.cwd, trust.project_root(here.cwd, here.home)))
    active = filter(None, map(here.environ.get, ("VIRTUAL_ENV", "CONDA_PREFIX")))
    for root in (*active, *(os.path.join(folder, name) for folder in folders)):
        if os.path.isabs(root) and environment.is_environment(root) and not cures.doubt(root, here):
            program = environment.interpreter(root, here.platform)
            found = layout.site(root, program, here).folders
            return here._replace(prefix=root, virtual=True, executable=program, sys_path=found), True
    return here, True


def _without_user(service: str, username: str | None) -> tuple[str, str | None, str]:
    """Take the user name out of a URL, as uv and pip do before they ask; a password in it is not needed here.

    Returns:
        The URL, the user name to ask for, and that again, or "" where it may be shown.
    """
    try:
        parts = urlsplit(service)
        found = unquote(parts.username or "")
    except ValueError:
        return service, username, ""
    if "@" not in parts.netloc:
        return service, username, ""
    told = username or parts.password or found in (one.username for one in hints.REGISTRIES)
    service = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return service, username or found or None, "" if told else found


def _lookup(questions: Sequence[tuple[str, str | None]]) -> dict[str, Any]:
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return {"module": f"{__package__}.lookup", "folder": folder, "arguments": questions}


def _probe_of(tool: Tool, now: survey.Survey) -> Probe:
    if not tool.interpreter:
        return Probe(content=tool.content)
    environ = child_environ(now, tool)
    arguments = [tool.interpreter, *(["-I"] if tool.isolated else [])]
    request = {"selected": now.here.environ.get("PYTHON_KEYRING_BACKEND")}
    probe = _probe(arguments, environ, request, TOOL_SECONDS, f"{tool.name} to start")
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


def _probe(
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
        error = f"it was killed by signal {-status}" if status and status < 0 else f"it ended with exit status {status}"
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
