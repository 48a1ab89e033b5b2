"""The commands that mend what is wrong, for how a global keyring was installed; words them, and runs none.

Their `platform` is as `sys.platform` names it.
"""

from __future__ import annotations

import os
import re

from . import environment, shell
from .discovery import SETTING, Tool

#: By who manages a global keyring: the command that adds a provider to it, and the one that installs it again.
_COMMANDS = {
    # uv makes the tool anew with just what this command names (seen with uv 0.13.9)
    "uv": ("uv tool install {has} --with {provider}", "uv tool install {has}"),
    "pipx": ("pipx inject {everybodys}keyring {provider}", "pipx reinstall {everybodys}keyring"),
    "pixi": ("pixi global add --environment {name} {provider}", "pixi global install --force-reinstall keyring"),
    "Homebrew": ("", "brew reinstall keyring"),
    "mise": ("", "mise install --force pipx:keyring"),
    # the user has named it, and another one would not be looked at
    "environment": ("uv pip install --python {root} {provider}", ""),
    "interpreter": ("{interpreter} -m pip install --user {provider}", ""),
}


def add_provider(distribution: str, tool: Tool | None, platform: str) -> str:
    """Return the command that adds a provider to a global keyring and keeps what it has, or that installs a new one."""
    command = _command(0, tool, platform, distribution) if tool else ""
    return command or f"uv tool install keyring --with {distribution}"


def reinstall(source: str, path: str, platform: str) -> str:
    """Return the command that installs a broken keyring (see `discovery.Refusal`) again, or "" where we know none."""
    return _command(1, Tool(source, path, path if os.path.isdir(path) else "", ""), platform)


def _command(which: int, tool: Tool, platform: str, provider: str = "") -> str:
    manager = tool.source.partition(" ")[0]
    if tool.source == SETTING:
        manager = "environment" if tool.root else "interpreter" if tool.interpreter else ""
    if os.path.basename(tool.root) == "keyring":
        for one, file in (("uv", "uv-receipt.toml"), ("pipx", "pipx_metadata.json")):
            manager = one if os.path.isfile(os.path.join(tool.root, file)) else manager
    has = (shell.quoted(one, platform) for one in requested(tool) if one != provider)
    return _COMMANDS.get(manager, ("", ""))[which].format(
        has=" --with ".join(has),
        everybodys="--global " if "global" in tool.source else "",
        name=os.path.basename(tool.root),
        root=shell.quoted(tool.root, platform),
        interpreter=shell.quoted(tool.interpreter, platform),
        provider=shell.quoted(provider, platform),
    )


def add_us(root: str, tool: Tool | None, platform: str, *, uv: bool) -> str:
    """Return the one command with which uv, or pip, installs us into an environment whose keyring is in its own way.

    It puts the global keyring, if there is one, first on PATH for this once: the index gets its credentials from there.
    pip leaves its own environment's keyring aside by itself in its ``subprocess`` mode.
    """
    if not uv:
        interpreter = shell.quoted(environment.interpreter(root, platform), platform)
        return f"{interpreter} -m pip install --keyring-provider subprocess keyring-fallback"
    project = os.path.dirname(root)
    if os.path.basename(root) == ".venv" and os.path.isfile(os.path.join(project, "uv.lock")):
        command = f"uv add --project {shell.quoted(project, platform)} --dev keyring-fallback"
    else:
        command = f"uv pip install --python {shell.quoted(root, platform)} keyring-fallback"
    if tool is None:
        return command
    return shell.first_on_path(os.path.dirname(_executable(tool, platform)), platform, command)


def ask_alone(tool: Tool, service: str, username: str | None, platform: str) -> str:
    """Return the command that has a global keyring answer by itself, and shows what it says but no password."""
    words = [_executable(tool, platform), "get", service, *([username] if username else ["--mode", "creds"])]
    null = "$null" if platform == "win32" else "/dev/null"
    return f"{' '.join(shell.quoted(word, platform) for word in words)} > {null}"


def requested(tool: Tool) -> list[str]:
    """Return what a uv tool was installed with, "keyring" first: what its receipt names, or else its providers.

    Python has a parser for TOML since 3.11 only. The formats are those of uv-tool/src/tool.rs, uv 0.12.5 and 0.2.20.
    """
    try:
        receipt = os.fsdecode(environment.read_head(os.path.join(tool.root, "uv-receipt.toml"))) if tool.root else ""
    except OSError:
        receipt = ""
    found = re.search(r"^requirements = (\[.*?\])$", receipt, re.MULTILINE | re.DOTALL)
    wanted = found[1] if found else ""
    names = [_requirement(table) for table in re.findall(r'\{ name = "[^"][^}]*\}', wanted)]
    names = names or re.findall(r'"([^"]+)"', wanted)
    names = names or ["keyring", *(provider.distribution for provider in tool.content.providers)]
    return list(dict.fromkeys(names))


def _requirement(table: str) -> str:
    """Return a requirement of a receipt as it stands on a command line."""
    found: dict[str, str] = dict(re.findall(r'(\w+) = "([^"]+)"', table))
    extras = re.findall(r'"([^"]+)"', table.partition("extras = [")[2].partition("]")[0])
    name = found["name"] + (f"[{','.join(extras)}]" if extras else "")
    name = f"{name} @ {found['url']}" if "url" in found else name + found.get("specifier", "")
    return found.get("path") or found.get("directory") or name


def is_file(source: str) -> bool:
    """Tell whether the source of a setting is a file, and not a variable."""
    return bool(os.path.dirname(source))


def either(source: str, command: str, edit: str) -> tuple[str, str]:
    """Return the command where a variable is the source of what is wrong, or the edit where a file is."""
    return ("", edit) if is_file(source) else (command, "")


def _executable(tool: Tool, platform: str) -> str:
    """Return the path of a tool's ``keyring``."""
    if not os.path.isdir(tool.path) and (not tool.interpreter or os.path.basename(tool.path).startswith("keyring")):
        return tool.path
    return os.path.join(os.path.dirname(tool.interpreter), "keyring.exe" if platform == "win32" else "keyring")
