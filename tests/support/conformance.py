"""keyring's own conformance suite through GlobalKeyring, to a writable store in a second environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from keyring.testing.backend import BackendBasicTests

import keyring_fallback

if TYPE_CHECKING:
    from pathlib import Path

    from .environments import Environments


class Conformance(BackendBasicTests):
    """All of ``keyring.testing.backend.BackendBasicTests`` (keyring 25.7.0: 15 tests)."""

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

    def test_empty_username(self) -> None:
        """keyring expects that to fail on Windows, where its store is the vault (jaraco/keyring#668): ours is not."""
        super().test_empty_username()
