"""Where in a project of uv's its environment gets keyring from: asks uv, which runs nothing of the project's for it."""

from __future__ import annotations

import contextlib
import json
import os
import re
from typing import Any

from ..discovery import trust
from ..here import Here, read_head
from . import clients

_MAX_BYTES = 8 << 20
#: The oldest Python that we are for.
_OUR_PYTHON = (3, 9)
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
    # a uv before 0.9.31 does not tell, nor does any without a lock
    tree = _tree(folder, here) or (_read(folder) if named else None)
    if not tree:
        return []
    if trust.identity(os.path.join(tree["workspace_root"], chosen or ".venv")) != trust.identity(root):
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
        # without a source: a group of a workspace whose root is no project
        path = members.get(node.get("name")) if "source" in node else node.get("path")
        if path is None or "registry" in node.get("source", ()):
            todo += [one["id"] for one in node.get("dependencies", ())]
            continue
        kind = node["kind"]
        names = [] if kind == "package" else [f"--{key.replace('extra', 'optional')}" for key in kind]
        place = ["--project", path, *names, *(kind.values() if names else ())]
        # what is always installed comes first
        found[bool(option(place)), identifier] = place
    return [found[key] for key in sorted(found)]


def _read(folder: str) -> dict[str, Any] | None:
    """Return the same as `_tree` by a project's lock, or before there is one by what its own file names, or None."""
    lock = os.path.join(folder, "uv.lock")
    root: dict[str, Any] = {"name": "", "source": {"virtual": "."}}
    try:
        import tomllib  # type: ignore[import-not-found, unused-ignore]  # novm

        said = tomllib.loads(_text(os.path.join(folder, "pyproject.toml")))
        uvs = said.get("tool", {}).get("uv")
        if (uvs or {}).get("managed") is False:
            return None
        if os.path.isfile(lock):
            return _inverted(tomllib.loads(_text(lock)), folder)
        if uvs is None and not os.path.isfile(os.path.join(folder, "uv.toml")):
            return None
        root["dependencies"] = _named(said["project"].get("dependencies", ()))
        extras, groups = said["project"].get("optional-dependencies", {}), said.get("dependency-groups", {})
        root["optional-dependencies"] = {name: _named(one) for name, one in extras.items()}
        root["dev-dependencies"] = {name: _named(one) for name, one in groups.items()}
    except ImportError:  # before 3.11
        root["dependencies"] = [{"name": "keyring"}] if os.path.isfile(lock) else []
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return _inverted({"package": [root]}, folder)


def _named(requirements: list[Any]) -> list[dict[str, str]]:
    found = (re.match(r"[\w.-]+", one) for one in requirements if isinstance(one, str))
    return [{"name": one[0].lower()} for one in found if one]


def _inverted(lock: dict[str, Any], folder: str) -> dict[str, Any]:
    """Return who needs what, as `_tree` tells it."""
    manifest = lock.get("manifest", {})
    named = manifest.get("members", ())  # none where the root is the only one
    # the groups of a workspace whose root is no project
    root = {"name": "", "source": {"virtual": "."}, "dev-dependencies": manifest.get("dependency-groups", {})}
    nodes: dict[str, dict[str, Any]] = {}
    members = []
    for package in (*lock["package"], root):
        name = package["name"]
        path = next(filter(None, map(package["source"].get, ("editable", "virtual", "directory"))), None)
        if path and (not name or (name in named if named else path == ".")):
            members.append({"name": name, "path": os.path.normpath(os.path.join(folder, path))})
        extras, groups = package.get("optional-dependencies", {}), package.get("dev-dependencies", {})
        lists: list[tuple[str, object, Any]] = [(name, "package", package.get("dependencies", ()))]
        lists += [(f"{name}[{extra}]", {"extra": extra}, listed) for extra, listed in extras.items()]
        lists += [(f"{name}:{group}", {"group": group}, listed) for group, listed in groups.items()]
        for identifier, kind, listed in lists:
            nodes.setdefault(identifier, {"dependencies": []}).update(name=name, kind=kind, source=package["source"])
            for one in listed:
                for extra in ("", *(f"[{extra}]" for extra in one.get("extra", one.get("extras", ())))):
                    node = nodes.setdefault(one["name"] + extra, {"dependencies": []})
                    node["dependencies"].append({"id": identifier})
    roots = [{"id": "keyring"}] if "keyring" in nodes else []
    return {"workspace_root": folder, "members": members, "roots": roots, "resolution": nodes}


def _text(path: str) -> str:
    return read_head(path, _MAX_BYTES).decode()


def option(place: list[str]) -> str:
    """Return the option that names the extra or the group of a place of `additions`, or "": it is always installed."""
    return "".join(place[2:3])  # behind the folder


def is_dynamic(place: list[str]) -> bool:
    """Tell whether ``uv add`` cannot write to a place of `additions`: a build backend gets that from elsewhere."""
    listed = _field("dynamic", r"\[(.*?)\]", os.path.join(place[1], "pyproject.toml")) or ""
    return f"{option(place)[2:]}-dependencies".lstrip("-") in re.findall(r"[\w-]+", listed)


def limited(requirement: str, place: list[str]) -> str:
    """Return a requirement; if it is us, as ``uv add`` finds versions for where a project allows older Pythons, too."""
    # a lock has what all members of a workspace allow
    locks = (os.path.join(folder, "uv.lock") for folder in trust.upwards(place[1]))
    file = next(filter(os.path.isfile, locks), os.path.join(place[1], "pyproject.toml"))
    allowed = _field("requires-python", r"[\"'](.*?)[\"']", file)
    least = re.findall(r"(?:[>=~]=|>)\s*(\d+)(?:\.(\d+))?", allowed or "")
    older = all((int(major), int(minor or 0)) < _OUR_PYTHON for major, minor in least)
    marker = f"; python_version >= '{'.'.join(map(str, _OUR_PYTHON))}'"
    return requirement + marker if requirement == "keyring-fallback" and allowed is not None and older else requirement


def _field(name: str, value: str, file: str) -> str | None:
    """Return a field of a TOML file, also where no parser is there; `value` matches it."""
    try:
        found = re.search(rf"^[ \t]*{name}[ \t]*=[ \t]*{value}", _text(file), re.MULTILINE | re.DOTALL)
    except (OSError, ValueError):
        return None
    return found[1] if found else None


def _tree(folder: str, here: Here) -> dict[str, Any] | None:
    """Return what depends on keyring, as uv 0.13.9 tells it, or None where it does not."""
    environ = {name: value for name, value in here.environ.items() if name not in HINDERS}
    words = "--quiet tree --frozen --offline --universal --all-groups --invert --package keyring --format json"
    said = clients.said_by_uv([*words.split(), "--directory", folder], here._replace(cwd=folder, environ=environ))
    with contextlib.suppress(ValueError, AttributeError):
        tree = json.loads(said)
        return tree if {"workspace_root", "roots", "resolution"} <= tree.keys() else None
    return None
