"""The stage that each client plays on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import client_table, clients

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.environments import Environments


def pytest_configure(config: pytest.Config) -> None:
    """Let tests be rows of the table in docs/clients.md."""
    config.addinivalue_line("markers", client_table.MARKER)


@pytest.fixture
def stage(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    home: Path,
    shared_environments: Environments,
    wheel: Path,
    stub_tokens: Path,
) -> Iterator[clients.Stage]:
    """A person with the global tool ``keyring --with stub-tokens``, and a feed that wants its token."""
    yield from on_stage(request, tmp_path, home, shared_environments, wheel, stub_tokens)


@pytest.fixture
def stage_with_store(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    home: Path,
    shared_environments: Environments,
    wheel: Path,
    stub_tokens: Path,
    demo_store: Path,
) -> Iterator[clients.Stage]:
    """The same with a provider in the tool that stores passwords, too."""
    yield from on_stage(request, tmp_path, home, shared_environments, wheel, stub_tokens, demo_store)


def on_stage(
    request: pytest.FixtureRequest, folder: Path, home: Path, shared: Environments, wheel: Path, *in_tool: Path
) -> Iterator[clients.Stage]:
    """The stage; at its end the tool has been asked what the test's row in the table says.

    Where no interpreter here is recent enough for the clients, the test is skipped.
    """
    if (python := clients.interpreter()) is None:
        pytest.skip("this machine has no CPython 3.10 or newer, which the clients need")
    tool = shared.uv_tool(python, *in_tool)
    source = shared.once("clients-feed", lambda path: clients.wheels(path, wheel), wheel)
    with clients.feed(folder / "feed", source) as feed:
        stage = clients.Stage(folder, home, tool, feed, shared, wheel, python)
        yield stage
    if marker := request.node.get_closest_marker("client"):
        row, asked = marker.kwargs["row"], stage.asked()
        several = hasattr(request.node, "callspec")  # runs of the test, each of which may ask a part of it
        assert set(row.asks) == asked or (several and asked and asked < set(row.asks))
