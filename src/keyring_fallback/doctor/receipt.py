"""What uv noted of how a tool was installed, as words of a command that installs it so again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from typing import Any

from ..discovery.tool import Tool
from ..here import read_head

#: What a receipt may say that a command can say: no Git or editable source, no constraint (uv 0.13.9, tool.rs).
_SAID = {"name", "extras", "specifier", "marker", "url", "path", "directory"}
_SAID_BESIDES = {"requirements", "python", "entrypoints", "options"}
#: The options of its that ``uv tool install`` has, too (uv 0.13.9).
_OPTIONS = {
    *("index-url", "extra-index-url", "find-links", "no-index", "index-strategy", "resolution", "prerelease"),
    *("fork-strategy", "exclude-newer", "link-mode", "compile-bytecode", "no-sources", "no-build", "no-binary"),
    *("no-build-package", "no-binary-package"),
}
#: An index that can be named on a command line has nothing else than these.
_PLAIN = {"explicit": False, "format": "simple", "authenticate": "auto"}


def is_there(root: str) -> bool:
    """Tell whether uv has made an environment for a tool, by what it notes there."""
    return bool(root) and os.path.isfile(os.path.join(root, "uv-receipt.toml"))


def is_of_pipx(root: str) -> bool:
    """Tell whether pipx has made an environment for a tool, by what it notes there."""
    return os.path.isfile(os.path.join(root, "pipx_metadata.json"))


def installed_with(tool: Tool, but: str = "", name: str = "keyring", urls: Collection[str] = ()) -> list[str] | None:
    """Return what a uv tool was installed with, as words of a command: what its receipt names, or else its providers.

    They are none where the receipt says more than a command can, such as an index that is none of `urls`, or is that of
    another tool. None: this Python has no parser for a receipt (before 3.11).
    """
    names = ["keyring", *(provider.distribution for provider in tool.content.providers)]
    exposed: set[str] = set()
    options: list[str] = []
    receipt = b""
    with contextlib.suppress(OSError):
        receipt = read_head(os.path.join(tool.root, "uv-receipt.toml")) if tool.root else b""
    try:
        if receipt:
            import tomllib  # type: ignore[import-not-found, unused-ignore]  # novm

            said = tomllib.loads(receipt.decode())["tool"]
            names = [_requirement(one) for one in said["requirements"]]
            if {*said} - _SAID_BESIDES or not all(names) or said["requirements"][0]["name"] != name:
                return []
            options = ["--python", said["python"]] if "python" in said else []
            options += _options(said.get("options", {}), {url.rstrip("/") for url in urls})
            commands = {one.get("from") for one in said.get("entrypoints", ())}
            exposed = {_requirement(one) for one in said["requirements"] if one["name"] in commands}
    except ImportError:
        return None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []
    words = [names[0]]
    for one in dict.fromkeys(names[1:]):
        words += ["--with-executables-from" if one in exposed else "--with", one] if one != but else []
    return words + options


def _options(options: dict[str, Any], urls: Collection[str]) -> list[str]:
    """Return a receipt's options as words of a command; ValueError: no command says them.

    None of them may be lost: from another index anybody may bring something of a provider's name.
    """
    words: list[str] = []
    if span := options.get("exclude-newer-span"):  # then the other is only what that was on a day
        options = {**options, "exclude-newer": span}
        del options["exclude-newer-span"]
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            if name == "index" and one["url"].rstrip("/") not in urls:
                if any(one.get(key, usual) != usual for key, usual in _PLAIN.items()):
                    raise ValueError
                named = f"{one['name']}={one['url']}" if one.get("name") else one["url"]
                words += ["--default-index" if one.get("default") else "--index", named]
            elif name not in ("index", "keyring-provider"):  # which the user's settings say again
                if name not in _OPTIONS:
                    raise ValueError
                words += [f"--{name}"] * one if isinstance(one, bool) else [f"--{name}", str(one)]
    return words


def _requirement(table: dict[str, Any]) -> str:
    """Return a requirement of a receipt as it stands on a command line, or "" where it says more than that."""
    if {*table} - _SAID:
        return ""
    name: str = table["name"] + ("[" + ",".join(table["extras"]) + "]" if "extras" in table else "")
    name = f"{name} @ {table['url']}" if "url" in table else name + table.get("specifier", "")
    path = table.get("path") or table.get("directory")
    if "marker" in table:
        return "" if path else f"{name} ; {table['marker']}"
    return str(path or name)
