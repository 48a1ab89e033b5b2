"""The helper's floor: Python 3.8 and keyring 23.0, proven on the real ones."""

from __future__ import annotations

import ast
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest

import keyring_fallback
from support.stage import Stage

if TYPE_CHECKING:
    from support.environments import Environments

SOURCES = sorted(Path(keyring_fallback.__file__).with_name("helper").glob("*.py"))


@pytest.mark.parametrize("keyring", ["keyring==23.0.0", "keyring"])
@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_answers_from_old_and_new(
    shared_environments: Environments,
    interpreter: Callable[[str], Path],
    python: Path,
    wheel: Path,
    demo_store: Path,
    tmp_path: Path,
    version: str,
    keyring: str,
) -> None:
    """A tool on Python 3.8 or a new one, with keyring 23.0 or the newest for it, stores, answers and deletes."""
    # keyring 23.0 imports importlib_metadata as it was then
    old = [keyring, "importlib-metadata<5"] if "23.0" in keyring else [keyring]
    tool = shared_environments.get(interpreter(version), *old, demo_store)
    stage = Stage(shared_environments.get(python, "keyring", wheel), tmp_path)
    stage.variables["KEYRING_PROPERTY_FALLBACK_TOOL"] = os.fspath(tool.root)
    stage.variables["DEMO_STORE_FILE"] = os.fspath(tmp_path / "store.json")
    key = ["https://h\u00e9\ud800\n\0/", "u\t"]
    results, stderr = stage.calls(
        ["set_password", *key, "\ud800 \0\u00e9"],
        ["get_password", *key],
        ["get_credential", key[0], None],
        ["delete_password", *key],
        ["get_password", *key],
    )
    assert ([None, "\ud800 \0\u00e9", [key[1], "\ud800 \0\u00e9"], None, None], "") == (
        [result["answer"] for result in results],
        stderr,
    )
    assert [[]] * 5 == [result["error"] for result in results]


@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_doctor_sees_old_and_new(
    shared_environments: Environments, interpreter: Callable[[str], Path], version: str
) -> None:
    """What the doctor starts in a tool says on an old and on a new Python which it is, and that keyring works."""
    tool = shared_environments.get(interpreter(version), "keyring")
    start = os.fspath(Path(keyring_fallback.__file__).with_name("helper") / "start.py")
    said = tool.run(["-I", start, "", "probe"], stdin='{"selected": null}', check=True).stdout.splitlines()
    last = json.loads(said[-1])
    assert last["version"].startswith(version + ".")
    assert ("", True) == (last.get("broken", ""), last["end"])


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_syntax_is_that_of_python_3_8(source: Path) -> None:
    """The helper's sources parse as Python 3.8."""
    ast.parse(source.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.skipif(sys.version_info < (3, 10), reason="needs sys.stdlib_module_names")
def test_imports_nothing_but_the_standard_library_and_keyring() -> None:
    """The helper imports the standard library, keyring and its own parts."""
    nodes = [node for source in SOURCES for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    assert {"backends", "deferred", "helper", "shared", "windows"} == {
        str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and node.level
    }
    foreign = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)  # novm: guarded above
    assert {"keyring"} == foreign
