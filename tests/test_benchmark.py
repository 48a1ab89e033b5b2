"""The benchmark, in its short form: that it runs, not how fast anything is."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from support import environments, machine

REPOSITORY = Path(__file__).parent.parent

#: Who is measured as a whole program with a trivial provider, whatever the machine has.
CONTESTANTS = [
    "the tool's own keyring",
    "keyring-fallback, found",
    "keyring-fallback, not found",
    "keyring alone, not found",
    "keyring-subprocess, found",
    "keyring-pybridge, found",
]


def test_the_benchmark_runs(wheel: Path, tmp_path: Path) -> None:
    """Each contestant gives the right answer in turn, and the page has its row; it is printed and written to a file."""
    page = tmp_path / "page.md"
    argv = [sys.executable, REPOSITORY / "benchmarks" / "run.py", "--short", "--output", page]
    env = {**machine.ENVIRON, "KEYRING_FALLBACK_WHEEL": os.fspath(wheel)}
    result = environments.run(argv, env=env, check=True)
    assert page.read_text(encoding="utf-8") == result.stdout.rstrip("\n") + "\n"
    rows = re.findall(r"^\| (.+?) \| \d+ \| (\d+\.\d\d) \| \d+ \|$", result.stdout, re.MULTILINE)
    assert CONTESTANTS == [name for name, _ in rows[: len(CONTESTANTS)]]
    assert "1.00" == rows[0][1]
    assert re.search(r"^\| the same with us, a tool \| [+-]\d+\.\d\d \|$", result.stdout, re.MULTILINE)
    assert re.search(r"^- \d{4}-\d\d-\d\d, 2 rounds", result.stdout, re.MULTILINE)
