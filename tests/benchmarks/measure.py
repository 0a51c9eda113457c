"""Measuring contestants side by side.

Rules that hold here:

* What is compared runs in the same round, one contestant after another, in an order drawn anew for
  each round: what the machine does meanwhile falls on all of them alike.
* A ratio is taken within a round, and the median of the ratios is what counts. Its spread is the
  middle half of the rounds (first to third quartile).
* An A/A comparison puts a contestant beside itself. What it is away from 1 is noise.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Sample = Mapping[str, float]
"""What one contestant reached in one round, by figure: ``rate`` per second, ``p99`` in seconds, …"""


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the first and third quartile around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of one value a round."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should reach: at least, or at most, a bound."""

    bound: float
    at_most: bool = False

    def met(self, value: float) -> bool:
        """Whether ``value`` reaches it."""
        return value <= self.bound if self.at_most else value >= self.bound


class Rounds:
    """What every contestant reached in every round."""

    def __init__(self, samples: Mapping[str, Sequence[Sample]]) -> None:
        self._samples = samples

    def spread(self, name: str, figure: str) -> Spread:
        """A contestant's own figure."""
        return Spread.of([sample[figure] for sample in self._samples[name]])

    def ratio(self, ours: str, theirs: str, figure: str) -> Spread:
        """Ours to theirs, taken round by round."""
        pairs = zip(self._samples[ours], self._samples[theirs], strict=True)
        return Spread.of([mine[figure] / yours[figure] for mine, yours in pairs])


class Contest:
    """Runs contestants for a number of rounds."""

    def __init__(self, rounds: int, dice: random.Random) -> None:
        self._rounds = rounds
        self._dice = dice

    def run(self, title: str, contestants: Mapping[str, Callable[[], Sample]]) -> Rounds:
        """Every contestant once a round, in a new order each time."""
        samples: dict[str, list[Sample]] = {name: [] for name in contestants}
        for number in range(1, self._rounds + 1):
            tell(f"{title}: round {number} of {self._rounds}")
            order = list(contestants)
            self._dice.shuffle(order)
            for name in order:
                samples[name].append(contestants[name]())
        return Rounds(samples)


def tell(doing: str) -> None:
    """Say on standard error what is being measured now."""
    end = "\r" if sys.stderr.isatty() else "\n"
    print(f"{doing:<78}", end=end, file=sys.stderr, flush=True)
