"""The README's way from "it does not work" to "it works": its commands are run, and print what it shows."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import environments, machine, uv7003

if TYPE_CHECKING:
    import subprocess

    from support.environments import Environments

URL = "https://pkgs.dev.azure.com/ORG/_packaging/FEED/pypi/simple/"
#: A block of the README that is indented, and a command in its prose.
BLOCK, INLINE = r"(?m)(?:^ {4}.*\n(?:\n(?= {4}))?)+", r"`([^`\n]*keyring-fallback doctor[^`\n]*)`"


def section(title: str) -> str:
    """What stands under a heading of the README."""
    text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def commands(text: str) -> list[str]:
    """The commands of the blocks that show no output, without what stands behind them."""
    blocks = [one for one in re.findall(BLOCK, text) if "$ " not in one]
    return [re.split(r"  +#", line.strip())[0] for one in blocks for line in one.splitlines() if line.strip()]


@pytest.mark.skipif(machine.WINDOWS, reason="the commands are for a POSIX shell here")
def test_from_does_not_work_to_works(
    shared_environments: Environments,
    wheel: Path,
    python: Path,
    tmp_path: Path,
    feed_wheels: Path,
    azure: tuple[Path, str],
) -> None:
    """uvx' doctor, the cure, and each command of the section that checks it: what is shown is what is printed."""
    tool = shared_environments.uv_tool(*azure)
    with uv7003.feed(feed_wheels) as feed:
        story = uv7003.Story(tmp_path / "app", tool, feed, python, authenticate_always=True)
        added = story.uv_add("keyring", active=False)
        assert 0 == added.returncode, added.stderr
        env = {**machine.building(UV_FIND_LINKS=str(wheel.parent)), **story.environment(active=True)}
        env.update(UV_CACHE_DIR=machine.building()["UV_CACHE_DIR"], NO_PROXY="127.0.0.1", COLUMNS="80")
        env["PATH"] += os.pathsep + os.path.dirname(machine.uv())

        def run(command: str, status: int = 0) -> subprocess.CompletedProcess[str]:
            words = command.replace(URL, feed.url).replace("doctor --fix URL", f"doctor --fix {feed.url}")
            result = environments.run(["/bin/sh", "-c", words], env=env, cwd=story.folder)
            assert status == result.returncode, (command, result.stdout, result.stderr)
            return result

        def printed(command: str, status: int) -> str:
            said = run(command, status).stdout
            for real, name in ((str(story.folder), "~/app"), (str(tool.home), "~"), (feed.url, URL)):
                said = said.replace(real, name)
            return " ".join(said.split())

        check = section("Check")
        shown = [one for one in re.findall(BLOCK, check) if one.lstrip().startswith("$ ")]
        before, after = ((one.split("\n", 1)[0].strip()[2:], " ".join(one.split("\n", 1)[1].split())) for one in shown)
        assert printed(before[0], 1).startswith(before[1])
        cures = [one for one in commands(section("The cure")) if not one.startswith("$env:")]  # PowerShell's
        cures.sort(key=lambda one: not one.startswith("PATH="))  # the venv's keyring is in the way of the others
        for cure in cures:
            run(cure)
        assert printed(after[0], 0).startswith(after[1])
        checks = [*commands(check), *re.findall(INLINE, check)]
        for command in checks:
            run(command)
        assert (3, 4) == (len(cures), len(checks))
