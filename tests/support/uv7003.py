"""The stage of astral-sh/uv#7003: a person with Azure's keyring provider in the global tool, and a project of theirs.

Everything is real (uv, keyring, artifacts-keyring with Microsoft's credential provider) but the feed, which is the
loopback one; the provider takes its token from an environment variable, so that no account is needed.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import environments, interpreters, machine
from .feed import Feed, download

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

USERNAME = "VssSessionToken"

# Its wheels are for one Python each; the first release that has them for 3.14 is still a candidate.
_PROVIDER_FOR = {
    **dict.fromkeys(("3.13", "3.12", "3.11", "3.10", "3.9"), "artifacts-keyring>=1"),
    "3.14": "artifacts-keyring>=2.0.0rc5",
}


def provider() -> tuple[Path, str] | None:
    """An interpreter for the global tool, and the requirement for Azure's provider there; None if there is no such."""
    names = [name for name in _PROVIDER_FOR if interpreters.find(name)]
    # A person's tool has no candidate; the Python that we run on is certain to be whole.
    names.sort(key=lambda name: ("rc" in _PROVIDER_FOR[name], interpreters.find(name) != interpreters.current()))
    return (environments.interpreter(names[0]), _PROVIDER_FOR[names[0]]) if names else None


def wheels(folder: Path, wheel: Path) -> None:
    """Fill *folder* with all that the feed is to serve: *wheel* (ours), keyring and six, with what they need."""
    folder.mkdir(parents=True)
    shutil.copy(wheel, folder)
    download(folder, "six", folder / wheel.name)


def feed(folder: Path) -> Feed:
    """The private feed, with a new token, for the wheels in *folder*; to be used in a ``with``."""
    return Feed(folder, password=secrets.token_hex(16))


def provider_variables(feed: Feed) -> dict[str, str]:
    """What the real provider hands out for exactly the feed's URL; for another one of its host it fails."""
    endpoint = {"endpoint": feed.url, "username": USERNAME, "password": feed.password}
    return {
        "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS": json.dumps({"endpointCredentials": [endpoint]}),
        "ARTIFACTS_KEYRING_NONINTERACTIVE_MODE": "true",
    }


@dataclass
class Story:
    """One project with a venv, seen from the terminal of the person who works on it."""

    folder: Path
    tool: environments.Tool
    feed: Feed
    python: Path
    authenticate_always: bool = False
    """Use an index without a username in its URL, with uv's setting ``authenticate = "always"``."""

    def __post_init__(self) -> None:
        """Write the project and make its venv."""
        self.folder.mkdir(parents=True)
        program = (
            "import platform, sys; print(platform.python_version(), platform.python_implementation(), sys.platform)"
        )
        version, implementation, system = environments.run([self.python, "-c", program], check=True).stdout.split()
        here = f"platform_python_implementation == '{implementation}' and sys_platform == '{system}'"
        lines = ["[project]", 'name = "app"', 'version = "1"', f'requires-python = ">={version}"']
        # uv resolves for every platform that there is, and the feed has what this one needs.
        lines += ["[tool.uv]", f'environments = ["{here}"]']
        if self.authenticate_always:
            url = self.feed.url
            lines += [
                "[[tool.uv.index]]",
                'name = "feed"',
                f'url = "{url}"',
                "default = true",
                'authenticate = "always"',
            ]
        (self.folder / "pyproject.toml").write_text("\n".join([*lines, ""]), encoding="utf-8")
        self.venv = environments.create(self.folder / ".venv", self.python)

    def environment(self, *, active: bool) -> dict[str, str]:
        """The variables in the person's terminal, with the project's venv activated or not."""
        env = {**os.environ, **machine.home_variables(self.tool.home), **self.feed.proxy_environment()}
        env["PATH"] = os.pathsep.join([os.fspath(self.tool.executables), env["PATH"]])
        env["UV_PYTHON_DOWNLOADS"] = "never"
        env["UV_KEYRING_PROVIDER"] = "subprocess"
        if not self.authenticate_always:
            env["UV_DEFAULT_INDEX"] = self.feed.with_username(USERNAME)
        env.update(provider_variables(self.feed))
        return self.venv.activated(env) if active else env

    def uv_add(self, *packages: str, active: bool, index: str | None = None) -> subprocess.CompletedProcess[str]:
        """``uv add PACKAGES``, with nothing in uv's cache; from the feed, or from the index at another URL."""
        env = self.environment(active=active)
        if index is not None:
            env["UV_DEFAULT_INDEX"] = self.feed.with_username(USERNAME, index)
        result = environments.run([machine.uv(), "add", "--no-cache", *packages], env=env, cwd=self.folder)
        self.venv.leave_stores_out()
        return result

    def keyring(self, *args: str, active: bool = True) -> subprocess.CompletedProcess[str]:
        """``keyring ARGS``: the venv's where it is active and has one, else the global tool's."""
        env = self.environment(active=active)
        return environments.run(
            [shutil.which("keyring", path=env["PATH"]) or "keyring", *args], env=env, cwd=self.folder
        )
