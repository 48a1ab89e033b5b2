"""The Pythons, keyrings, uvs and pips that people have, on both sides: in the environment and in the global tool.

Three tables: the environment's Python by its keyring, the tool's Python by its keyring, and the environment's Python by
the tool's. Of each the rims: all of the one by the oldest and the newest of the other. The fourth and fifth pairs (one
side's Python or keyring by the other side's keyring) are left out: nothing but JSON goes from side to side, and no
keyring has a part in it.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from typing import TYPE_CHECKING, Callable

import pytest

from support import clients, environments, machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from support.environments import Environment, Environments, Keywords, Text, Tool

PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15", "pypy3")
TOOL_PYTHONS = ("3.8", *PYTHONS)
# 24.1.0 fails by itself wherever there is a keyringrc.cfg.
KEYRINGS = ("23.0.0", "23.5.1", "23.9.3", "24.0.0", "24.1.0", "24.3.0", "25.0.0", "25.6.0", "newest")
TOO_NEW = {("3.8", "25.6.0")}
NEWEST = "3.15"

UVS = ("0.1.45", "0.4.0", "0.7.0", "newest")
"""The first that keyring answered reliably, the first with ``uv add`` for all, the first that asks with the index's URL."""

PIPS = ("19.3.1", "23.1.2", "26.1", "newest")
"""The first with ``get_credential``, the first with ``--keyring-provider``, the first that blocks imports."""

COMPLAINT = r"Keyring config file contains incorrect values\.\nConfig file: .*\n"
"""What keyring 24.0.0 says where there is no keyringrc.cfg."""

PROGRAM = """
import contextlib, io, json, sys
import keyring
from keyring import cli, errors
service, username, password = sys.argv[1:]
answers = [keyring.get_password(service, username)]
keyring.set_password(service, username, password)
answers.append(keyring.get_password(service, username))
for name in (username, None):
    credential = keyring.get_credential(service, name)
    answers.append([credential.username, credential.password])
out = io.StringIO()
with contextlib.redirect_stdout(out):
    cli.main(["get", service, username])
answers.append(out.getvalue().rstrip())
keyring.delete_password(service, username)
answers.append(keyring.get_password(service, username))
try:
    keyring.delete_password(service, username)
except errors.PasswordDeleteError as error:
    answers.append(str(error))
print(json.dumps(answers))
"""


def rims(pythons: Sequence[str], others: Sequence[str], last: str) -> list[tuple[str, str]]:
    """Each of both with the oldest and the newest of the other; `last` is the newest of the others."""
    ends = {pythons[0], NEWEST}, {others[0], last}
    return [pair for pair in itertools.product(pythons, others) if pair[0] in ends[0] or pair[1] in ends[1]]


def requirement(package: str, version: str) -> str:
    """The requirement for a version of the package."""
    return package if version == "newest" else f"{package}=={version}"


def check(environment: Environment, folder: Path, home: Path) -> None:
    """Store, find in every way, and delete a password through the environment's keyring; it is kept by the tool's provider."""
    service, username, password = "https://example.com/simple/", "somebody", "pässword"
    env = {**os.environ, **machine.home_variables(home), "DEMO_STORE_FILE": os.fspath(folder / "store.json")}
    result = environment.run(["-X", "utf8", "-c", PROGRAM, service, username, password], env=env, cwd=folder)
    assert (0, "") == (result.returncode, re.sub(COMPLAINT, "", result.stderr))
    credential = [username, password]
    expected = [None, password, credential, credential, password, None, "No such password!"]
    assert expected == json.loads(result.stdout)


def environment_of(shared: Environments, python: Path, keyring: str, wheel: Path) -> Environment:
    """A shared environment with this keyring and us."""
    wanted = (requirement("keyring", keyring), wheel)
    return environments.Environment(
        shared.once(
            "version", lambda root: environments.create(root, python, *wanted, share_files=True), python, *wanted
        )
    )


@pytest.fixture
def tool(shared_environments: Environments, python: Path, demo_store: Path) -> Tool:
    """The global tool that the tables of environments are asked against."""
    return shared_environments.uv_tool(python, demo_store)


@pytest.mark.parametrize(("name", "keyring"), rims(PYTHONS, KEYRINGS, "newest"))
def test_environment(
    tmp_path: Path,
    shared_environments: Environments,
    interpreter: Callable[[str], Path],
    tool: Tool,
    wheel: Path,
    name: str,
    keyring: str,
) -> None:
    """Any keyring on any Python in the environment has all its answers from the tool."""
    check(environment_of(shared_environments, interpreter(name), keyring, wheel), tmp_path, tool.home)


@pytest.mark.parametrize(
    ("name", "keyring"), [pair for pair in rims(TOOL_PYTHONS, KEYRINGS, "newest") if pair not in TOO_NEW]
)
def test_tool(
    tmp_path: Path,
    home: Path,
    shared_environments: Environments,
    interpreter: Callable[[str], Path],
    python: Path,
    wheel: Path,
    demo_store: Path,
    name: str,
    keyring: str,
) -> None:
    """Any keyring on any Python in the tool gives its answers to the environment."""
    here = environment_of(shared_environments, python, "newest", wheel)
    environments.uv_tool(home, interpreter(name), demo_store, keyring=requirement("keyring", keyring))
    check(here, tmp_path, home)


@pytest.mark.parametrize(("name", "tool_python"), rims(PYTHONS, TOOL_PYTHONS, NEWEST))
def test_pythons(
    tmp_path: Path,
    shared_environments: Environments,
    interpreter: Callable[[str], Path],
    wheel: Path,
    demo_store: Path,
    name: str,
    tool_python: str,
) -> None:
    """Any Python in the environment understands any Python in the tool."""
    here = environment_of(shared_environments, interpreter(name), "newest", wheel)
    there = interpreter(tool_python)
    home = shared_environments.once("version-tool", lambda path: environments.uv_tool(path, there, demo_store), there)
    check(here, tmp_path, home)


def test_lowest_requirements(tmp_path: Path, interpreter: Callable[[str], Path], tool: Tool, wheel: Path) -> None:
    """The lowest releases that our metadata allow are enough."""
    environment = environments.create(tmp_path / "lowest", interpreter("3.9"))
    names = ["keyring", "jaraco.classes", "importlib-metadata"]  # uv takes the lowest of what is named
    argv: list[Text] = [
        machine.uv(),
        "pip",
        "install",
        "--quiet",
        "--no-build",
        "--resolution",
        "lowest-direct",
        "--python",
        environment.python,
    ]
    environments.run([*argv, wheel, *names], env=machine.building(), check=True)
    environment.leave_stores_out()
    check(environment, tmp_path, tool.home)


def test_tool_whose_keyring_cannot_read_its_configuration(
    tmp_path: Path, home: Path, shared_environments: Environments, python: Path, wheel: Path, demo_store: Path
) -> None:
    """keyring 24.1.0 fails in the tool wherever there is a keyringrc.cfg; we do not need it to be read there."""
    there = environments.uv_tool(home, python, demo_store, keyring="keyring==24.1.0").environment
    configuration = home / ".config" / "python_keyring" / "keyringrc.cfg"
    configuration.parent.mkdir(parents=True)
    configuration.write_text("[fallback]\nenabled = true\n", encoding="utf-8")
    control = there.keyring("get", "service", "username", env={**os.environ, "DEMO_STORE_FILE": "store.json"})
    assert "'NoneType' object is not iterable" in control.stderr, "this keyring works: the test tests nothing"
    check(environment_of(shared_environments, python, "newest", wheel), tmp_path, home)


@pytest.fixture
def stage(
    tmp_path: Path, home: Path, shared_environments: Environments, wheel: Path, stub_tokens: Path, python: Path
) -> Iterator[clients.Stage]:
    """A feed that wants the token of the tool's provider."""
    source = shared_environments.once("clients-feed", lambda path: clients.wheels(path, wheel), wheel)
    with clients.feed(tmp_path / "feed", source) as feed:
        yield clients.Stage(
            tmp_path, home, shared_environments.uv_tool(python, stub_tokens), feed, shared_environments, wheel, python
        )


@pytest.mark.parametrize("version", UVS)
def test_uv(stage: clients.Stage, version: str) -> None:
    """uv of any age gets its answer from the active environment's keyring."""
    root = stage.shared.once(
        "uv", lambda path: environments.create(path, stage.python, requirement("uv", version)), stage.python, version
    )
    uv = environments.Environment(root).script("uv")
    argv: list[Text] = [
        uv,
        "pip",
        "install",
        "--keyring-provider",
        "subprocess",
        "--no-cache",
        "--no-deps",
        "--target",
        stage.folder / "target",
    ]
    variables: Keywords = {"UV_INDEX_URL": stage.index_with_username, "UV_DEFAULT_INDEX": ""}
    stage.proves("/six", lambda us: stage.run([*argv, "six"], active=stage.client(us=us), **variables))


@pytest.mark.parametrize("version", PIPS)
def test_pip(stage: clients.Stage, interpreter: Callable[[str], Path], version: str) -> None:
    """pip of any age gets its answer from the keyring that it imports."""
    python = interpreter("3.9" if version == "19.3.1" else "3.11")
    argv = ("pip", "download", "--no-deps", "--no-cache-dir", "--dest", os.fspath(stage.folder / "downloads"), "six")
    stage.proves(
        "/six", lambda us: stage.module(stage.client(requirement("pip", version), us=us, python=python), *argv)
    )
