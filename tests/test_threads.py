"""The pipes as Windows needs them, with threads: they run on every system, so they are tested on every system."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from keyring.testing.backend import BackendBasicTests

import keyring_fallback
from keyring_fallback import bridge, pipes, process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.environments import Environments


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Choose the pipes that are chosen on Windows; helpers of other tests are left alone."""
    registry = bridge._Registry()  # noqa: SLF001 - with helpers of its own
    monkeypatch.setattr(pipes, "Selected", pipes.Threaded)
    monkeypatch.setattr(bridge, "_registry", registry)
    yield
    for session in registry.sessions.values():
        session.close(kill=True)


@pytest.mark.filterwarnings("ignore:Empty usernames are deprecated:DeprecationWarning")
class TestGlobalKeyring(BackendBasicTests):
    """keyring's conformance suite through a helper whose pipes are read by threads."""

    @pytest.fixture(autouse=True)
    def tool(
        self,
        shared_environments: Environments,
        python: Path,
        demo_store: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A second environment, and a store in a file of its own for each test."""
        root = shared_environments.get(python, "keyring", demo_store).root
        monkeypatch.setenv("KEYRING_PROPERTY_FALLBACK_TOOL", os.fspath(root))
        monkeypatch.setenv("DEMO_STORE_FILE", os.fspath(tmp_path / "store.json"))

    def init_keyring(self) -> keyring_fallback.GlobalKeyring:
        """What the suite tests."""
        return keyring_fallback.GlobalKeyring()

    def test_large_password(self) -> None:
        """What does not fit into a pipe at once is written by a thread of its own."""
        password = "\u00e9" * 200_000
        self.set_password("service", "user", password)
        assert password == self.keyring.get_password("service", "user")


class Nobody:
    """Hears stderr for nobody."""

    def heard(self, data: bytes) -> None:
        """Take it."""

    def pause(self) -> float:
        """Nothing is ever due."""
        return 60.0


def started(code: str) -> process.Process:
    """Start a Python program whose stderr is listened to."""
    return process.Process([sys.executable, "-c", code], dict(os.environ), listen=True)


def test_time_limit_holds_while_a_child_keeps_the_pipe() -> None:
    """A program that never answers, and whose child holds its pipes, keeps nobody longer than the time limit."""
    child = "import time; time.sleep(60)"
    running = started(f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}]).wait()")
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        running.collect(lambda _: False, 1.0, Nobody())
    running.kill()
    assert time.monotonic() - begun < 20
    assert running.status() is not None


def test_end_of_a_program_is_noticed() -> None:
    """What a program has written is given back once it has ended, and its exit status told."""
    running = started("print('all', flush=True); raise SystemExit(3)")
    running.send(b"x" * 100_000, end=True)  # nobody reads it
    assert b"all" == running.collect(lambda _: False, 30.0, Nobody()).strip()
    assert 3 == running.wait(10.0)
    running.kill()
