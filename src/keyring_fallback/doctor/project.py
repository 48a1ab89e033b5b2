"""Where in a project of uv's its environment gets keyring from: asks uv, which runs nothing of the project's for it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

from ..discovery import trust
from ..here import Here, read_head
from . import clients

_SECONDS, _MAX_BYTES = 20.0, 8 << 20
#: What has `uv add` change nothing, or not what is installed: the person's, for other commands.
HINDERS = ("UV_FROZEN", "UV_LOCKED", "UV_NO_SYNC")


def additions(root: str, here: Here) -> list[list[str]]:
    """Return the arguments of ``uv add`` for each place that brings keyring into an environment of a project.

    Where it is no project's environment, or keyring was installed by hand, which the next ``uv sync`` removes, there
    are none. `here` tells how uv is to be found, and what it is told.
    """
    chosen = here.environ.get("UV_PROJECT_ENVIRONMENT", "")
    named = os.path.basename(root) == ".venv"
    folder = os.path.dirname(root) if named else here.cwd
    if not folder or not (named or chosen):
        return []
    tree = _tree(folder, here)
    if tree is None:  # a uv before 0.9.31, which does not tell, or no lock
        return _named(folder) if named else []
    workspace = str(tree["workspace_root"])
    if trust.identity(os.path.join(workspace, chosen or ".venv")) != trust.identity(root):
        return []
    members = {member["name"]: member["path"] for member in tree.get("members", ())}
    found: dict[tuple[bool, str], list[str]] = {}
    todo, seen = [one["id"] for one in tree["roots"]], set()
    while todo:
        identifier = todo.pop()
        node = tree["resolution"][identifier]
        if identifier in seen:
            continue
        seen.add(identifier)
        if node.get("name") not in members or "source" not in node or "registry" in node["source"]:
            todo += [one["id"] for one in node.get("dependencies", ())]
            continue
        kind = node["kind"]
        option = (
            [] if kind == "package" else [f"--{key.replace('extra', 'optional')}" for key in kind] + [*kind.values()]
        )
        # what is always installed comes first
        found[bool(option), identifier] = ["--project", members[node["name"]], *option]
    return [found[key] for key in sorted(found)]


def _named(folder: str) -> list[list[str]]:
    """Return the same by what a project of uv's names keyring in, or by its dependencies where only its lock has it."""
    lock = os.path.join(folder, "uv.lock")
    try:
        import tomllib  # type: ignore[import-not-found, unused-ignore]  # novm

        packages = tomllib.loads(_text(lock)).get("package", []) if os.path.isfile(lock) else None
        said = tomllib.loads(_text(os.path.join(folder, "pyproject.toml")))
        is_uvs = "uv" in said.get("tool", {}) or os.path.isfile(os.path.join(folder, "uv.toml"))
        if packages is None and not is_uvs:
            return []
        project = said["project"]
        lists: list[tuple[list[str], list[Any]]] = [([], project.get("dependencies", []))]
        lists += [(["--optional", name], one) for name, one in project.get("optional-dependencies", {}).items()]
        lists += [(["--group", name], one) for name, one in said.get("dependency-groups", {}).items()]
        places = [words for words, listed in lists if any(map(_is_keyring, listed))]
        locked = any(package["name"] == "keyring" for package in packages or ())
    except ImportError:  # before 3.11
        places, locked = [], os.path.isfile(lock)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return [["--project", folder, *words] for words in places or ([[]] if locked else [])]


def _text(path: str) -> str:
    return read_head(path, _MAX_BYTES).decode()


def _is_keyring(requirement: object) -> bool:
    return isinstance(requirement, str) and bool(re.match(r"keyring(?![\w.-])", requirement, re.IGNORECASE))


def _tree(folder: str, here: Here) -> dict[str, Any] | None:
    """Return what depends on keyring, as uv 0.13.9 tells it, or None where it does not."""
    program, doubt = clients.first("uv", here)
    if doubt or not program:
        return None
    options = "--quiet tree --frozen --offline --universal --all-groups --invert --package keyring --format json"
    environ = {name: value for name, value in here.environ.items() if name not in HINDERS}
    try:
        argv = [program, *options.split(), "--project", folder]
        output = subprocess.run(  # noqa: S603 - uv, with words of ours
            argv, env=environ, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=True
        ).stdout
        tree = json.loads(output)
        return tree if {"workspace_root", "roots", "resolution"} <= tree.keys() else None
    except (OSError, ValueError, AttributeError, subprocess.SubprocessError):
        return None
