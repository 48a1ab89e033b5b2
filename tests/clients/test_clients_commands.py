"""Three registries, three clients, and nothing but a command: no provider, no tool."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keyring_fallback import config
from support import clients, environments, hostile
from support.clouds import AMAZON, GOOGLE
from support.feed import AZURE, Feed, download

if TYPE_CHECKING:
    from support.environments import Environments

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the commands are shell scripts")

DOCS = Path(__file__).parent.parent.parent / "docs" / "commands.md"
#: By the program: the registry's index, and the user name there.
REGISTRIES = {
    "az": (AZURE, "VssSessionToken"),
    "gcloud": (GOOGLE, "oauth2accesstoken"),
    "aws": (AMAZON.replace("demo-", "corp-").replace("us-east-1", "eu-west-1"), "aws"),
}
TOKEN = "canary-of-a-command"  # noqa: S105 - it opens a feed on loopback


def rows() -> dict[str, str]:
    """The rows that docs/commands.md tells people to write, by the program."""
    written = [line.strip() for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("    ")]
    return {row.partition(" = ")[2].split()[0]: row for row in written if " = " in row}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the feeds serve."""
    folder = tmp_path_factory.mktemp("packages")
    download(folder, "six")
    return folder


@pytest.mark.parametrize("name", list(REGISTRIES))
def test_a_command_is_all_that_it_takes(
    home: Path, tmp_path: Path, shared_environments: Environments, python: Path, wheel: Path, packages: Path, name: str
) -> None:
    """uv, pip and poetry install with the row of docs/commands.md; without it each of them gets 401."""
    url, username = REGISTRIES[name]
    row = rows()[name]
    folder = tmp_path / "bin"
    folder.mkdir()
    # what it prints, it prints for just these words
    words = " ".join(shlex.split(row.partition(" = ")[2])[1:])
    hostile.executable(folder / name, f'#!/bin/sh\n[ "$*" = {shlex.quote(words)} ] && echo {TOKEN}\n')
    file = Path(config.read(os.environ, os.fspath(home), sys.platform).file)
    file.parent.mkdir(parents=True, exist_ok=True)
    environment = clients.client(shared_environments, clients.interpreter() or python, "poetry", "pip", "uv", wheel)
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["six"]\n'
        f'[tool.poetry]\npackage-mode = false\n[[tool.poetry.source]]\nname = "feed"\npriority = "primary"\nurl = "{url}"\n'
    )
    to = ["--target", os.fspath(tmp_path / "site"), "six"]
    with Feed(packages, password=TOKEN, url=url) as feed:
        env = {**environment.activated(os.environ), **feed.proxy_environment(), "PIP_CONFIG_FILE": os.devnull}
        env["PATH"] = os.pathsep.join([os.fspath(environment.scripts), os.fspath(folder), env["PATH"]])
        index = feed.with_username(username)
        pip = ["pip", "install", "--no-cache-dir", "--no-input", "--upgrade", "--trusted-host", feed.host]
        asking = {
            "uv": ["uv", "pip", "install", "--no-cache", "--default-index", index, *to],
            "pip": [*pip, "--keyring-provider", "import", "--index-url", index, *to],
            "poetry": ["poetry", "lock", "--no-interaction", "--no-cache"],
        }
        # without a row they get nothing, which one of the three shows
        for written in ["", row] if name == "az" else [row]:
            file.write_text(f"[fallback.commands]\n{written}\n")
            for words_of_client in asking.values():
                feed.requests.clear()
                argv: list[environments.Text] = [environment.script(words_of_client[0]), *words_of_client[1:]]
                result = environments.run(argv, env={**env, "UV_KEYRING_PROVIDER": "subprocess"}, cwd=project)
                assert TOKEN not in result.stdout + result.stderr
                if written:
                    clients.works(feed, "/six", result)
                else:
                    clients.refused(feed, result)
