"""Names what is wrong with the global keyrings."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from collections.abc import Iterable, Iterator

from .. import hints
from ..discovery import environment, executable, places, trust
from ..discovery.places import PATH, UV
from ..discovery.tool import SETTING, Findings, Kind, Refusal, Tool
from ..here import Here
from . import cures, receipt
from .examination import Facts
from .shell import Cause, Command, Variable

#: How many files are looked at for whether they are open.
_MOST_BELOW = 20_000
_PROVIDERS = f"{cures.UNKNOWN} is " + ", ".join(f"{one.distribution} ({one.name})" for one in hints.REGISTRIES)


def find(facts: Facts) -> Iterator[Cause]:
    """Yield what is wrong with the global keyrings."""
    findings = facts.survey.findings
    if findings.at_home:
        if not facts.me.content.providers:
            yield from (_unusable(one, facts) for one in findings.refusals if one.origin == SETTING)
        return
    stopped = []
    for tool, probe in facts.tools:
        if reason := facts.stopped(probe):  # it does not start, or its keyring does not
            reason = f"{tool.interpreter}: {reason}" if probe.error else reason
            stopped.append(_broken(tool, tool.location, reason, facts))
        if tool.doubt:
            text = f"The keyring {tool.location} is used since the setting 'tool' names it, although {tool.doubt}."
            closing = _closed(tool.path, tool.doubt.decides, facts.here)
            yield Cause("untrusted", text, closing, "" if closing else "close that to others if you can", problem=False)
    yield from stopped
    # keyring's own backends may work there only, as files tell of a tool that somebody has made for that
    stores = any(tool.known and tool.own and tool.isolated for tool, _ in facts.tools)
    useful = stores or bool(facts.able)
    refusals = list(_refusals(facts, useful=useful))
    # beside a tool nothing is lost with a link to nothing
    lost = [one for one in refusals if not (one.kind is Kind.DEAD_LINK and facts.tools)]
    refused = [cause._replace(problem=not useful and one in lost) for one in refusals for cause in _refused(one, facts)]
    yield from refused
    # one that is to be mended may have a provider
    if facts.able or stopped or any(not one.kind.foreign for one in lost):
        return
    distribution, names = _missing(facts)
    command, advice = addition(facts, distribution)
    advice = "; ".join(filter(None, (advice, names)))
    problem = not (stores or facts.me.content.providers or facts.commanded)
    if not facts.tools:
        if not refused:
            text = f"There is no global keyring: none of uv, pipx and the others has installed one. {_searched(facts)}"
            yield Cause("no-tool", text, command, advice, problem)
    elif refused or names or not facts.lookup:  # otherwise it is said of the registry
        name = facts.tools[0][0].name
        text = f"{name[0].upper()}{name[1:]} has no provider."
        yield Cause("no-provider", text, command, advice, problem)


def addition(facts: Facts, distribution: str) -> tuple[Command | None, str]:
    """Return the command that adds a provider where it is missing, or None, and what else to do, or ""."""
    here, findings = facts.here, facts.survey.findings
    if findings.at_home:  # then it is missing in this environment
        root = here.prefix if environment.is_environment(here.prefix) else ""
        findings = Findings((Tool(SETTING, here.prefix, root, here.executable, facts.me.content),))
    windows = any(tool.windows for tool in findings.tools)  # nothing of Linux mends those
    closed = _closed_sources(facts, [distribution])
    command = None if windows else cures.provide(distribution, findings, here, facts.everywhere(closed))
    if command and command.words[:2] == ("uv", "tool") and any(_is_out_of_sight(tool, here) for tool in findings.tools):
        command = None
    where = " or ".join(tool.location for tool in findings.tools) or "the global keyring"
    if not command:
        return None, f"add {distribution} to {where}{' on Windows' * windows}, the way its keyring was installed"
    advice = [f"then 'pipx inject keyring {distribution}'"] if command.words[:2] == ("pipx", "install") else []
    if not cures.on_path(command.words[0], here) and command.words[0] in ("uv", "pipx"):
        advice = [f"there is no {command.words[0]} here: install it first (https://docs.astral.sh/uv/)"]
    if closed and command.words[0] == "uv":
        command = _passing(command, closed)
        advice.append(f"it passes over {' and '.join(closed)}: that index does not work yet")
    for tool in findings.tools:
        if command.words[:2] == ("uv", "pip") and receipt.is_there(tool.root):
            advice.append("uv forgets it at 'uv tool upgrade': then run it again")
    return command, "; ".join(dict.fromkeys(advice))


def _is_out_of_sight(tool: Tool, here: Here) -> bool:
    """Tell whether uv has installed a tool into another folder than it looks at now: it would make a second one."""
    uvs = [one.path for one in places.known(here.environ, here.home, here.platform) if one.origin == UV]
    folders = uvs[:1] if here.environ.get("UV_TOOL_DIR") else uvs
    seen = {os.path.realpath(os.path.dirname(one)) for one in folders}
    return receipt.is_there(tool.root) and os.path.realpath(os.path.dirname(tool.root)) not in seen


def _closed_sources(facts: Facts, distributions: Iterable[str]) -> list[str]:
    """Return where uv, which asks all indexes, is told of those that it has no password for before these answer."""
    providers = [*map(hints.normalised, distributions)]
    known = ((index.source, hints.registry_of(index.url)) for index in facts.indexes if not index.password)
    serving = (source for source, one in known if one and any(hints.serves(one, name) for name in providers))
    return [*dict.fromkeys(filter(None, serving))]


def _passing(command: Command, closed: Iterable[str]) -> Command:
    """Return a command of uv's that passes over what these variables and files say."""
    around = {Variable("UV_NO_CONFIG", "1") if cures.is_file(one) else Variable(one, "") for one in closed}
    return command._replace(variables=tuple(sorted(around)))


def _searched(facts: Facts) -> str:
    """Return where a global keyring was looked for."""
    here = facts.here
    if not os.path.isdir(here.home):
        return f"The home folder {here.home or '(none is set)'} is not there."
    known = dict.fromkeys(place.path for place in places.known(here.environ, here.home, here.platform))
    return f"It was looked for at {next(iter(known))}, at {len(known) - 1} other places, and on PATH."


def _missing(facts: Facts) -> tuple[str, str]:
    """Return the provider for what is looked up, and "", or where that is unknown which there are."""
    services = [index.url for index in facts.indexes] if facts.service is None else [facts.service]
    registry = next(filter(None, map(hints.registry_of, services)), None)
    return (registry.distribution, "") if registry else (cures.UNKNOWN, _PROVIDERS)


def _refusals(facts: Facts, *, useful: bool) -> Iterator[Refusal]:
    """Yield the candidates that are a loss: each once, although links and PATH lead to it again."""
    named: set[str] = set()
    for refusal in facts.survey.findings.refusals:
        # what lies in a project on PATH is nobody's loss where there is a tool
        named_by_user = refusal.origin == SETTING
        if (refusal.kind.harmless and not named_by_user) or (useful and refusal.kind.foreign):
            continue
        if not named_by_user and not os.path.lexists(refusal.path):
            continue  # on another machine, where discovery does not look
        location = os.path.realpath(executable.target(refusal.path, facts.here.platform).root or refusal.path)
        if named.isdisjoint([location, *trust.folders_above(location)]):
            named.add(location)
            yield refusal


def _refused(refusal: Refusal, facts: Facts) -> Iterator[Cause]:
    path, kind = refusal.path, refusal.kind
    # the keyrings of this environment and of the one that comes first on PATH are not meant to be global ones
    roots = (facts.here.prefix, facts.uv_keyring.root if facts.uv_keyring else "")
    known = tuple(os.path.join(root, "") for root in roots if root)
    if refusal.origin == SETTING:
        yield _unusable(refusal, facts)
    elif kind in (Kind.UNSEEN, Kind.UNSEEN_PART):
        text = f"The keyring {path} ({refusal.source}) is not used: {refusal.reason}, so it is somebody else's."
        distribution, names = _missing(facts)
        own = cures.provide(distribution, Findings(), facts.here)
        yield Cause("untrusted", text, own, "; ".join(filter(None, ("the command installs one of your own", names))))
    elif not (kind.of_others or kind.foreign):
        yield _broken(refusal, path, refusal.reason, facts)
    elif (kind.of_others and refusal.origin != PATH) or not os.path.abspath(path).startswith(known):
        why = "others than you may decide what it runs" if kind.of_others else "it may not be yours"
        advice = f"if it is meant, say so: 'tool = {path}' in [fallback] of {facts.survey.settings.file}"
        if kind is Kind.OWNED:  # a tool that is named must not belong to others, either
            advice = "make it your own if you trust what is there, or install another"
        text = f"The keyring {path} ({refusal.source}) is not used: {refusal.reason}, so {why}."
        yield Cause("untrusted", text, _closing(refusal, facts), advice)


def _unusable(refusal: Refusal, facts: Facts) -> Cause:
    text = f"The setting 'tool' names {refusal.path}, which cannot be used: {refusal.reason}."
    advice = f"correct or remove 'tool' ({facts.survey.settings.sources['tool']})"
    return Cause("setting-unusable", text, _closing(refusal, facts), advice)


def _closing(refusal: Refusal, facts: Facts) -> Command | None:
    """Return the command that keeps others from changing a keyring, or None."""
    here, decides = facts.here, refusal.decides
    if refusal.kind is Kind.OPEN:
        return _closed(refusal.path, decides, here)
    # not a folder that others need, too
    whole = refusal.kind is Kind.OWNED and decides in (refusal.path, os.path.realpath(refusal.path))
    return _taken(decides, here) if whole else None


def _closed(path: str, decides: str, here: Here) -> Command | None:
    """Return the one command that closes to others all that is open of a keyring, and of the way there.

    It is None where something of that is somebody else's. After ``umask 0`` all is open, the home folder and what is
    above it too: only the keyring is closed with what is in it.
    """
    root = os.path.realpath(executable.target(path, here.platform).root or path)
    deep = [root, *(one for one in [os.path.realpath(decides)] if os.path.commonpath([root, one]) not in (root, one))]
    inside = [one for top in deep for one in itertools.islice(_below(top), _MOST_BELOW) if _is_open(one)]
    ways = dict.fromkeys([*deep, *(up for one in deep for up in trust.folders_above(one))])
    opened = list(filter(_is_open, ways))
    if not opened + inside or any(os.stat(one).st_uid != here.uid for one in opened + inside):
        return None
    if not inside:
        return Command(("chmod", "o-w", *opened))
    these = [word for one in deep for word in ("-path", one, "-o", "-path", os.path.join(one, "*"), "-o")]
    which = ("(", *these, "-prune", ")", "-perm", "-0002", "!", "-perm", "-1000", "!", "-type", "l")
    return Command(("find", *dict.fromkeys([*deep, *opened]), *which, "-exec", "chmod", "o-w", "{}", "+"))


def _below(folder: str) -> Iterator[str]:
    for above, folders, files in os.walk(folder):
        yield from (path for name in (*folders, *files) if not os.path.islink(path := os.path.join(above, name)))


def _is_open(path: str) -> bool:
    """Tell whether everybody may write to a path; a sticky folder is not meant by that."""
    with contextlib.suppress(OSError):
        mode = os.stat(path).st_mode
        return bool(mode & stat.S_IWOTH and not mode & stat.S_ISVTX)
    return False


def _taken(path: str, here: Here) -> Command | None:
    """Return the command that makes somebody else's file or folder the person's own, or None: root needs none."""
    if here.uid <= 0 or here.platform == "win32" or not cures.on_path("sudo", here):
        return None
    import pwd

    with contextlib.suppress(KeyError):
        name = pwd.getpwuid(here.uid).pw_name
        return Command(("sudo", "chown", "-R", name, path), mends=False)  # who trusts what another has written?
    return None


def _broken(broken: Tool | Refusal, path: str, reason: str, facts: Facts) -> Cause:
    held = broken.content.providers if isinstance(broken, Tool) else ()
    closed = _closed_sources(facts, (one.distribution for one in held))
    command, advice = cures.reinstall(broken, facts.here.platform, facts.everywhere(closed)), ""
    if command and command.words[0] == "uv":
        command = _passing(command, closed)
    file = os.path.join(path, "uv-receipt.toml")
    if not command and os.path.isfile(file):
        advice = f"install it again, with 'uv tool install --force keyring' and all that {file} names"
    elif not command and os.path.islink(path) and not os.path.exists(path):
        findings = facts.survey.findings
        found: list[Tool | Refusal] = [*findings.tools, *findings.refusals]
        # a new one would take the place of uv's own
        if facts.able or any(one.origin == UV and one.path != path for one in found):
            advice = "remove this link, which leads nowhere"
        else:
            distribution, advice = _missing(facts)
            left = Findings((Tool(broken.origin, path, "", ""),))
            command = cures.provide(distribution, left, facts.here)
    elif not command:
        advice = "install it again the way it was installed, or remove it"
    return Cause("broken", f"The global keyring {path} ({broken.source}) is broken: {reason}", command, advice)
