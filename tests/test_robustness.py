"""The tables in docs/robustness.md are those of the tests."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

import test_habits
from support import environments

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parent / "docs" / "robustness.md"
ROW = re.compile(
    r"^\| (?P<group>.*?) \| `(?P<file>test_\w+\.py)` \| (?P<cases>\d+) \| (?P<survived>\d+) \|$", re.MULTILINE
)


def test_table() -> None:
    """Each group's number of cases is that of the tests which are collected, and none is given up."""
    rows = {row["file"]: (int(row["cases"]), int(row["survived"])) for row in ROW.finditer(DOCUMENT.read_text("utf-8"))}
    assert 6 == len(rows)
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider", "-p", "no:xdist"]
    result = environments.run([*command, *(TESTS / name for name in rows)], cwd=TESTS.parent, env=os.environ)
    counted = {
        Path(name).name: int(number) for name, number in re.findall(r"^(\S+\.py): (\d+)$", result.stdout, re.MULTILINE)
    }
    assert {name: (number, number) for name, number in counted.items()} == rows


@pytest.mark.parametrize("name", [row["file"] for row in ROW.finditer(DOCUMENT.read_text("utf-8"))])
def test_nothing_is_expected_to_fail(name: str) -> None:
    """No case of the table is marked as one that may fail."""
    assert "xfail" not in (TESTS / name).read_text(encoding="utf-8")


def test_habits_table() -> None:
    """The table of programs with habits of their own is that of the tests."""
    assert test_habits.table() in DOCUMENT.read_text("utf-8"), f"it has to be\n{test_habits.table()}"
