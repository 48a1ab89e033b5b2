"""The case that the project exists for, astral-sh/uv#7003, with real uv and the real Azure provider, offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import uv7003

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from support.environments import Environments, Tool
    from support.feed import Feed


@pytest.fixture(scope="module")
def tool(shared_environments: Environments, azure: tuple[Path, str]) -> Tool:
    """The global tool: ``uv tool install keyring --with artifacts-keyring``."""
    return shared_environments.uv_tool(*azure)


@pytest.fixture
def feed(feed_wheels: Path) -> Iterator[Feed]:
    """The private feed, with our wheel on it."""
    with uv7003.feed(feed_wheels) as running:
        yield running


def _worked(result: subprocess.CompletedProcess[str], feed: Feed) -> bool:
    """Whether uv succeeded; it must not show the token in any case."""
    assert feed.password not in result.stdout + result.stderr
    return result.returncode == 0


def _answered(result: subprocess.CompletedProcess[str], feed: Feed) -> bool:
    """Whether keyring gave the token; a failing assertion does not print it."""
    return result.stdout.strip() == feed.password


@pytest.mark.parametrize(
    ("always", "complaint"),
    [(False, "(401 Unauthorized)"), (True, "Missing credentials for")],
    ids=["username in the URL", "authenticate = always"],
)
def test_uv_add_in_the_active_venv(
    tmp_path: Path, tool: Tool, feed: Feed, python: Path, *, always: bool, complaint: str
) -> None:
    """``uv add`` fails once the active venv has keyring, and works again once it has keyring-fallback too."""
    story = uv7003.Story(tmp_path / "project", tool, feed, python, authenticate_always=always)
    asked = story.keyring("get", feed.url, uv7003.USERNAME, active=False)
    assert _answered(asked, feed), asked.stderr
    first = story.uv_add("keyring", active=True)
    assert _worked(first, feed), first.stderr

    without_us = story.uv_add("six", active=True)
    assert not _worked(without_us, feed)
    assert complaint in without_us.stderr
    assert 200 not in feed.statuses("/six")

    # Outside of the venv it is the global keyring that answers: so the cure can be had from the same feed.
    cure = story.uv_add("keyring-fallback", active=False)
    assert _worked(cure, feed), cure.stderr
    with_us = story.uv_add("six", active=True)
    assert _worked(with_us, feed), with_us.stderr
    assert 200 in feed.statuses("/six")
    assert story.venv.run(["-c", "import six"]).returncode == 0
    asked = story.keyring("get", feed.url, uv7003.USERNAME)
    assert _answered(asked, feed), asked.stderr
    assert asked.stderr == "", "there is nothing to say where all went well"


def test_uv_add_where_the_provider_raises(tmp_path: Path, tool: Tool, feed: Feed, python: Path) -> None:
    """Azure's provider raises for a feed it has no token for: uv says 401, keyring one line at most, no traceback."""
    story = uv7003.Story(tmp_path / "project", tool, feed, python)
    added = story.uv_add("keyring", "keyring-fallback", active=False)
    assert _worked(added, feed), added.stderr
    unknown = feed.url.replace("/feed/", "/another/")
    asked_globally = story.keyring("get", unknown, uv7003.USERNAME, active=False)
    assert "RuntimeError" in asked_globally.stderr, "the provider no longer raises: this test tests nothing"

    asked = story.keyring("get", unknown, uv7003.USERNAME)
    assert (asked.returncode, asked.stdout) == (1, "")
    assert len(asked.stderr.splitlines()) <= 1, asked.stderr
    refused = story.uv_add("six", active=True, index=unknown)
    assert not _worked(refused, feed)
    assert "401" in refused.stderr
    assert "Traceback" not in refused.stderr
    # One failure does not spoil the next lookup.
    assert _worked(story.uv_add("six", active=True), feed)
