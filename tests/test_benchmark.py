"""How the benchmark's page words what was measured; CI's demo job runs it with real contestants, in its short form."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    """Its modules ``page`` and ``rounds``, which import each other by these names."""
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    import page
    import rounds

    return page, rounds


def test_ratios_are_those_of_each_round(benchmark: tuple[ModuleType, ModuleType]) -> None:
    """A round in which the machine is slow has the ratio of the others: the median of ratios, not a ratio of medians."""
    page, rounds = benchmark
    results = rounds.Results()
    results.rounds["g", "the tool's own keyring"] = [{"seconds": one} for one in (0.1, 1.0, 0.2)]
    results.rounds["g", "us"] = [{"seconds": one} for one in (0.12, 1.2, 0.24)]
    assert pytest.approx((1.2, 1.2, 1.2)) == results.ratios("g", "us", "the tool's own keyring", "seconds")
    table = page.program_table(results, "g", ["the tool's own keyring", "us"])
    expected = (
        "| the tool's own keyring | 200 | 100 | 1.00 | 1.00 to 1.00 |\n| us | 240 | 120 | 1.20 | 1.20 to 1.20 |\n"
    )
    assert table.endswith(expected)


def test_each_contestant_runs_in_each_round(benchmark: tuple[ModuleType, ModuleType]) -> None:
    """All of them in every round, in an order of its own, and once before, which does not count."""
    _, rounds = benchmark
    ran: list[str] = []

    class Contestant:
        def __init__(self, name: str) -> None:
            self.group, self.name = "g", name

        def run(self) -> dict[str, float]:
            ran.append(self.name)
            return {"seconds": float(len(ran))}

    results = rounds.play([Contestant(name) for name in "abc"], 20)
    assert ["abc"] * 21 == ["".join(sorted(ran[at : at + 3])) for at in range(0, len(ran), 3)]
    assert len({"".join(ran[at : at + 3]) for at in range(3, len(ran), 3)}) > 1
    assert (20, 4.0 <= results.least("g", "a", "seconds")) == (results.count(), True)
