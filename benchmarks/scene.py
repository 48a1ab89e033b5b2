"""Builds what is measured: real environments and tools, compiled, for one interpreter."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from support import clouds, environments, interpreters, lending, machine, providers, uv7003

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.environments import Environment, Text, Tool
    from support.feed import Feed

REPOSITORY = Path(__file__).resolve().parent.parent

#: What the trivial provider answers for, and with.
URL, USERNAME, PASSWORD = "https://served.example/simple/", "someone", "answer"
OTHER_URL = "https://other.example/simple/"

#: The least that a provider can be: all that is measured is the way to it.
TRIVIAL = f"""\
from keyring.backend import KeyringBackend

class Trivial(KeyringBackend):
    priority = 9

    def get_password(self, service, username):
        return {PASSWORD!r} if service == {URL!r} else None

    def set_password(self, service, username, password):
        raise NotImplementedError
"""


@dataclass
class Scene:
    """What is there to be measured.

    Attributes:
        folder: Where everything is.
        python: The interpreter of all environments.
        plain: An environment with keyring alone.
        ours: An environment with keyring and us.
        trivial: A tool with the trivial provider.
        azure: A tool with artifacts-keyring, or None where that has no wheel for the interpreter.
        feed: The private feed that artifacts-keyring has a token for.
        google, amazon: Tools with Google's and Amazon's providers.
        clouds: What these two get their tokens from, on loopback.
        subprocess: An environment with keyring-subprocess.
        subprocess_tool: The tool with the trivial provider, and with the executable that keyring-subprocess runs.
        pybridge: An environment with keyring-pybridge.
        pybridge_python: The interpreter of `trivial` that keyring-pybridge runs.
    """

    folder: Path
    python: Path
    plain: Environment
    ours: Environment
    trivial: Tool
    azure: Tool | None
    feed: Feed
    google: Tool
    amazon: Tool
    clouds: clouds.Clouds
    subprocess: Environment
    subprocess_tool: Tool
    pybridge: Environment
    pybridge_python: Path

    def variables(self, tool: Tool | None) -> dict[str, str]:
        """The environment of a person who has this tool, or none."""
        home = self.folder / "nobody" if tool is None else tool.home
        env = {**os.environ, **machine.home_variables(home)}
        if tool is self.google or tool is self.amazon:
            env.update(self.clouds.variables())
        if tool is not None and tool is self.azure:
            env.update(self.feed.proxy_environment())
            endpoint = {"endpoint": self.feed.url, "username": uv7003.USERNAME, "password": self.feed.password}
            env["VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"] = json.dumps({"endpointCredentials": [endpoint]})
            env["ARTIFACTS_KEYRING_NONINTERACTIVE_MODE"] = "true"
        return env

    def lent(self, tool: Tool) -> dict[str, str]:
        """The environment of a person for whom the tool is lent on this machine: its folder for sockets is apart."""
        return {**self.variables(tool), "XDG_RUNTIME_DIR": os.fspath(self.folder / f"run-{tool.home.name}")}

    @contextlib.contextmanager
    def lenders(self) -> Iterator[None]:
        """Have a lender for each tool that is measured so."""
        hosts = {self.trivial: URL, self.google: clouds.GOOGLE, self.amazon: clouds.AMAZON}
        with contextlib.ExitStack() as stack:
            for tool, url in hosts.items():
                env = self.lent(tool)
                Path(env["XDG_RUNTIME_DIR"]).mkdir(mode=0o700)
                stack.enter_context(lending.Lender(self.ours, str(urlsplit(url).hostname), env=env))
            yield


@contextlib.contextmanager
def built(folder: Path) -> Iterator[Scene]:
    """Build everything below a folder; the feed runs as long as the context is open."""
    (folder / "nobody").mkdir()
    choice = uv7003.provider()
    python = choice[0] if choice else interpreters.current()
    say("Building our wheel, the environments and the tools (some 60 MB are fetched once) ...")
    wheel = _our_wheel(folder)
    provider = providers.make_provider(folder / "provider", "trivial", TRIVIAL)

    def venv(name: str, *packages: Text) -> Environment:
        return environments.create(folder / name, python, *packages, compile_bytecode=True)

    def tool(name: str, *packages: Text) -> Tool:
        made = environments.uv_tool(folder / name, python, *packages)
        env = {key: value for key, value in machine.building().items() if key != "PYTHONDONTWRITEBYTECODE"}
        made.environment.run(["-m", "compileall", "-q", made.environment.site_packages], env=env)
        return made

    trivial = tool("home-trivial", provider)
    # keyring-pybridge takes two environments of one base interpreter for one: it compares what links lead to
    copy = trivial.environment.script("python-copy")
    shutil.copy(trivial.environment.python.resolve(), copy)
    with uv7003.feed(folder / "provider") as feed, clouds.Clouds() as both:
        scene = Scene(
            folder=folder,
            python=python,
            plain=venv("plain", "keyring"),
            ours=venv("ours", "keyring", wheel),
            trivial=trivial,
            azure=tool("home-azure", choice[1]) if choice else None,
            feed=feed,
            google=tool("home-google", "keyrings.google-artifactregistry-auth"),
            amazon=tool("home-amazon", "keyrings.codeartifact"),
            clouds=both,
            subprocess=venv("subprocess", "keyring", "keyring-subprocess"),
            subprocess_tool=tool("home-subprocess", provider, "keyring-subprocess[landmark]"),
            pybridge=venv("pybridge", "keyring", "keyring-pybridge"),
            pybridge_python=copy,
        )
        with scene.lenders():
            yield scene


def _our_wheel(folder: Path) -> Path:
    """The wheel that tox or the caller built, or one built now."""
    given = machine.ENVIRON.get("KEYRING_FALLBACK_WHEEL") or machine.ENVIRON.get("TOX_PACKAGE")
    return Path(given) if given else environments.build_wheel(REPOSITORY, folder / "wheel")


def say(text: str) -> None:
    """Tell the person who waits."""
    print(text, file=sys.stderr, flush=True)
