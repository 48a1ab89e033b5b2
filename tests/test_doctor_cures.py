"""The doctor's cures hold: each is run as it stands, and looked at again after the client's next two commands."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from support import environments, machine

if TYPE_CHECKING:
    from pathlib import Path

    from support.environments import Text

pytestmark = pytest.mark.skipif(machine.WINDOWS, reason="the commands are for a POSIX shell here")

PROJECT = '[project]\nname = "{}"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = [{}]\n'
WORKSPACE = '[tool.uv.workspace]\nmembers = ["packages/*"]\n'


class Row(NamedTuple):
    """A project of uv's: its files, how it is synchronised, what is set, and what the command adds to."""

    files: dict[str, str]
    sync: str
    adds: str
    variables: tuple[tuple[str, str], ...] = ()
    folder: str = "."


ROWS = {
    "dependencies": Row({".": PROJECT.format("p", '"keyring"')}, "--no-dev", "--project {}"),
    "group by default": Row(
        {
            ".": PROJECT.format("p", "")
            + '[dependency-groups]\ntools = ["keyring"]\n[tool.uv]\ndefault-groups = ["tools"]\n'
        },
        "",
        "--project {} --group tools",
    ),
    "extra": Row(
        {".": PROJECT.format("p", "") + '[project.optional-dependencies]\nx = ["keyring"]\n'},
        "--extra x",
        "--project {} --optional x",
    ),
    "member": Row(
        {".": WORKSPACE, "packages/a": PROJECT.format("a", '"keyring"'), "packages/b": PROJECT.format("b", "")},
        "--package a",
        "--project {}/packages/a",
    ),
    "environment elsewhere": Row(
        {".": PROJECT.format("p", '"keyring"'), "sub": ""},
        "",
        "--project {}",
        (("UV_PROJECT_ENVIRONMENT", "opt/venv"), ("UV_FROZEN", "1")),
        "sub",
    ),
    "locked": Row({".": PROJECT.format("p", '"keyring"')}, "", "--project {}", (("UV_LOCKED", "1"),)),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_a_cure_outlives_uv_sync(
    shared_environments: environments.Environments, home: Path, tmp_path: Path, python: Path, wheel: Path, row: Row
) -> None:
    """Whatever brings keyring into a project's environment brings us: dependencies, a group, an extra, a member."""
    project = tmp_path / "project"
    for folder, text in row.files.items():
        (project / folder).mkdir(parents=True, exist_ok=True)
        if text:
            (project / folder / "pyproject.toml").write_text(text)
    variables = dict(row.variables)
    root = project / variables.get("UV_PROJECT_ENVIRONMENT", ".venv")
    env = machine.building(**machine.home_variables(home), UV_FIND_LINKS=str(wheel.parent), UV_PYTHON=str(python))
    sync = [machine.uv(), "sync", "--quiet", *row.sync.split()]
    environment = {"UV_PROJECT_ENVIRONMENT": str(root)}
    environments.run(sync, env={**env, **environment}, cwd=project, check=True)
    path = os.pathsep.join([str(root / "bin"), os.path.dirname(machine.uv()), os.environ["PATH"]])
    env.update(PATH=path, VIRTUAL_ENV=str(root), **variables)
    argv: list[Text] = [
        shared_environments.get(python, "keyring", wheel).script("keyring-fallback"),
        "doctor",
        "--json",
    ]

    def causes() -> dict[str, str]:
        document = json.loads(environments.run(argv, env=env, cwd=project / row.folder).stdout)
        return {cause["name"]: cause["command"] for cause in document["causes"]}

    command = causes()["missing-there"]
    assert command.partition("uv add ")[2] == f"{row.adds.format(project)} keyring-fallback"
    environments.run(["/bin/sh", "-c", command], env=env, cwd=project / row.folder, check=True)
    for _ in range(2):
        environments.run(sync, env=env, cwd=project / row.folder, check=True)
        assert "missing-there" not in causes()


def test_what_was_installed_by_hand_gets_us_by_hand(
    shared_environments: environments.Environments, home: Path, tmp_path: Path, python: Path, wheel: Path
) -> None:
    """A project whose lock has no keyring: the next ``uv sync`` removes it and us alike, and the project stays as it is."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT.format("p", ""))
    env = machine.building(**machine.home_variables(home), UV_PYTHON=str(python))
    environments.run([machine.uv(), "sync", "--quiet"], env=env, cwd=project, check=True)
    by_hand: list[Text] = [machine.uv(), "pip", "install", "--quiet", "--python", project / ".venv", "keyring"]
    environments.run(by_hand, env=env, cwd=project, check=True)
    path = os.pathsep.join([str(project / ".venv" / "bin"), os.path.dirname(machine.uv()), os.environ["PATH"]])
    argv: list[Text] = [
        shared_environments.get(python, "keyring", wheel).script("keyring-fallback"),
        "doctor",
        "--json",
    ]
    result = environments.run(argv, env={**env, "PATH": path}, cwd=project)
    commands = [one["command"] for one in json.loads(result.stdout)["causes"] if one["name"] == "missing-there"]
    assert [f"uv pip install --python {project / '.venv'} keyring-fallback"] == commands
