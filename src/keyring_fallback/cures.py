"""The commands that mend what is wrong, for how a global keyring was installed; words them, and runs none."""

from __future__ import annotations

import os
import re
import shlex

from . import environment
from .discovery import SETTING, Tool


def add_provider(distribution: str, tool: Tool | None, platform: str) -> str:
    """Return the command that adds a provider to a global keyring, and keeps what it has.

    Args:
        distribution: The provider's distribution.
        tool: The global keyring, or None if there is none yet.
        platform: As `sys.platform` names it.
    """
    manager = _manager(tool) if tool else ""
    if tool is None or not manager:
        return f"uv tool install keyring --with {distribution}"
    if manager == "uv":
        # uv makes the tool anew with just what this command names (seen with uv 0.13.9)
        return _uv_tool([*requested(tool), distribution], platform)
    if manager == "pipx":
        return f"pipx inject {_global(tool)}keyring {distribution}"
    if manager == "pixi":
        return f"pixi global add --environment {os.path.basename(tool.root)} {distribution}"
    if manager == "environment":
        return f"uv pip install --python {quoted(tool.root, platform)} {distribution}"
    return f"{quoted(tool.interpreter, platform)} -m pip install --user {distribution}"


def reinstall(source: str, path: str, platform: str) -> str:
    """Return the command that installs a broken global keyring again, or "" where we know none.

    Args:
        source: Whose it is (`discovery.Refusal.source`).
        path: Where it is.
        platform: As `sys.platform` names it.
    """
    tool = Tool(source, path, path if os.path.isdir(path) else "", "")
    manager = _manager(tool) or source.partition(" ")[0]
    if manager == "uv":
        return _uv_tool(requested(tool), platform)
    return {
        "pipx": f"pipx reinstall {_global(tool)}keyring",
        "pixi": "pixi global install --force-reinstall keyring",
        "Homebrew": "brew reinstall keyring",
        "mise": "mise install --force pipx:keyring",
    }.get(manager, "")


def add_us(root: str, tool: Tool | None, platform: str, *, uv: bool) -> str:
    """Return the one command that installs this project into an environment whose keyring is in its own way.

    It puts the global keyring first on PATH for this once, and so the index gets its credentials from there; pip leaves
    the keyring of its own environment aside by itself in its ``subprocess`` mode.

    Args:
        root: The root of the environment.
        tool: The global keyring, or None if there is none.
        platform: As `sys.platform` names it.
        uv: Whether uv is to do it, or pip.
    """
    if not uv:
        interpreter = environment.interpreter(root, platform)
        return f"{quoted(interpreter, platform)} -m pip install --keyring-provider subprocess keyring-fallback"
    project = os.path.dirname(root)
    if os.path.basename(root) == ".venv" and os.path.isfile(os.path.join(project, "uv.lock")):
        command = f"uv add --project {quoted(project, platform)} --dev keyring-fallback"
    else:
        command = f"uv pip install --python {quoted(root, platform)} keyring-fallback"
    if tool is None:
        return command
    folder = quoted(os.path.dirname(_executable(tool, platform)), platform)
    return (
        f"$env:PATH = {folder} + ';' + $env:PATH; {command}"
        if platform == "win32"
        else f"PATH={folder}:$PATH {command}"
    )


def ask_alone(tool: Tool, service: str, username: str | None, platform: str) -> str:
    """Return the command that has a global keyring answer by itself, and shows what it says but no password."""
    null = "$null" if platform == "win32" else "/dev/null"
    words = [_executable(tool, platform), "get", service, *([username] if username else ["--mode", "creds"])]
    return f"{' '.join(quoted(word, platform) for word in words)} > {null}"


def requested(tool: Tool) -> list[str]:
    """Return what a uv tool was installed with, "keyring" first: what its receipt names, or else its providers.

    Python has a parser for TOML since 3.11 only. The formats are those of uv-tool/src/tool.rs, uv 0.12.5 and 0.2.20.
    """
    try:
        receipt = os.fsdecode(environment.read_head(os.path.join(tool.root, "uv-receipt.toml")))
    except OSError:
        receipt = ""
    found = re.search(r"^requirements = (\[.*?\])$", receipt, re.MULTILINE | re.DOTALL)
    wanted = found[1] if found else ""
    names = [_requirement(name, rest) for name, rest in re.findall(r'\{ name = "([^"]+)"([^}]*)\}', wanted)]
    names = names or re.findall(r'"([^"]+)"', wanted)
    names = names or ["keyring", *(provider.distribution for provider in tool.content.providers)]
    return list(dict.fromkeys(names))


def _requirement(name: str, rest: str) -> str:
    """Return a requirement of a receipt as it stands on a command line."""
    found: dict[str, str] = dict(re.findall(r'(specifier|path|directory|url) = "([^"]+)"', rest))
    for key in ("path", "directory"):
        if key in found:
            return found[key]
    extras = re.findall(r'"([^"]+)"', rest.partition("extras = [")[2].partition("]")[0])
    name += f"[{','.join(extras)}]" if extras else ""
    return f"{name} @ {found['url']}" if "url" in found else name + found.get("specifier", "")


def quoted(word: str, platform: str) -> str:
    """Return a word as it is typed in a shell: PowerShell on Windows."""
    if platform != "win32":
        return shlex.quote(word)
    return word if re.fullmatch(r"[\w.:/\\@%+=-]+", word) else "'" + word.replace("'", "''") + "'"


def _manager(tool: Tool) -> str:
    """Return who manages a tool's environment: "uv", "pipx", "pixi", "environment", "interpreter", or "": nobody."""
    if tool.root and os.path.basename(tool.root) == "keyring":
        for manager, file in (("uv", "uv-receipt.toml"), ("pipx", "pipx_metadata.json")):
            if os.path.isfile(os.path.join(tool.root, file)):
                return manager
    if tool.source.startswith("pixi"):
        return "pixi"
    if tool.source == SETTING:  # another one would not be looked at
        return "environment" if tool.root else "interpreter" if tool.interpreter else ""
    return ""


def _uv_tool(requirements: list[str], platform: str) -> str:
    first, *others = (quoted(one, platform) for one in dict.fromkeys(requirements))
    return " ".join(["uv tool install", first, *(f"--with {one}" for one in others)])


def _global(tool: Tool) -> str:
    return "--global " if "global" in tool.source else ""


def _executable(tool: Tool, platform: str) -> str:
    """Return the path of a tool's ``keyring``."""
    if not os.path.isdir(tool.path) and (not tool.interpreter or os.path.basename(tool.path).startswith("keyring")):
        return tool.path
    folder = os.path.dirname(tool.interpreter)
    return os.path.join(folder, "keyring.exe" if platform == "win32" else "keyring")
