"""The table of docs/clients.md: each of its rows is a test, and says what that test has shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, NamedTuple, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

MARKER = "client(row): the test is this row of the table in docs/clients.md"

Test = TypeVar("Test", bound=Callable[..., object])


class Row(NamedTuple):
    """One row.

    Attributes:
        client: The program.
        what: What it does.
        way: How it comes to a keyring.
        asks: What keyring is asked for then; the test checks that it is this and nothing else.
        needs: What has to be set.
        outcome: Whether it works, or why not.
    """

    client: str
    what: str
    way: str
    asks: tuple[str, ...]
    needs: tuple[str, ...]
    outcome: str


def row(
    client: str,
    what: str,
    way: str,
    *asks: str,
    needs: tuple[str, ...] = (),
    note: str = "",
    cannot: str = "",
    always: str = "",
) -> Callable[[Test], Test]:
    """Make a test a row. It works with us only; *cannot*: why it does not; *always*: why it works without us, too."""
    outcome = f"**no**: {cannot}" if cannot else f"yes, also without us: {always}" if always else "yes"
    return pytest.mark.client(row=Row(client, what, way, asks, needs, outcome + (f"; {note}" if note else "")))


def rows(modules: Iterable[ModuleType]) -> list[Row]:
    """The rows that the tests in the modules are, in the order in which they are written."""
    tests = [test for module in modules for test in vars(module).values() if callable(test)]
    marks = [mark for test in tests for mark in getattr(test, "pytestmark", ()) if mark.name == "client"]
    return [mark.kwargs["row"] for mark in marks]


def markdown(table: Iterable[Row]) -> str:
    """The table as Markdown."""
    lines = ["| client | what | keyring is | and asked for | set | works |", "|---|---|---|---|---|---|"]
    for one in table:
        asks, needs = (", ".join(f"`{word}`" for word in words) for words in (one.asks, one.needs))
        lines.append(f"| {one.client} | {one.what} | {one.way} | {asks} | {needs} | {one.outcome} |")
    return "\n".join([*lines, ""])


def versions(module: ModuleType) -> str:
    """The tables of versions that the module has, as Markdown."""

    def listed(names: Iterable[str]) -> str:
        return ", ".join(name.replace("pypy3", "PyPy") for name in names)

    lines = ["| in the environment | in the global tool | how |", "|---|---|---|"]
    lines += [
        f"| Python {listed(module.PYTHONS)} by keyring {listed(module.KEYRINGS)} | the newest keyring | each with the ends of the other |",
        f"| the newest keyring | Python {listed(module.TOOL_PYTHONS)} by keyring {listed(module.KEYRINGS)} | each with the ends of the other |",
        f"| Python {listed(module.PYTHONS)} | Python {listed(module.TOOL_PYTHONS)} | each with the ends of the other |",
        "| the lowest releases that our metadata allow, on Python 3.9 | the newest keyring | |",
        f"| uv {listed(module.UVS)} | the newest keyring | each |",
        f"| pip {listed(module.PIPS)} | the newest keyring | each |",
    ]
    return "\n".join([*lines, ""])
