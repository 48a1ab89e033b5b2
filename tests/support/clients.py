"""A stage for clients of keyring: a person with a provider in the global tool only, and a private feed on loopback."""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable
from urllib.parse import urlsplit

from . import environments, interpreters, machine, providers
from .environments import Environment, Environments, Text, Tool
from .feed import Feed, download

USERNAME = "VssSessionToken"
Result = subprocess.CompletedProcess[str]

# Written by hand as its installation needs no index; it has a program so that pipx takes it.
_APP_INFO = "kf_app-1.0.dist-info"
_APP_SCRIPTS = "[console_scripts]\nkf-app = kf_app:main\n"
_APP = '"""An application."""\n\n\ndef main():\n    print("the application runs")\n'


@dataclass
class Stage:
    """What a client sees; one test's own, but for the environments, which are shared and for reading only."""

    folder: Path
    home: Path
    tool: Tool
    feed: Feed
    shared: Environments
    wheel: Path
    python: Path
    """The interpreter of the clients' environments."""

    def __post_init__(self) -> None:
        """Let the person have installed the tool, and let its provider know the feed's token."""
        if not machine.WINDOWS:  # a link there takes a privilege; UV_TOOL_DIR says the same
            data = self.home / ".local" / "share"
            data.mkdir(parents=True)
            (data / "uv").symlink_to(self.tool.home / ".local" / "share" / "uv", target_is_directory=True)
        self.log = self.folder / "asked.jsonl"
        self.tokens = self.folder / "tokens.json"
        self.tokens.write_text(json.dumps({urlsplit(self.feed.direct_url).hostname: self.feed.password}))

    @property
    def index(self) -> str:
        """The feed's URL without a username."""
        return self.feed.direct_url

    @property
    def index_with_username(self) -> str:
        """The feed's URL with a username in it."""
        return self.feed.with_username(USERNAME, self.index)

    def client(self, *requirements: Text, us: bool, python: Text | None = None) -> Environment:
        """A shared environment that has the packages and keyring, and keyring-fallback where *us* says so."""
        return client(self.shared, python or self.python, *requirements, *([self.wheel] if us else []))

    def environment(self, active: Environment | None = None, **extra: str) -> dict[str, str]:
        """The variables in the person's terminal, with an environment activated or not. Only loopback can be reached."""
        env = dict(os.environ)
        env["PATH"] = os.pathsep.join([os.fspath(self.tool.executables), env["PATH"]])
        env["STUB_TOKENS_FILE"] = os.fspath(self.tokens)
        env["STUB_TOKENS_LOG"] = os.fspath(self.log)
        env.update(HTTPS_PROXY=self.feed.proxy, https_proxy=self.feed.proxy, NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")
        env.update(
            PIP_CONFIG_FILE=os.devnull,  # also what this machine's administrator wrote
            PIP_INDEX_URL=self.index_with_username,
            UV_DEFAULT_INDEX=self.index_with_username,
            UV_CACHE_DIR=os.fspath(self.folder / "uv-cache"),
            UV_PYTHON_DOWNLOADS="never",
        )
        if machine.WINDOWS:
            env["UV_TOOL_DIR"] = os.fspath(self.tool.environment.root.parent)
        env.update(extra)
        return active.activated(env) if active else env

    def run(
        self, argv: list[Text], *, active: Environment | None = None, cwd: Path | None = None, **extra: str
    ) -> Result:
        """Run a program as the person would; the feed's token must not come out of it."""
        result = environments.run(argv, env=self.environment(active, **extra), cwd=cwd or self.folder)
        assert self.feed.password not in result.stdout + result.stderr
        return result

    def module(self, client: Environment, *argv: Text, cwd: Path | None = None, **extra: str) -> Result:
        """``python -m ARGV`` in the active environment *client*."""
        return self.run([client.python, "-m", *argv], active=client, cwd=cwd, **extra)

    def proves(self, wanted: str, command: Callable[[bool], Result]) -> Result:
        """Check that *command* (told whether it has us) gets *wanted* from the feed with us, and nothing without us."""
        refused(self.feed, command(False))  # noqa: FBT003 - the parameter is what differs
        result = command(True)  # noqa: FBT003
        self.works(wanted, result)
        return result

    def works(self, wanted: str, result: Result) -> None:
        """Check that a program succeeded and was served *wanted*."""
        works(self.feed, wanted, result)

    def asked(self) -> set[str]:
        """What the provider in the tool has been asked, with words for what is this stage's own."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        words = {
            self.index: "URL",
            self.index.rstrip("/"): "URL",
            self.index_with_username: "URL-WITH-USERNAME",
            self.feed.upload_url: "PUBLISH-URL",
            USERNAME: "USERNAME",
        }
        calls = set()
        for method, *arguments in map(json.loads, lines):
            named = [words.get(argument, argument if argument is None else f'"{argument}"') for argument in arguments]
            calls.add(f"{method}({', '.join(map(str, named))})".replace("feed", "NAME"))
        return calls

    def forget(self) -> None:
        """Begin anew with what the feed and the tool have been asked."""
        self.feed.requests.clear()
        self.log.unlink(missing_ok=True)

    def project(self, name: str, *lines: str) -> Path:
        """The folder of a project that is built with flit and has a built wheel; *lines* go into pyproject.toml."""
        folder = self.folder / name
        folder.mkdir()
        text = ["[build-system]", 'requires = ["flit-core"]', 'build-backend = "flit_core.buildapi"']
        text += ["[project]", 'name = "kf-app"', 'version = "1.0"', 'description = "An application"']
        text += [f'requires-python = ">={platform.python_version()}"', *lines]
        (folder / "pyproject.toml").write_text("\n".join([*text, ""]), encoding="utf-8")
        (folder / "kf_app.py").write_text(_APP, encoding="utf-8")
        application(folder / "dist")
        return folder


def client(shared: Environments, python: Text, *requirements: Text) -> Environment:
    """A shared environment that has the packages and keyring; what runs in it compiles what it uses."""
    wanted = (*requirements, "keyring")
    chosen = environments.interpreter(python)
    return Environment(
        shared.once(
            "client", lambda root: environments.create(root, chosen, *wanted, share_files=True), chosen, *wanted
        )
    )


def refused(feed: Feed, result: Result) -> None:
    """Check that a program failed for want of credentials, and for no other reason."""
    output = result.stdout + result.stderr
    assert result.returncode != 0, f"the control works\n{output}"
    assert set(feed.statuses()) <= {401}, f"the control was served\n{output}"
    # Some programs know that they need credentials, and do not even ask the feed.
    assert feed.statuses() or re.search("credential|password|keyring", output, re.IGNORECASE), output


def works(feed: Feed, wanted: str, result: Result) -> None:
    """Check that a program succeeded and was served *wanted*."""
    assert 0 == result.returncode, result.stdout + result.stderr
    assert 200 in feed.statuses(wanted), f"nothing was served\n{result.stdout}{result.stderr}"


def application(folder: Path) -> Path:
    """The wheel of an application that needs nothing."""
    files = {f"{_APP_INFO}/entry_points.txt": _APP_SCRIPTS}
    return providers.make_provider(folder, "kf-app", _APP, "", requires=(), files=files)


def wheels(folder: Path, wheel: Path) -> None:
    """Fill *folder* with what clients want from the feed: build requirements, six, us with what we need, and pip."""
    download(folder, "six", wheel)
    # pipx wants a new pip whatever Python the tests run on.
    download(folder, "--no-deps", "--python-version", "3.12", "pip", "flit-core")
    shutil.copy(wheel, folder)
    application(folder)


def interpreter() -> Path | None:
    """The interpreter for clients: the present one if it is recent enough for all of them, or the newest there is."""
    recent = [name for name in interpreters.available() if int(name.split(".")[1]) >= 10]
    current = next((name for name in recent if interpreters.find(name) == interpreters.current()), None)
    name = current or (recent[-1] if recent else None)
    return interpreters.find(name) if name else None


def feed(folder: Path, source: Path) -> Feed:
    """A feed, with a new token, of copies of the wheels in *source*: uploads go there too; to be used in a ``with``."""
    shutil.copytree(source, folder)
    return Feed(folder, password=secrets.token_hex(16))
