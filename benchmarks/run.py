"""Measures what keyring-fallback costs, beside the tool's own keyring and its peers: ``tox -e bench``.

Prints a page in Markdown; progress goes to stderr. Nothing is asserted about seconds: the page is for reading.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import contestants
import page
import rounds
import scene
from support import machine

#: Rounds that mean something, and rounds that show only that everything runs.
ROUNDS, SHORT_ROUNDS = 31, 2


def main() -> int:
    """Build the environments, let the contestants run in turns, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="how often each contestant runs (default: %(default)s)"
    )
    parser.add_argument("--short", action="store_true", help=f"{SHORT_ROUNDS} rounds: only to see that everything runs")
    parser.add_argument("--output", type=Path, help="write the page to this file too")
    options = parser.parse_args()
    count = SHORT_ROUNDS if options.short else options.rounds
    with machine.temporary_folder("keyring-fallback-bench-") as folder:
        os.environ.clear()
        os.environ.update(machine.running(folder / "nobody", folder / "path"))
        with scene.built(folder) as stage:
            programs = rounds.play(contestants.programs(stage), count)
            insides = rounds.play(contestants.insides(stage), 3 * count if count > SHORT_ROUNDS else count)
            memory = rounds.play(contestants.memory(stage), min(count, 5))
            text = page.written(stage, programs, insides, memory)
    print(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")
        options.output.with_name("chart.svg").write_text(page.chart(programs), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
