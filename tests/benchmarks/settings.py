"""How long and how large a run is."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.measure import Contest


@dataclass(frozen=True, slots=True)
class Settings:
    """A full run; :meth:`quick` gives one that only shows that everything works."""

    folder: Path
    rounds: int = 11
    concurrencies: tuple[int, ...] = (1, 32, 128)
    seconds: float = 1.0
    """How long a load lasts, in each round."""
    keys: int = 2000
    file_bytes: int = 256 << 20
    batches: tuple[int, ...] = (1, 10, 100)
    dice: random.Random = field(default_factory=random.Random)

    @classmethod
    def quick(cls, folder: Path) -> Settings:
        """Small and short; its figures mean nothing."""
        return cls(
            folder,
            rounds=1,
            concurrencies=(1, 8),
            seconds=0.1,
            keys=50,
            file_bytes=8 << 20,
            batches=(1, 10),
        )

    def contest(self) -> Contest:
        """Rounds in an order drawn by this run's dice."""
        return Contest(self.rounds, self.dice)
