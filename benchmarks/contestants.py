"""Who is measured: programs as people run them, and what happens inside one process."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import scene
from support import clouds, uv7003

if TYPE_CHECKING:
    from scene import Scene
    from support.environments import Environment, Tool

INSIDE = Path(__file__).with_name("inside.py")

Figures = dict[str, float]


@dataclass(frozen=True)
class Contestant:
    """Somebody who is measured.

    Attributes:
        group: Who is compared with whom.
        name: As the page calls it.
        run: Runs it once and returns its figures.
    """

    group: str
    name: str
    run: Callable[[], Figures]


def programs(stage: Scene) -> list[Contestant]:
    """``keyring get`` as a whole, in seconds; the first of each group is what the others are compared with."""
    url, username, answer = scene.URL, scene.USERNAME, scene.PASSWORD
    mine = stage.variables(stage.trivial)
    trivial = stage.trivial.environment
    lent = stage.lent(stage.trivial)
    bridge = {**mine, "KEYRING_PROPERTY_PYTHON": os.fspath(stage.pybridge_python)}
    # keyring-subprocess finds its executable on PATH only
    beside = stage.subprocess_tool.environment.scripts
    path = {**stage.variables(None), "PATH": os.fspath(beside) + os.pathsep + os.environ["PATH"]}

    def get(group: str, name: str, where: Environment, env: dict[str, str], *words: str, expected: str) -> Contestant:
        return Contestant(group, name, lambda: _program([os.fspath(where.script("keyring")), *words], env, expected))

    group = "trivial"
    found = [
        get(group, "the tool's own keyring", trivial, mine, "get", url, username, expected=answer),
        get(group, "keyring-fallback, found", stage.ours, mine, "get", url, username, expected=answer),
        get(group, "keyring-fallback, lent", stage.ours, lent, "get", url, username, expected=answer),
        get(group, "keyring-fallback, not found", stage.ours, mine, "get", scene.OTHER_URL, username, expected=""),
        get(group, "keyring alone, not found", stage.plain, mine, "get", url, username, expected=""),
        get(group, "keyring-subprocess, found", stage.subprocess, path, "get", url, username, expected=answer),
        # With PYTHON_KEYRING_BACKEND, as its README has it, the tool would look for keyring-pybridge too and fail.
        get(
            *(group, "keyring-pybridge, found", stage.pybridge, bridge),
            *("-b", "keyring_pybridge.PyBridgeKeyring", "get", url, username),
            expected=answer,
        ),
    ]
    if stage.azure is not None:
        theirs, env = stage.azure.environment, stage.variables(stage.azure)
        feed, user, token = stage.feed.url, uv7003.USERNAME, stage.feed.password
        group = "artifacts-keyring"
        found += [
            get(group, "the tool's own keyring", theirs, env, "get", feed, user, expected=token),
            get(group, "keyring-fallback, found", stage.ours, env, "get", feed, user, expected=token),
            get(group, "keyring-fallback, bare host", stage.ours, env, "get", stage.feed.host, user, expected=""),
            get(group, "keyring alone, bare host", stage.plain, env, "get", stage.feed.host, user, expected=""),
        ]
    for group, tool, (service, user, token) in (
        ("Google's", stage.google, (clouds.GOOGLE, "oauth2accesstoken", stage.clouds.google)),
        ("Amazon's", stage.amazon, (clouds.AMAZON, "aws", stage.clouds.amazon)),
    ):
        env = stage.variables(tool)
        found += [
            get(group, "the tool's own keyring", tool.environment, env, "get", service, user, expected=token),
            get(group, "keyring-fallback, found", stage.ours, env, "get", service, user, expected=token),
            get(group, "keyring-fallback, lent", stage.ours, stage.lent(tool), "get", service, user, expected=token),
        ]
    return found


def insides(stage: Scene) -> list[Contestant]:
    """What a program pays that imports keyring, and for its first and later lookups; in seconds."""

    def inside(name: str, where: Environment, tool: Tool | None, *words: str) -> Contestant:
        return Contestant("inside", name, lambda: _inside(where, stage.variables(tool), *words))

    return [
        inside("alone", stage.plain, stage.trivial, "start"),
        inside("no tool", stage.ours, None, "start"),
        inside("a tool", stage.ours, stage.trivial, "start"),
        Contestant("inside", "a full PATH", lambda: _inside(stage.ours, _full_path(stage), "start")),
        inside("lookups here", stage.trivial.environment, stage.trivial, "lookups", scene.URL, scene.USERNAME),
        inside("lookups", stage.ours, stage.trivial, "lookups", scene.URL, scene.USERNAME),
    ]


def memory(stage: Scene) -> list[Contestant]:
    """The most memory that the tool's ``keyring get`` and our helper have had, in bytes; nothing without ``/proc``."""
    if not os.path.exists("/proc/self/status"):
        return []
    found = []
    for group, tool in (("trivial", stage.trivial), ("artifacts-keyring", stage.azure)):
        if tool is None:
            continue
        azure = tool is stage.azure
        lookup = (stage.feed.url, uv7003.USERNAME) if azure else (scene.URL, scene.USERNAME)
        for name, where, word in (
            ("the tool's own keyring", tool.environment, "own"),
            ("the helper", stage.ours, "helper"),
        ):
            env = stage.variables(tool)
            found.append(Contestant(group, name, partial(_inside, where, env, word, *lookup)))
    return found


def _full_path(stage: Scene) -> dict[str, str]:
    """A PATH with hundreds of folders in which others have put something."""
    folder = stage.folder / "crowd"
    if not folder.is_dir():
        for number in range(500):
            (folder / str(number)).mkdir(parents=True)
            (folder / str(number) / "keyring").write_text("#!/bin/sh\n")
            (folder / str(number) / "keyring").chmod(0o755)
    entries = [os.fspath(folder / str(number)) for number in range(500)]
    return {**stage.variables(None), "PATH": os.pathsep.join([os.environ["PATH"], *entries])}


def _program(argv: list[str], env: dict[str, str], expected: str) -> Figures:
    """Run a program with no terminal; it must give the answer that is expected of it."""
    begin = time.perf_counter()
    result = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    if result.stdout.strip() != expected:
        msg = f"{argv[0]}: another answer than expected; status {result.returncode}\n{result.stderr}"
        raise SystemExit(msg)
    return {"seconds": seconds}


def _inside(where: Environment, env: dict[str, str], *words: str) -> Figures:
    """Run ``inside.py`` in an environment and return what it measured."""
    figures: Figures = json.loads(where.run([INSIDE, *words], env=env, check=True).stdout)
    return figures
