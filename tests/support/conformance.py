"""keyring's own conformance suite through GlobalKeyring, to a writable store in a second environment."""

from __future__ import annotations

import pytest
from keyring.testing.backend import BackendBasicTests

import keyring_fallback


@pytest.mark.usefixtures("tool_with_a_store")
class Conformance(BackendBasicTests):
    """All of ``keyring.testing.backend.BackendBasicTests`` (keyring 25.7.0: 15 tests)."""

    def init_keyring(self) -> keyring_fallback.GlobalKeyring:
        """What the suite tests."""
        return keyring_fallback.GlobalKeyring()

    def test_empty_username(self) -> None:
        """keyring expects that to fail on Windows, where its store is the vault (jaraco/keyring#668): ours is not."""
        super().test_empty_username()
