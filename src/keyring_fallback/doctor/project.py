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
        # without a source: a group of a workspace whose root is no project
        path = members.get(node.get("name")) if "source" in node else node.get("path")
        if path is None or "registry" in node.get("source", ()):
            todo += [one["id"] for one in node.get("dependencies", ())]
            continue
        kind = node["kind"]
        option = (
            [] if kind == "package" else [f"--{key.replace('extra', 'optional')}" for key in kind] + [*kind.values()]
        )
        # what is always installed comes first
        found[bool(option), identifier] = ["--project", path, *option]
    return [found[key] for key in sorted(found)]


def _named(folder: str) -> list[list[str]]:
    """Return the same by a project's lock, or before there is one by where its own file names keyring."""
    lock = os.path.join(folder, "uv.lock")
    try:
        import tomllib  # type: ignore[import-not-found, unused-ignore]  # novm

        said = tomllib.loads(_text(os.path.join(folder, "pyproject.toml")))
        uvs = said.get("tool", {}).get("uv")
        if (uvs or {}).get("managed") is False:
            return []
        if os.path.isfile(lock):
            return _locked(tomllib.loads(_text(lock)), folder)
        is_uvs = uvs is not None or os.path.isfile(os.path.join(folder, "uv.toml"))
        lists = _lists(said["project"], said.get("dependency-groups", {})) if is_uvs else []
    except ImportError:  # before 3.11
        return [["--project", folder]] if os.path.isfile(lock) else []
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []
    return [["--project", folder, *words] for words, listed in lists if any(map(_is_keyring, listed))]


def _locked(lock: dict[str, Any], folder: str) -> list[list[str]]:
    """Return the same by a lock: from what each member lists, not through other members, to keyring."""
    packages: dict[str, list[dict[str, Any]]] = {}
    for package in lock["package"]:  # a name may have several versions
        packages.setdefault(package["name"], []).append(package)
    manifest = lock.get("manifest", {})
    named = manifest.get("members", ())  # none where the root is the only one
    members = {}
    for name, (package, *_) in packages.items():
        paths = [path for kind, path in package["source"].items() if kind in ("editable", "virtual", "directory")]
        if paths and (name in named if named else paths == ["."]):
            members[name] = paths[0], _lists(package, package.get("dev-dependencies", {}))
    members[""] = ".", _lists({}, manifest.get("dependency-groups", {}))  # of a workspace whose root is no project
    found = []
    for name, (path, lists) in members.items():
        for option, todo in lists:
            seen: set[tuple[str, str]] = set()
            while todo:
                one = todo.pop()
                wanted = {(one["name"], extra) for extra in ("", *one.get("extra", one.get("extras", ())))} - seen
                seen |= wanted
                for package in packages.get(one["name"], ()) if one["name"] not in members else ():
                    todo += [more for _, extra in wanted for more in _extras(package).get(extra, ())]
            if ("keyring", "") in seen:
                found.append((bool(option), name, ["--project", os.path.normpath(os.path.join(folder, path)), *option]))
    return [place for *_, place in sorted(found)]


def _lists(package: dict[str, Any], groups: dict[str, list[Any]]) -> list[tuple[list[str], list[Any]]]:
    """Return copies of what a project, or a package of a lock, depends on, by the options of ``uv add``."""
    lists = [(["--optional", extra] if extra else [], [*one]) for extra, one in _extras(package).items()]
    return lists + [(["--group", name], [*one]) for name, one in groups.items()]


def _extras(package: dict[str, Any]) -> dict[str, list[Any]]:
    return {"": package.get("dependencies", []), **package.get("optional-dependencies", {})}


def _text(path: str) -> str:
    return read_head(path, _MAX_BYTES).decode()


def _is_keyring(requirement: object) -> bool:
    return isinstance(requirement, str) and bool(re.match(r"keyring(?![\w.-])", requirement, re.IGNORECASE))


def is_dynamic(place: list[str]) -> bool:
    """Tell whether ``uv add`` cannot write to a place of `additions`: a build backend gets that from elsewhere."""
    option = place[2] if len(place) > len(("--project", "FOLDER")) else ""
    listed = _field("dynamic", r"\[(.*?)\]", os.path.join(place[1], "pyproject.toml")) or ""
    return f"{option[2:]}-dependencies".lstrip("-") in re.findall(r"[\w-]+", listed)


def limited(requirement: str, place: list[str]) -> str:
    """Return a requirement; if it is us, as ``uv add`` finds versions for where a project allows older Pythons, too.

    They are those of the lock, which has what all members of a workspace allow, or else of the project.
    """
    locks = (os.path.join(folder, "uv.lock") for folder in trust.upwards(place[1]))
    file = next(filter(os.path.isfile, locks), os.path.join(place[1], "pyproject.toml"))
    allowed = _field("requires-python", r"[\"'](.*?)[\"']", file)
    least = re.findall(r"(?:[>=~]=|>)\s*(\d+)(?:\.(\d+))?", allowed or "")
    if requirement != "keyring-fallback" or allowed is None:
        return requirement
    if any((int(major), int(minor or 0)) >= _OUR_PYTHON for major, minor in least):
        return requirement
    return f"{requirement}; python_version >= '{'.'.join(map(str, _OUR_PYTHON))}'"


def _field(name: str, value: str, file: str) -> str | None:
    """Return a field of a TOML file, also where no parser is there; `value` matches it."""
    try:
        found = re.search(rf"^\s*{name}\s*=\s*{value}", _text(file), re.MULTILINE | re.DOTALL)
    except (OSError, ValueError):
        return None
    return found[1] if found else None


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
