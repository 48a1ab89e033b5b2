"""The commands that mend what is wrong, by how a keyring was installed; runs none. `platform` is `sys.platform`'s."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Mapping, Sequence

from ..discovery import environment, executable, trust
from ..discovery.places import PIP_USER, PIPX_GLOBAL, SYSTEMS_PROGRAMS, USERS_PROGRAMS, UV
from ..discovery.tool import SETTING, Findings, Reason, Refusal, Tool
from ..here import Here
from . import clients, project, receipt, told
from .shell import Command, Edit, Variable, typed

#: The provider where nothing tells which: a word to be replaced.
UNKNOWN = "PROVIDER"


#: What adds a provider to a global keyring, by who manages it.
_ADD = {
    # uv makes the tool anew with just what this command names
    "uv": "uv tool install {has} --with {provider}",
    "pipx": "pipx inject {everybodys} {name} {provider}",
    "pixi": "pixi global add --environment {name} {provider}",
    # in that folder uv does not read the settings of the project that somebody works on
    "environment": "uv pip install --directory {root} --python {root} {provider}",
    "interpreter": "{interpreter} -m pip install --user {provider}",
}
#: What installs it again.
_AGAIN = {
    "uv": "uv tool install --force {has}",  # without --force uv may leave a broken one as it is (seen with uv 0.13.9)
    "pipx": "pipx reinstall {everybodys} {name}",
    "pixi": "pixi global install --force-reinstall keyring",
    "Homebrew": "brew reinstall keyring",
    "mise": "mise install --force pipx:keyring",
}
#: By the clients that install into themselves: the folders of the environments that their installers make
#: (install.python-poetry.org, install-pdm.py).
_INSTALLERS = {"poetry": ("pypoetry",), "pdm": ("pdm",)}


def add_provider(distribution: str, tool: Tool, platform: str, urls: Collection[str] = ()) -> Command | None:
    """Return the command that adds a provider to a global keyring and keeps what it has, or None: we know none.

    `urls` are the indexes that uv is told of wherever it is run.
    """
    words = receipt.installed_with(tool, distribution, urls=urls)
    return _filled(_ADD, _manager(tool, platform, words), tool, words or (), distribution)


def provide(distribution: str, findings: Findings, here: Here, urls: Collection[str] = ()) -> Command | None:
    """Return the command that adds a provider to one of the global keyrings, or that installs a new one with it.

    It is None where the user has named what we know no command for, since a new one would not be looked at, and where
    uv's own tool has what no command says or was turned down, or another has providers where uv puts its own keyring,
    since a new one would take its place.
    """
    for tool in findings.tools:
        if command := add_provider(distribution, tool, here.platform, urls):
            return command
    uvs = any(refusal.origin == UV and os.path.isdir(refusal.path) for refusal in findings.refusals)
    full = (one.origin for one in findings.tools if one.content.providers or (one.interpreter and not one.known))
    in_uvs_place = any(origin in (USERS_PROGRAMS, PIP_USER) for origin in full)
    if uvs or in_uvs_place or any(one.origin == SETTING for one in findings.tools):
        return None
    if on_path("pipx", here) and not on_path("uv", here):
        return Command(("pipx", "install", "keyring"))
    # without --force uv leaves an executable that is in its way, and gives up
    force = ["--force"] if findings.tools else []
    return Command(("uv", "tool", "install", *force, "keyring", "--with", distribution), mends=distribution != UNKNOWN)


def reinstall(found: Tool | Refusal, platform: str, urls: Collection[str] = ()) -> Command | None:
    """Return the command that installs a broken keyring again, or None where we know none.

    Of what was turned down nothing but source and path is used: what it had is not known, as it is of pipx.
    """
    if isinstance(found, Tool):
        words = receipt.installed_with(found, urls=urls)
        return _filled(_AGAIN, _manager(found, platform, words), found, words or ())
    if found.origin == UV or not os.path.isdir(found.path):
        return None
    return _filled(_AGAIN, found.origin.manager, Tool(found.origin, found.path, found.path, ""))


def _filled(
    templates: Mapping[str, str], manager: str, tool: Tool, has: Sequence[str] = (), provider: str = ""
) -> Command | None:
    values = {
        "{has}": has,
        # the system's programs are where pipx exposes what it installs for everybody
        "{everybodys}": ["--global"] if tool.origin in (PIPX_GLOBAL, SYSTEMS_PROGRAMS) else [],
        "{name}": [os.path.basename(tool.root)],
        "{root}": [tool.root],
        "{interpreter}": [tool.interpreter],
        "{provider}": [provider],
    }
    words = tuple(word for part in templates.get(manager, "").split() for word in values.get(part, [part]))
    return Command(words, mends=provider != UNKNOWN) if words else None


def _manager(tool: Tool, platform: str, has: Sequence[str] | None) -> str:
    """Return who manages a global keyring of which `receipt` says that, a key of `_ADD` or `_AGAIN`, or ""."""
    named = tool.origin == SETTING
    if not tool.root:
        plain = named and tool.interpreter and not is_externally_managed(tool.interpreter, platform)
        return "interpreter" if plain else ""
    manager = tool.origin.manager
    if manager == "mise":  # installs with uv and pipx, into folders of its own
        return manager
    if receipt.is_of_pipx(tool.root):
        return "pipx"
    if receipt.is_there(tool.root):
        return "uv" if has else "environment" if has is not None else ""
    return manager


def is_externally_managed(interpreter: str, platform: str) -> bool:
    """Tell whether pip installs nothing for a plain interpreter (PEP 668)."""
    folder = os.path.dirname(os.path.realpath(interpreter))
    library = "Lib" if platform == "win32" else os.path.join("..", "lib", "python*")
    return bool(glob.glob(os.path.join(glob.escape(folder), library, "EXTERNALLY-MANAGED")))


def install(
    root: str, requirement: str, tool: Tool | None, here: Here, *, again: bool = False
) -> tuple[Command | None, str]:
    """Return the one command with which uv, or pip, installs into an environment whose keyring is in its own way.

    It puts the global keyring, if there is one, first on PATH for this once: the index gets its credentials from there.
    pip leaves its own environment's keyring aside by itself in its ``subprocess`` mode. In a project of uv's the
    requirement goes where keyring comes from: what brings the one brings the other.

    `tool` has providers, or is None; `again`: it is there, and broken. Returned, too: what else to do.
    """
    platform, uv = here.platform, on_path("uv", here)
    if os.path.isfile(root):  # a plain interpreter, which may belong to the system
        words = uv_install(root, here) if uv else [root, "-m", "pip", "install"]
        if requirement != "keyring-fallback" or is_externally_managed(root, platform):
            return None, f"install {requirement} for {root}, the way its keyring was installed"
        return Command((*words, requirement)), ""
    places = project.additions(root, here) if uv and not again else []
    if not places and (reason := doubt(root, here)):
        return None, f"install {requirement} there if that environment is yours: {reason}"
    if not uv:
        reinstall = ["--force-reinstall"] if again else []
        words = [environment.interpreter(root, platform), "-I", "-m", "pip", "install", *reinstall, requirement]
        # pip before 23.1 has no such option, and passes the variable over
        return Command(tuple(words), (Variable("PIP_KEYRING_PROVIDER", "subprocess"),)), ""
    first = [Variable("PATH", os.path.dirname(_keyring(tool, platform)[0]), before=True)] if tool else []
    if tool and here.environ.get("UV_KEYRING_PROVIDER", "subprocess") != "subprocess":
        first.append(Variable("UV_KEYRING_PROVIDER", "subprocess"))
    advice = ""
    if platform == "win32" and os.path.isfile(os.path.join(os.path.dirname(uv), "keyring.exe")):
        # CreateProcessW looks beside the caller before it does on PATH (Microsoft, "CreateProcessW function")
        first = [one for one in first if not one.before]
        advice = "uv.exe runs the keyring.exe beside it: where its index wants a password, use another uv.exe"
    if not places:
        words = [*uv_install(root, here), *(["--reinstall"] if again else []), requirement]
        return Command(tuple(words), tuple(first)), advice
    hinders = [Variable(name, "0") for name in project.HINDERS if here.environ.get(name)]
    adds = [("uv", "add", *one, project.limited(requirement, one)) for one in places if not project.is_dynamic(one)]
    others = "; ".join(typed(Command(one), platform) for one in adds[1:])
    advice = f"keyring comes from there, too: {others}" if others else advice
    for one in filter(project.is_dynamic, places):
        source = f"where the build backend of {one[1]} gets its dependencies from (they are dynamic)"
        advice = f"add {project.limited(requirement, one)} {source}, then run 'uv sync --refresh'"
    return Command(adds[0], (*hinders, *first)) if adds else None, advice


def uv_install(root: str, here: Here) -> list[str]:
    """Return the words with which uv installs for an environment or an interpreter, by no other project's settings."""
    there = (os.path.dirname(path) for origin, path in told.uv_files(here) if not origin and os.path.lexists(path))
    above, nearest = map(trust.identity, trust.folders_above(root)), next(there, "")
    other = nearest and trust.identity(nearest) not in above and not here.environ.get("UV_CONFIG_FILE")
    folder = ["--directory", os.path.dirname(root) if os.path.isfile(root) else root] if other else []
    return ["uv", "pip", "install", *folder, "--python", root]


def bring(client: str, root: str, here: Here, urls: Collection[str] = ()) -> tuple[Command | None, str]:
    """Return what installs us into a client's own environment, the way that was made, and what else to do, or "".

    `client` is its name, `root` the root of its environment, or a plain interpreter; `urls` are as for `add_provider`.
    """
    ours, name = "keyring-fallback", os.path.basename(root)
    if os.path.isfile(root):
        return None, f"install {ours} for {root}, the way {client} was installed"
    if not doubt(root, here):
        if receipt.is_of_pipx(root):
            everybodys = trust.identity(here.environ.get("PIPX_GLOBAL_HOME") or "/opt/pipx")
            shared = ["--global"] if everybodys in map(trust.identity, trust.folders_above(root)) else []
            return Command(("pipx", "inject", *shared, "--include-apps", name, ours)), ""
        if receipt.is_there(root):
            tool = Tool(UV, root, root, "")
            if has := receipt.installed_with(tool, ours, name, urls):
                return Command(("uv", "tool", "install", *has, "--with", ours)), ""
            return None, f"install {client} again with uv, '--with {ours}', and all that its uv-receipt.toml names"
        if os.path.basename(os.path.dirname(root)) in _INSTALLERS.get(client, ()):
            return Command((client, "self", "add", ours)), ""
    return install(root, ours, None, here)


def doubt(root: str, here: Here) -> Reason | None:
    """Return why no command may run what an environment holds, or None: it may have come with the project."""
    chosen = map(here.environ.get, ("VIRTUAL_ENV", "CONDA_PREFIX"))
    if trust.identity(root) in map(trust.identity, (here.prefix, *filter(None, chosen))):
        return None
    judge = trust.Trust(here._replace(virtual=False))
    owned, _ = judge.others([root])
    named = os.path.basename(root) == ".venv"  # what uv runs, too
    return owned or (None if named else judge.project(root))


def on_path(program: str, here: Here) -> str:
    """Return the program of a name that comes first on PATH, or ""."""
    return next(executable.programs(program, here), "")


def ask_alone(tool: Tool, service: str, username: str | None, platform: str) -> Command:
    """Return the command that has a global keyring answer by itself, and shows what it says but no password."""
    return Command((*_keyring(tool, platform), *clients.question(service, username)), mends=False, quiet=True)


def _keyring(tool: Tool, platform: str) -> list[str]:
    """Return the words that run a tool's ``keyring``."""
    if not os.path.isdir(tool.path) and (not tool.interpreter or os.path.basename(tool.path).startswith("keyring")):
        return [tool.path]
    folder = os.path.dirname(tool.interpreter)
    name = "keyring.exe" if platform == "win32" else "keyring"
    # a conda environment on Windows has its executables below its interpreter's folder
    beside = (os.path.join(folder, name), os.path.join(folder, "Scripts", name))
    found = next(filter(os.path.isfile, beside), "")
    return [found] if found else [tool.interpreter, *(["-I"] if tool.isolated else []), "-m", "keyring"]


def is_file(source: str) -> bool:
    """Tell whether the source of a setting is a file, and not a variable."""
    return bool(os.path.dirname(source))


def either(source: str, value: str | None, edit: Edit) -> Variable | Edit:
    """Return what gives a setting another value, or removes it: an edit where its source is a file."""
    return edit if is_file(source) else Variable(source, value)
