"""What uv noted of how a tool was installed, as words of a command that installs it so again."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from ..discovery.tool import Tool
from ..here import read_head

#: What a receipt of uv's may say where a command can say it again: no Git or editable source, no constraint
#: (uv-tool/src/tool.rs, uv 0.13.9). Options are said again by the user's settings, or are named as left out.
_SAID = {"name", "extras", "specifier", "marker", "url", "path", "directory"}
_SAID_BESIDES = {"requirements", "python", "entrypoints", "options"}
#: What the user's own settings say again, and where packages come from: that must be said again.
_OPTIONS = {"keyring-provider"}
_INDEXES = {"index", "index-url", "extra-index-url"}
_ELSEWHERE = {"find-links", "no-index"}


def _read(tool: Tool) -> dict[str, Any] | None:
    """Return what uv's receipt says, or None where there is none; ImportError: Python before 3.11 has no parser."""
    try:
        receipt = read_head(os.path.join(tool.root, "uv-receipt.toml")) if tool.root else b""
    except OSError:
        receipt = b""
    if not receipt:
        return None
    import tomllib  # type: ignore[import-not-found, unused-ignore]  # novm

    return dict(tomllib.loads(receipt.decode())["tool"])


def dropped(tool: Tool) -> str:
    """Return the options in a uv tool's receipt that no command of ours says again, such as link-mode, or ""."""
    try:
        return ", ".join(sorted({*(_read(tool) or {}).get("options", ())} - _OPTIONS - _INDEXES))
    except (ImportError, LookupError, TypeError, ValueError, RecursionError):
        return ""


def installed_with(
    tool: Tool, besides: str = "", name: str = "keyring", urls: Collection[str] = ()
) -> list[str] | None:
    """Return what a uv tool was installed with, as words of a command: what its receipt names, or else its providers.

    They are none where the receipt says more than a command can, such as an index that is none of `urls`, or is that of
    another tool. None: this Python has no parser for a receipt (before 3.11).
    """
    names, python = ["keyring", *(provider.distribution for provider in tool.content.providers)], ""
    exposed: set[str] = set()
    try:
        said = _read(tool)
        if said is not None:
            names, python = [_requirement(one) for one in said["requirements"]], said.get("python", "")
            if {*said} - _SAID_BESIDES or not all(names) or said["requirements"][0]["name"] != name:
                return []
            if not _sources(said.get("options", {})) <= {url.rstrip("/") for url in urls}:
                return []  # elsewhere anybody may have something of that name
            commands = {one.get("from") for one in said.get("entrypoints", ())}
            exposed = {_requirement(one) for one in said["requirements"] if one["name"] in commands}
    except ImportError:
        return None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []
    words = [names[0]]
    for one in dict.fromkeys(names[1:]):
        words += ["--with-executables-from" if one in exposed else "--with", one] if one != besides else []
    return [*words, *(["--python", python] if python else [])]


def _sources(options: dict[str, Any]) -> set[str]:
    """Return where a receipt says that packages come from."""
    said = {name: [value] if isinstance(value, (str, bool)) else value for name, value in options.items()}
    found = [one for name in _INDEXES | _ELSEWHERE for one in said.get(name, ())]
    return {str(one["url"] if isinstance(one, dict) else one).rstrip("/") for one in found}


def _requirement(table: dict[str, Any]) -> str:
    """Return a requirement of a receipt as it stands on a command line, or "" where it says more than that."""
    if {*table} - _SAID:
        return ""
    name: str = table["name"] + ("[" + ",".join(table["extras"]) + "]" if "extras" in table else "")
    name = f"{name} @ {table['url']}" if "url" in table else name + table.get("specifier", "")
    return str(table.get("path") or table.get("directory") or name)
