"""keyring's own conformance suite through GlobalKeyring, to a writable store in a second environment."""

from __future__ import annotations

import pytest

from support.conformance import Conformance


@pytest.mark.filterwarnings("ignore:Empty usernames are deprecated:DeprecationWarning")
class TestGlobalKeyring(Conformance):
    """Through a helper, as it is."""


def test_the_suite_is_whole() -> None:
    """The suite that ran has no fewer tests than the one of keyring 25.7.0: none went missing by a wrong name."""
    assert 15 <= len([name for name in dir(TestGlobalKeyring) if name.startswith("test_")])
