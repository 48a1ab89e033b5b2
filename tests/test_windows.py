"""Windows for real, under Wine: what runs is a Windows Python, uv.exe, and Azure's provider with its .NET program."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from support import providers, uv7003, wine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.environments import Environments
    from support.feed import Feed
    from support.wine import Venv, Windows


@pytest.fixture(scope="module")
def windows() -> Windows:
    """The machine."""
    try:
        return wine.ready()
    except wine.MissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def tool(windows: Windows, shared_environments: Environments) -> Venv:
    """The global tool: ``uv tool install keyring`` with Azure's provider and with one that tests write."""

    def build(folder: Path) -> None:
        scripted = providers.make_provider(folder, "scripted-there", providers.source("scripted_there"))
        windows.tool(folder / "tools", "artifacts-keyring", scripted)

    return wine.Venv(shared_environments.once("windows-tool", build) / "tools" / "keyring")


@pytest.fixture(scope="module")
def venv(windows: Windows, shared_environments: Environments, wheel: Path) -> Venv:
    """An environment with us in it."""
    build = shared_environments.once
    return wine.Venv(build("windows", lambda folder: windows.venv(folder / "venv", wheel) and None, wheel) / "venv")


@pytest.fixture
def feed(windows: Windows, tmp_path: Path, wheel: Path) -> Iterator[Feed]:
    """The private feed, with our wheel on it."""
    folder = tmp_path / "feed"
    folder.mkdir()
    for one in (wheel, *windows.wheels.glob("*.whl")):
        shutil.copy(one, folder)
    with uv7003.feed(folder) as running:
        yield running


def test_uv_7003(windows: Windows, tool: Venv, feed: Feed, tmp_path: Path) -> None:
    """uv.exe fails once the active environment has keyring, and works again once it has keyring-fallback too."""
    active = windows.venv(tmp_path / "project")
    # uv.exe looks for keyring beside itself before it does on PATH, as every program does that Windows starts
    path = [active.scripts, tool.root.parent / "bin"]
    extra = {
        **windows.tool_variables(tool.root.parent),
        **feed.proxy_environment(),
        **uv7003.provider_variables(feed),
        "WINEPATH": ";".join(map(windows.windows, path)),
        "UV_KEYRING_PROVIDER": "subprocess",
        "UV_DEFAULT_INDEX": feed.with_username(uv7003.USERNAME),
        "VIRTUAL_ENV": windows.windows(active.root),
        "UV_LINK_MODE": "copy",
    }

    def install(name: str) -> tuple[bool, str]:
        done = windows.run([windows.uv, "pip", "install", "--no-cache", name], **extra)
        assert feed.password not in done.stdout + done.stderr
        return done.returncode == 0, done.stderr

    first, said = install("keyring")
    assert first, said
    without_us, said = install("six")
    assert not without_us
    assert "401" in said
    windows.install(active, next(feed.wheels.glob("keyring_fallback-*.whl")))
    with_us, said = install("six")
    assert with_us, said
    assert 200 in feed.statuses("/six")
