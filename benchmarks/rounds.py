"""Lets contestants run in turns, so that what else the machine does hits all of them alike."""

from __future__ import annotations

import random
import statistics
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contestants import Contestant, Figures


class Results:
    """What was measured: for each contestant its figures, round by round."""

    def __init__(self) -> None:
        self.rounds: dict[tuple[str, str], list[Figures]] = {}

    def groups(self) -> dict[str, list[str]]:
        """The contestants' names by group, in order."""
        found: dict[str, list[str]] = {}
        for group, name in self.rounds:
            found.setdefault(group, []).append(name)
        return found

    def count(self) -> int:
        """How many rounds there were."""
        return max((len(figures) for figures in self.rounds.values()), default=0)

    def median(self, group: str, name: str, figure: str) -> float:
        """The median of a figure."""
        return statistics.median(one[figure] for one in self.rounds[group, name])

    def least(self, group: str, name: str, figure: str) -> float:
        """The least of a figure: what it is where nobody else uses the machine."""
        return min(one[figure] for one in self.rounds[group, name])

    def ratios(self, group: str, name: str, other: str, figure: str) -> tuple[float, float, float]:
        """The ratios of two contestants in the same round: the first quarter, the median and the last quarter."""
        pairs = zip(self.rounds[group, name], self.rounds[group, other])
        low, middle, high = statistics.quantiles([one[figure] / two[figure] for one, two in pairs], n=4)
        return low, middle, high

    def difference(self, group: str, name: str, other: str, figure: str) -> float:
        """The median of the differences between two contestants in the same round."""
        pairs = zip(self.rounds[group, name], self.rounds[group, other])
        return statistics.median(one[figure] - two[figure] for one, two in pairs)


def play(contestants: list[Contestant], count: int) -> Results:
    """Run every contestant so many times, each round in another order, after one round that does not count."""
    results = Results()
    for contestant in contestants:
        results.rounds[contestant.group, contestant.name] = []
        contestant.run()
    for number in range(count):
        print(f"\rround {number + 1} of {count} ", end="", file=sys.stderr, flush=True)
        for contestant in random.sample(contestants, len(contestants)):
            results.rounds[contestant.group, contestant.name].append(contestant.run())
    print(file=sys.stderr)
    return results
