"""Gathers what decides whether lookups are answered, as data: `causes` says what is wrong, `report` shows it."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from .. import hints, survey
from ..discovery import environment, search, trust
from ..discovery.tool import Tool
from ..here import Here
from . import clients, cures, probing, surroundings
from .probing import Probe
from .shell import Cure
from .shown import HIDDEN
from .told import MASK, UV, Index, Told, numbers, uv_files

#: Seconds that this environment's keyring may take for a lookup, beside the time limit of each tool.
LOCAL_SECONDS = 60.0


class Facts(NamedTuple):
    """All that was found."""

    survey: survey.Survey  #: What is in force; `survey.findings` also where we are switched off.
    in_use: Here  #: The environment whose pip is asked, see `surroundings.Around`.
    me: Probe  #: What keyring is like in this environment.
    #: The tools, and what it is like there; nothing is known where the interpreter cannot be told.
    tools: Sequence[tuple[Tool, Probe]]
    uv_keyring: clients.Keyring | None  #: The ``keyring`` that uv runs from here.
    pip_keyring: clients.Keyring | None  #: The one that pip runs from here in its ``subprocess`` mode.
    others: Mapping[str, clients.Keyring]  #: The keyrings of what is in `clients.OTHERS` and on PATH, by its name.
    told: Sequence[Told]  #: What uv, pip and poetry say that they would do.
    #: What they prefer to keyring, where there is such: for which URL, and the place of that.
    preferred: Sequence[tuple[str, str]]
    service: str | None  #: What was looked up, or None: then `each` has all that was.
    username: str | None  #: For whom, or None.
    #: The user names that may be tokens and are not shown: those of indexes, and in a URL without a password.
    hidden: Collection[str] = ()
    outside: bool = False  #: Whether it is asked from an environment made for us alone, see `surroundings.Around`.
    elsewhere: bool = False  #: Whether another keyring was asked: that of the one client that is told of it.
    mute: bool = False  #: Whether the keyring that uv runs, of which nothing can be told, was asked and has no answer.
    due: bool = True  #: Whether there has to be an answer: what is looked up is no public index.
    each: Sequence[Facts] = ()  #: The same for each index that a keyring is to be asked for.

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
    def shown_username(self) -> str | None:
        """The user name that was looked up, or None where there is none, or it is not shown: for commands."""
        return self.username if self.username in self.names else None

    @property
    def here(self) -> Here:
        """This environment."""
        return self.survey.here

    def client(self, name: str) -> Told | None:
        """Return what a client says that it would do, or None if there is no such client here."""
        return next((one for one in self.told if one.client == name), None)

    @property
    def imports(self) -> bool:
        """Whether pip's own environment has the keyring that is looked at: otherwise it can only run one."""
        return self.in_use.prefix == self.here.prefix

    @property
    def indexes(self) -> list[Index]:
        """The indexes that uv is told of."""
        return list(dict.fromkeys(index for one in self.told if one.client in UV for index in one.indexes))

    def everywhere(self, without: Collection[str] = ()) -> list[str]:
        """Return the URLs of those that uv is told of wherever it is run: by variables, and by no project's file.

        `without` are variables and files that it is not to heed; where that is a file, it heeds none.
        """
        files = [] if any(map(cures.is_file, without)) else [path for origin, path in uv_files(self.here) if origin]
        own = {*files, *self.here.environ} - {*without}
        return [index.url for index in self.indexes if index.source in own]

    def runs(self, pip: Told) -> bool:
        """Tell whether pip runs the keyring on PATH: it is told to, or can import none (26.3, network/auth.py)."""
        return pip.provider == "subprocess" or (pip.provider == "auto" and not self.imports)

    def asks_for_credentials(self, pip: Told) -> bool:
        """Tell whether pip asks for them, with a user name or without: if it runs a keyring, since 26.2 (NEWS.rst)."""
        return not self.runs(pip) or numbers(pip.program) >= (26, 2)

    @property
    def lacks_us(self) -> bool:
        """Whether it is asked from outside about an environment that lacks us."""
        return self.outside and not clients.has_us(self.here.sys_path)

    @property
    def alone(self) -> bool:
        """Whether it is asked about an environment that was made for us alone."""
        return self.outside and self.here.prefix == sys.prefix

    @property
    def lookup(self) -> dict[str, Any]:
        """The call of those that a client would have made which had an answer, or the first; empty if none was made."""
        made = [one for one in self.me.lookups if one["method"] == self.me.lookups[0]["method"]]
        return next((one for one in made if one["outcome"] == "answer"), made[0] if made else {})

    @property
    def answered(self) -> bool:
        """Whether that call had an answer; an empty password is none."""
        return self.lookup.get("outcome") == "answer" and bool(self.lookup["length"])

    @property
    def commanded(self) -> bool:
        """Whether a command of the user's was asked for it."""
        return any(one["kind"] == "command" for one in self.lookup.get("asked", ()))

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

    def install(self, root: str, requirement: str, *, again: bool = False) -> tuple[Cure, str]:
        """Return what installs something into an environment, and what else to do; arguments as for `cures.install`."""
        return cures.install(root, requirement, self.able[0] if self.able else None, self.here, again=again)


def examine(service: str | None = None, username: str | None = None) -> Facts:
    """Return what there is, and what a lookup, if any, comes to; processes are started for it.

    It is looked up as a client would ask for it; a user name in a URL counts, too.
    """
    here, in_use, outside = surroundings.around()
    of_pip = [*clients.pip(in_use)]
    if here != in_use and any(one.indexes for one in of_pip) and environment.read_path(in_use.sys_path).keyring:
        here, outside = in_use, True
    now = survey.make(here)
    now = now._replace(findings=search.find(here, now.settings.tool))
    told = [*clients.uv(here), *of_pip, *clients.poetry(here)]
    asked = _questions(told, here) if service is None else _question(service, username, told, here)
    names = {asked.secret, *(index.username for one in told for index in one.indexes)}
    uv = next((one.program for one in told if one.client == "uv"), "")
    facts = Facts(
        survey=now,
        in_use=in_use,
        me=Probe(),
        tools=[(tool, probing.of_tool(tool, now)) for tool in now.findings.tools],
        uv_keyring=clients.on_path(here, client=uv),
        pip_keyring=clients.on_path(here, clients.scripts(in_use)),
        others={name: one for name in clients.OTHERS if (one := clients.on_path(here, name=name))},
        told=told,
        preferred=asked.preferred,
        service=None,
        username=None,
        hidden=sorted(filter(None, names - {username, *(one.username for one in hints.REGISTRIES)})),
        outside=outside,
    )
    me, views = _looked_up(facts, asked.questions)
    if service is not None:
        return views[0]
    each = [one._replace(preferred=()) for one in views]
    return facts._replace(me=me, each=each, elsewhere=bool(each) and all(one.elsewhere for one in each))


class _Asked(NamedTuple):
    """What is to be looked up."""

    #: Each service with the user name, or None, and whether there has to be an answer.
    questions: Mapping[tuple[str, str | None], bool]
    preferred: Sequence[tuple[str, str]]  #: As in `Facts`.
    secret: str = ""  #: A user name that may be a token, or "".


def _question(service: str, username: str | None, told: Sequence[Told], here: Here) -> _Asked:
    """Return what was named, as the clients ask for it that are told of it."""
    service, username, secret = _without_user(service, username)
    there: list[tuple[Told, Index | None]] = []
    there += [(one, index) for one in told for index in one.indexes if index.is_at(service)]
    found = [index for _, index in there if index]
    urls = [index.url for index in found if index.url.rstrip("/") == service.rstrip("/")]
    service = service if service in urls else next(iter(urls), service)  # a client asks for what it is told
    named = (index.username for index in found if index.username not in (None, MASK))
    username = username or next(named, None)  # which may be a token, as one in a URL may
    preferred: dict[tuple[str, str], None] = {}
    for client, index in there or [(one, None) for one in told]:
        places = clients.preferred(client, service, index, username, here)
        preferred.update(((service, place), None) for place in places)
    return _Asked({(service, username): True}, [*preferred], secret)


def _questions(told: Sequence[Told], here: Here) -> _Asked:
    """Return each index that a keyring is to be asked for."""
    preferred: dict[tuple[str, str], None] = {}
    questions: dict[tuple[str, str | None], bool] = {}
    for client, index in ((one, index) for one in told for index in one.indexes):
        places = clients.preferred(client, index.url, index, index.username, here)
        preferred.update(((index.url, place), None) for place in places)
        if not (places or index.public):
            questions[index.url, index.username if index.username != MASK else None] = index.public is False
    return _Asked(questions, [*preferred])


def _looked_up(facts: Facts, questions: Mapping[tuple[str, str | None], bool]) -> tuple[Probe, list[Facts]]:
    """Return what keyring is like in this environment, and the facts with what each lookup came to."""
    here, settings = facts.here, facts.survey.settings
    whom = " and ".join(repr(hints.shown(one)) for one, _ in questions)
    whom = f"the keyring of this environment to {f'answer for {whom}' if whom else 'start'}"
    seconds = LOCAL_SECONDS + 2 * settings.timeout * max(1, len(facts.tools)) * max(1, len(questions))
    hows = {question: _how(question[0], facts) for question in questions}
    programs = dict.fromkeys([here.executable, *(program for program, _ in hows.values())])
    groups = {program: [one for one in questions if hows[one][0] == program] for program in programs}
    probes = {}
    for program, asked in groups.items():
        request = probing.request([(*one, hows[one][1]) for one in asked])
        probes[program] = probing.run([program], here.environ, request, seconds, whom)
    me, views = probes[here.executable]._replace(lookups=()), []
    for (url, user), due in questions.items():
        program, _ = hows[url, user]
        probe, number = probes[program], groups[program].index((url, user))
        mine = [one for one in probe.lookups if one["service"] == number]
        # what never answered is said of one only
        ended = probe.lookups and probe.lookups[-1] not in mine
        view = facts._replace(
            me=me._replace(lookups=mine, error="" if ended else probe.error),
            service=url,
            username=user,
            elsewhere=program != here.executable,
            due=due,
        )
        mute = view.answered and clients.is_mute(facts.uv_keyring, url, user, here)
        views.append(view._replace(mute=mute))
    return me, views


def _how(service: str, facts: Facts) -> tuple[str, bool]:
    """Return the interpreter whose keyring is asked, and whether for credentials also where there is a user name.

    Where one client alone is told of it, it asks poetry's own that has us, or where we are not, what pip runs.
    """
    told = [one for one in facts.told if any(index.is_at(service) for index in one.indexes)]
    client, program = told[0] if len(told) == 1 else Told("", ""), facts.here.executable
    poetry, run = facts.others.get("poetry"), facts.pip_keyring
    if client.client == "poetry" and poetry and poetry.ours and os.path.isdir(poetry.root):
        program = environment.interpreter(poetry.root, facts.here.platform)
    elif client.client == "pip" and facts.lacks_us and facts.runs(client) and run:
        # the lookup needs a newer Python than a tool does
        known = {trust.identity(tool.root): tool for tool, probe in facts.tools if probe.version[:4] != "3.8."}
        tool = known.get(trust.identity(run.root))
        program = tool.interpreter if tool and tool.root else program
    return program, client.client == "pip" and facts.asks_for_credentials(client)


def _without_user(service: str, username: str | None) -> tuple[str, str | None, str]:
    """Return a URL without user name, as uv and pip ask, the name to ask for, and that again, or "" to show it."""
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
