"""Clients with the real provider of Azure in the global tool; the other tests of clients have a smaller one there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from support import clients, environments, uv7003

if TYPE_CHECKING:
    from pathlib import Path

    from support.environments import Environments

PROJECT = """\
[build-system]
requires = ["flit-core"]
build-backend = "flit_core.buildapi"
[project]
name = "kf-app"
version = "1.0"
description = "An application"
requires-python = ">=3.9"
dependencies = ["six"]
[[tool.poetry.source]]
name = "feed"
priority = "primary"
"""

COMMANDS = {
    "pip": ("pip", "/six", ["pip", "download", "--keyring-provider", "import", "--no-deps", "--no-cache-dir", "six"]),
    "build": ("build[virtualenv]", "/flit", ["build", "--wheel"]),
    "poetry": ("poetry", "/six", ["poetry", "lock", "--no-cache", "--no-interaction"]),
}


@pytest.mark.parametrize("client", COMMANDS)
def test_client_with_the_real_provider(
    tmp_path: Path, shared_environments: Environments, wheel: Path, client: str
) -> None:
    """pip, build and poetry get what they want with Azure's own provider in the global tool, and do not without us."""
    python = clients.interpreter()
    if (choice := uv7003.provider()) is None or python is None:
        pytest.skip(
            "artifacts-keyring has no wheel for any Python of this machine, or no CPython here is 3.10 or newer"
        )
    tool = shared_environments.uv_tool(choice[0], choice[1])
    requirement, wanted, argv = COMMANDS[client]
    source = shared_environments.once("clients-feed", lambda path: clients.wheels(path, wheel), wheel)
    with clients.feed(tmp_path / "feed", source) as feed:
        story = uv7003.Story(tmp_path / "project", tool, feed, python)
        text = PROJECT + f'url = "{feed.url}"\n'
        (story.folder / "pyproject.toml").write_text(text, encoding="utf-8")
        (story.folder / "kf_app.py").write_text('"""An application."""\n', encoding="utf-8")
        for us in (False, True):
            environment = clients.client(shared_environments, python, requirement, *([wheel] if us else []))
            env = environment.activated(story.environment(active=False))
            env.update(PIP_INDEX_URL=feed.with_username(uv7003.USERNAME), PIP_CONFIG_FILE=os.devnull)
            env["PIP_TRUSTED_HOST"] = urlsplit(feed.url).netloc  # by http: the feed has no certificate for that name
            # poetry asks without the slash at the end, and in this variable the URL has to be exactly what is asked for
            env["VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"] = env["VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"].replace(
                feed.url, feed.url.rstrip("/") if client == "poetry" else feed.url
            )
            for name in ("POETRY_CONFIG_DIR", "POETRY_DATA_DIR", "POETRY_CACHE_DIR"):
                env[name] = os.fspath(tmp_path / name)  # the home folder is shared
            result = environments.run([environment.python, "-m", *argv], env=env, cwd=story.folder)
            assert feed.password not in result.stdout + result.stderr
            if us:
                clients.works(feed, wanted, result)
            else:
                clients.refused(feed, result)
